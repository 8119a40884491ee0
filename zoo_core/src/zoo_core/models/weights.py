"""Weights: found, verified before they are opened, and loaded strictly. Nothing is unpickled."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from zoo_core.errors import WeightsError, ZooError
from zoo_core.files import file_sha256, verify

if TYPE_CHECKING:
    from zoo_core.contracts.method import Method

__all__ = [
    "drop_training_nets",
    "file_sha256",
    "load_state",
    "load_weights",
    "net_state",
    "parameter_counts",
    "read_tensors",
    "rebuilt",
    "save_nets",
    "verify",
]

_SHOWN = 8
"""Lines of each kind that a diff of keys shows."""
_FLOATS = (torch.float32, torch.float16, torch.bfloat16)
_AGAIN = "Restore the file, or export the model again."


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors of a safetensors file and its metadata.

    Raises:
        WeightsError: If it is missing, truncated, or no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    verify(path)
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return tensors, dict(file.metadata() or {})
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
        text = str(fault).split("\n", 1)[0][:200]
        raise WeightsError(
            f"it is damaged or no safetensors file ({text})", asked=f"weights {path}", hint=_AGAIN
        ) from fault


def load_weights(
    method: Method[Any],
    path: Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    only: Sequence[str] | None = None,
) -> None:
    """Loads weights into the nets of a method, strictly: every key, every shape, finite values.

    Args:
        method: The method; untouched if anything is wrong.
        path: A safetensors file, or a model directory.
        sha256: Expected hash, checked before the file is opened.
        size: Expected number of bytes, likewise.
        only: Names of the nets to fill; None for those that translate.

    Raises:
        WeightsError: If the file is missing, damaged, another one, or does not fit.
    """
    path = path / "model.safetensors" if path.is_dir() else path
    verify(path, sha256=sha256, size=size)
    names = method.inference_nets if only is None else only
    load_state(net_state(method, names), read_tensors(path)[0], asked=f"weights {path}")


def load_state(target: Mapping[str, Tensor], source: Mapping[str, Tensor], *, asked: str) -> None:
    """Copies tensors into others of the same names, all or none.

    Raises:
        WeightsError: With a short diff where keys, shapes or types differ, or a value is not
            finite.
    """
    lines = [
        *listed("missing", [key for key in target if key not in source]),
        *listed("unexpected", [key for key in source if key not in target]),
        *listed("misshapen", _misshapen(target, source)),
        *listed("of a wrong type", _mistyped(target, source)),
    ]
    if lines:
        raise WeightsError(
            "they do not fit the nets; they belong to another method, or to other options than "
            "config.yaml gives:\n" + "\n".join(lines),
            asked=asked,
        )
    bad = [k for k, v in source.items() if v.is_floating_point() and not v.isfinite().all()]
    if bad:
        raise WeightsError(
            "they hold values that are not finite (NaN or infinite):\n"
            + "\n".join(listed("not finite", bad)),
            asked=asked,
            hint="The training that wrote them had diverged; use an earlier checkpoint.",
        )
    with torch.no_grad():
        for key, tensor in target.items():
            tensor.copy_(source[key])


def net_state(method: Method[Any], names: Sequence[str]) -> dict[str, Tensor]:
    """The tensors of some nets as ``net.parameter``, those that nets share only once."""
    state: dict[str, Tensor] = {}
    seen: set[tuple[int, tuple[int, ...]]] = set()
    for name in names:
        for key, tensor in method.nets[name].state_dict().items():
            mark = (tensor.data_ptr(), tuple(tensor.shape))
            if tensor.numel() and mark in seen:
                continue
            seen.add(mark)
            state[f"{name}.{key}"] = tensor
    return state


def parameter_counts(method: Method[Any], names: Sequence[str] | None = None) -> dict[str, int]:
    """How many parameters each net has; those that nets share count with the first of them.

    Args:
        method: The method, on any device.
        names: Names of the nets; None for all.
    """
    counts: dict[str, int] = {}
    seen: set[nn.Parameter] = set()
    for name in method.nets if names is None else names:
        fresh = set(method.nets[name].parameters()) - seen
        counts[name] = sum(parameter.numel() for parameter in fresh)
        seen |= fresh
    return counts


def save_nets(method: Method[Any], path: Path, names: Sequence[str], *, half: bool = False) -> None:
    """Writes nets to a safetensors file; the same weights give the same bytes.

    Args:
        method: The method.
        path: The file.
        names: Names of the nets.
        half: Whether to store floating-point values as float16.

    Raises:
        WeightsError: If a value is not finite, or too large for float16.
    """
    from safetensors.torch import save_file

    state: dict[str, Tensor] = {}
    for key, tensor in net_state(method, names).items():
        value = tensor.detach().cpu()
        if value.is_floating_point():
            value = value.to(torch.float16 if half else torch.float32)
            if not value.isfinite().all():
                raise WeightsError(
                    f"{key} holds values that are not finite" + (" in float16" if half else ""),
                    asked=f"weights {path.name}",
                    hint="The training has diverged; use an earlier checkpoint.",
                )
        state[key] = value.contiguous()
    try:
        save_file(state, path, metadata={"format": "pt"})
    except Exception as fault:  # the library wraps a full disk in an exception of its own
        raise ZooError(f"cannot be written: {str(fault)[:200]}", asked=f"weights {path}") from fault


def rebuilt(make: Callable[[], Method[Any]], path: Path) -> Method[Any]:
    """A method made anew with the weights of a file, in evaluation mode, on the CPU.

    The random state of the caller is left as it was.
    """
    method = no_init(make)
    load_weights(method, path)
    return method.eval()


def no_init(make: Callable[[], Method[Any]]) -> Method[Any]:
    """A method whose parameters have memory and no values yet: strict loading must follow.

    Drawing values that weights replace costs a large model a second, and the memory of nets that
    are then dropped. The random state of the caller is left as it was.

    Args:
        make: Builds the method.
    """
    with torch.random.fork_rng(devices=[]), _Undrawn():
        return make()


class _Undrawn(TorchFunctionMode):
    """Leaves out whatever fills a parameter with random values."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        given = kwargs or {}
        tensor = args[0] if args else given.get("tensor")
        if function in _DRAWS and isinstance(tensor, nn.Parameter):
            return tensor
        return function(*args, **given)


