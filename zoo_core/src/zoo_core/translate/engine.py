"""Runs a method's nets for translation: device, precision, memory format, conditions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from zoo_core.contracts.interfaces import Code
from zoo_core.contracts.signals import Condition
from zoo_core.errors import UsageError, ZooError, unknown

if TYPE_CHECKING:
    from zoo_core.contracts.method import Method

Target = str | Mapping[str, float]
"""A domain, an attribute, or attributes with 0/1 (and in between): ``{"Blond_Hair": 1}``."""
ALL = "all"
AUTO, TORCH = "auto", "torch"
"""The engine that chooses others, where a package brings it, and the one that is always there."""
Label = Sequence[float]
"""A condition vector (K,)."""
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
"""Names of the precisions that a user can ask for, besides ``auto``."""

_CAST = (
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
    nn.Linear,
)


class Engine:
    """A method made ready to translate.

    Args:
        method: The method with its weights. It is moved, and nets of training are dropped.
        device: ``auto`` or a device.
        precision: ``auto``, ``float32`` (exact, eager) or ``bfloat16``.

    Attributes:
        method: The method.
        domains: Its domains.
        device: Where it computes.
        precision: In what it computes.
    """

    def __init__(self, method: Method[Any], *, device: Any, precision: str) -> None:
        self.device = resolve_device(device)
        self.precision = resolve_precision(self.device, precision)
        self.method, self.domains = method.eval().requires_grad_(False), method.domains
        _drop_training_nets(method)
        method.to(self.device)
        # Measured: in float32 on CPUs channels-last gains nothing.
        self._channels_last = self.precision != torch.float32 or self.device.type == "cuda"
        if self.precision != torch.float32:
            cast_weights(method, self.precision)
        if self._channels_last:
            method.to(memory_format=torch.channels_last)

    def targets(self, to: Target, source: Target | None) -> dict[str, list[float]]:
        """Condition vector (K,) by the name of the output; ``"all"`` gives every other target.

        Raises:
            UsageError: If the method does not translate there, or ``"all"`` leaves nothing.
        """
        origin = self.label(source)
        if to != ALL or ALL in self.domains:
            return {describe(to): self.vector(to, origin)}
        skip = source if self.domains.kind == "domains" else None
        names = [name for name in self.method.targets if name != skip]
        if not names:
            raise UsageError(
                f"the model translates to {skip} only",
                asked=f'target "{ALL}" from {skip}',
                hint=f"Ask for {skip} by name.",
            )
        return {name: self.domains.vector(name, origin) for name in names}

    def vector(self, to: Target, source: Label | None = None) -> list[float]:
        """The condition vector (K,) of one target.

        Raises:
            UsageError: If it is unknown, or the method does not translate to it.
        """
        vector = self.domains.vector(to, source)
        exclusive = self.domains.kind == "domains"
        asked = {to: 1.0} if isinstance(to, str) else to
        for name, value in asked.items():
            if value or not exclusive:
                self.method.require_target(name)
        return vector

    def back(self, source: Target | None, target: Label) -> list[float] | None:
        """The vector of the way back from a target; None where it is not known.

        Raises:
            UsageError: If the method does not translate back.
        """
        found = self.label(source) or self.other(target)
        if found is not None and self.domains.kind == "domains":
            self.method.require_target(self._named(found))
        return found

    def label(self, source: Target | None) -> list[float] | None:
        """The input's own condition vector, where it is given."""
        return None if source is None else self.domains.vector(source)

    def source(self, source: Target | None, target: Label) -> list[float] | None:
        """The input's own condition vector: as given, or the other one of two domains.

        Raises:
            UsageError: If the method must know it and it cannot be told.
        """
        if source is not None:
            return self.label(source)
        if not self.method.needs_source:
            return None
        other = self.other(target)
        if other is None:
            raise UsageError(
                "this method must know the domain of the input",
                asked=f'target "{self._named(target)}"',
                hint=f"Give source= (--from), one of {', '.join(self.domains)}.",
            )
        return other

    def other(self, target: Label) -> list[float] | None:
        """The vector of the one other domain, where there are just two."""
        if self.domains.kind == "domains" and len(self.domains) == 2:
            return [1.0 - value for value in target]
        return None

    def domain(self, label: Label | None) -> str | None:
        """The domain that a vector stands for; None for attributes, or where it is unknown."""
        return None if label is None or self.domains.kind != "domains" else self._named(label)

    def condition(self, label: Label | None, count: int) -> Condition:
        """The condition of ``count`` signals that share a vector; unknown ones count as zeros."""
        row = torch.tensor(label or [0.0] * len(self.domains), device=self.device)  # (K,)
        return Condition(row.expand(count, -1), domain=self.domain(label))  # (N, K)

    def translate(self, x: Tensor, source: Label | None, target: Label) -> Tensor:
        """(N, *S) float32 on the CPU: ``x`` (N, *S) translated."""
        with self.computing():
            y = self.method.translate(
                self.ready(x), self.condition(source, len(x)), self.condition(target, len(x))
            )  # (N, *S)
            return y.float().cpu()  # (N, *S)

    def translate_each(
        self, x: Tensor, source: Mapping[str, Label | None], targets: Mapping[str, Label]
    ) -> dict[str, Tensor]:
        """(N, *S) by name: ``x`` translated to each target, encoded once where there is a code."""
        if not self.method.has_code or len({str(label) for label in source.values()}) > 1:
            return {n: self.translate(x, source[n], label) for n, label in targets.items()}
        code = self.encode(x, next(iter(source.values())))
        return {name: self.decode(code, label) for name, label in targets.items()}

    def encode(self, x: Tensor, source: Label | None) -> Code:
        """The code of ``x`` (N, *S), on the engine's device."""
        self._require_code("encode")
        with self.computing():
            return self.method.encode(self.ready(x), self.condition(source, len(x)))

    def decode(self, code: Code, target: Label) -> Tensor:
        """(N, *S) float32 on the CPU: a code decoded."""
        self._require_code("decode")
        with self.computing():
            y = self.method.decode(code, self.condition(target, len(code.content)))  # (N, *S)
            return y.float().cpu()  # (N, *S)

    def digest(self, text: str) -> str:
        """Hash of the nets, and of a text ahead of them."""
        digest = hashlib.sha256(text.encode())
        for name, value in sorted(self.method.nets.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()

    def ready(self, x: Tensor) -> Tensor:
        """(N, *S) ``x`` on the device, in the memory format that is fast there."""
        x = x.to(self.device, non_blocking=True)  # (N, *S)
        if self._channels_last and x.ndim == 4:
            x = x.contiguous(memory_format=torch.channels_last)  # (N, C, H, W)
        return x  # (N, *S)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Inference mode and precision; says in plain words what the device refuses."""
        try:
            with torch.inference_mode(), autocast(self.device, self.precision):
                yield
        except torch.OutOfMemoryError as fault:
            raise ZooError(
                "the device has not enough memory",
                asked=f"translation on {self.device}",
                hint="Lower --batch or --size, or use --device cpu.",
            ) from fault

    def _named(self, label: Label) -> str:
        held = [n for n, value in zip(self.domains.names, label, strict=True) if value]
        return "+".join(held) or "none"

    def _require_code(self, what: str) -> None:
        if not self.method.has_code:
            raise UsageError(
                f"{type(self.method).__name__} translates directly and has no code",
                asked=what,
                hint="Use translate.",
            )


def describe(to: Target) -> str:
    """A name for a target: ``Blond_Hair``, ``Blond_Hair+no-Male``."""
    if isinstance(to, str):
        return to
    parts = [
        name if value == 1 else f"no-{name}" if value == 0 else f"{name}-{value:g}"
        for name, value in to.items()
    ]
    return "+".join(parts)


def resolve_device(asked: str | torch.device = "auto") -> torch.device:
    """The device to compute on.

    Args:
        asked: ``auto`` (CUDA, else Apple's MPS, else the CPU), or a device as torch names it.

    Raises:
        UsageError: If the device is unknown or not there.
    """
    if isinstance(asked, torch.device):
        device = asked
    elif asked == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    else:
        try:
            device = torch.device(asked)
        except RuntimeError as fault:
            raise unknown("device", asked, ["auto", "cpu", "cuda", "cuda:1", "mps"]) from fault
    if not _present(device):
        raise UsageError(
            "this device is not available here",
            asked=f'device "{device}"',
            hint="Use --device auto or --device cpu.",
        )
    return device


def supports_bfloat16(device: torch.device | str) -> bool:
    """Whether bfloat16 is faster than float32 on a device.

    On CPUs that takes AMX: with AVX512-bf16 alone the convolutions were measured to run 0.6 to
    0.8 times as fast as in float32, so such a CPU counts as one without.
    """
    device = torch.device(device)
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return bool(getattr(torch.cpu, "_is_amx_tile_supported", bool)())
    return False


def resolve_precision(device: torch.device | str, asked: str = "auto") -> torch.dtype:
    """The precision to compute in.

    Args:
        device: Where.
        asked: ``auto`` (bfloat16 where it is fast, else float32), ``float32`` or ``bfloat16``.

    Raises:
        UsageError: If the precision is unknown.
    """
    if asked == "auto":
        return torch.bfloat16 if supports_bfloat16(device) else torch.float32
    if asked not in PRECISIONS:
        raise unknown("precision", asked, ["auto", *PRECISIONS])
    return PRECISIONS[asked]


def autocast(device: torch.device | str, dtype: torch.dtype) -> AbstractContextManager[object]:
    """A context in which the nets compute in ``dtype``; it does nothing for float32."""
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(torch.device(device).type, dtype=dtype)


def cast_weights(module: nn.Module, dtype: torch.dtype) -> None:
    """Casts the weights of convolutions and linear layers once, in place.

    To be used with `autocast`, which would otherwise cast them in every forward pass. Layers that
    are more than the plain ones (subclasses, parametrised ones) and all others are left to it.
    """
    for layer in module.modules():
        if type(layer) in _CAST and not hasattr(layer, "parametrizations"):
            layer.to(dtype)


def _drop_training_nets(method: Method[Any]) -> None:
    """Drops the nets that only training needs, and with them their memory."""
    for name in set(method.nets) - set(method.inference_nets):
        with suppress(KeyError):
            del method.nets[name]


def _present(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
    if device.type == "mps":
        return torch.backends.mps.is_available()
    return device.type == "cpu"