_DRAWS = (
    Tensor.normal_,
    Tensor.uniform_,
    nn.init.normal_,
    nn.init.uniform_,
    nn.init.kaiming_uniform_,
)
"""What a function mode sees of torch's initialisations; all others are made of these."""


def drop_training_nets(method: Method[Any]) -> None:
    """Drops the nets that only training needs, and with them their memory."""
    for name in set(method.nets) - set(method.inference_nets):
        with contextlib.suppress(KeyError):
            del method.nets[name]


def _misshapen(target: Mapping[str, Tensor], source: Mapping[str, Tensor]) -> list[str]:
    return [
        f"{key}: {tuple(source[key].shape)} in the file, {tuple(value.shape)} in the net"
        for key, value in target.items()
        if key in source and source[key].shape != value.shape
    ]


def _mistyped(target: Mapping[str, Tensor], source: Mapping[str, Tensor]) -> list[str]:
    lines = []
    for key, value in target.items():
        found = source[key].dtype if key in source else value.dtype
        fits = found in _FLOATS if value.is_floating_point() else found == value.dtype
        if not fits:
            lines.append(f"{key}: {str(found).removeprefix('torch.')} in the file")
    return lines


def listed(what: str, entries: Sequence[str]) -> list[str]:
    """Lines of a diff: the first few entries under their kind, and how many more there are."""
    shown = [f"  {what}: {entry}" for entry in entries[:_SHOWN]]
    rest = len(entries) - _SHOWN
    return [*shown, f"  … and {rest} more {what}"] if rest > 0 else shown
