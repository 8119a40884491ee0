"""What travels through the zoo: the form of a signal, the domains, conditions and batches.

Importing this module imports no torch, so that the catalogue can describe signals without it.
Shapes: N batch, ``*S`` any signal (an image is C H W), K condition width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from zoo_core.errors import UsageError, printable, unknown

if TYPE_CHECKING:
    import torch
    from torch import Tensor

MIXED = "mixed"
"""Key of a batch in which the signals of all domains are mixed, as StarGAN trains."""


def class_key(domain: str) -> str:
    """Key of `Batch.extras` under which the class numbers (N,) of a domain's signals are."""
    return f"class:{domain}"


@dataclass(frozen=True)
class TensorSpec:
    """The form of one signal as the nets see it, without the batch axis.

    Attributes:
        kind: Registered kind of signal; the kind's codec reads, writes and windows it.
        shape: Shape of one signal as trained, such as ``(3, 64, 64)``: channels first.
        low: Smallest value, or None where unbounded.
        high: Largest value, or None where unbounded.
        stride: Flexible axes must be multiples of it; the codec pads and crops back.
        flexible: How many trailing axes may differ from ``shape`` (2 for a fully
            convolutional image generator, 1 for speech frames, 0 for none).
    """

    kind: str = "image"
    shape: tuple[int, ...] = (3, 64, 64)
    low: float | None = -1.0
    high: float | None = 1.0
    stride: int = 4
    flexible: int = 2

    def __post_init__(self) -> None:
        low, high = (0.0 if bound is None else bound for bound in (self.low, self.high))
        faults = {
            "shape must hold positive sizes": not self.shape or min(self.shape) < 1,
            "stride must be positive": self.stride < 1,
            "flexible must leave an axis fixed": not 0 <= self.flexible < len(self.shape),
            "low and high must be finite": not math.isfinite(low) or not math.isfinite(high),
        }
        for problem, holds in faults.items():
            if holds:
                raise UsageError(problem, asked=f"signal of shape {self.shape}")

    @property
    def channels(self) -> int:
        """Size of the leading axis."""
        return self.shape[0]


@dataclass(frozen=True)
class Domains:
    """The domains that a model knows, or the attributes of the one domain that it edits.

    Attributes:
        names: Names in the order of the condition vector.
        kind: ``domains`` are exclusive (one-hot); ``attributes`` may hold together (0/1 each).
        exclusive: Groups of attributes of which at most one may hold, such as hair colours.
    """

    names: tuple[str, ...]
    kind: Literal["domains", "attributes"] = "domains"
    exclusive: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise UsageError("a domain is named twice", asked=f"domains {', '.join(self.names)}")
        for name in self.names:
            if not name.strip() or printable(name) != name or set("\n\t{}") & set(name):
                raise UsageError(
                    "a name must be one line of printable text, without { and }",
                    asked=f'domain "{printable(name)}"',
                    hint="Rename it.",
                )
        for group in self.exclusive:
            for name in group:
                self.index(name)

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def index(self, name: str) -> int:
        """Position of a domain; raises `UsageError` with the near match where it is unknown."""
        if name not in self.names:
            raise unknown("domain" if self.kind == "domains" else "attribute", name, self.names)
        return self.names.index(name)

    def vector(
        self, to: str | Mapping[str, float], source: Sequence[float] | None = None
    ) -> list[float]:
        """The condition vector (K,) of a target.

        Args:
            to: A name, or for attributes a mapping such as ``{"Blond_Hair": 1, "Male": 0}``.
            source: The input's own vector, kept where ``to`` is silent (attributes only).

        Raises:
            UsageError: If a name is unknown, or several domains, or several attributes of an
                exclusive group, are asked for at once.
        """
        wanted = {to: 1.0} if isinstance(to, str) else {k: float(v) for k, v in to.items()}
        if self.kind == "domains":
            held = [name for name, value in wanted.items() if value]
            for name in wanted:
                self.index(name)
            if len(held) != 1:
                raise UsageError(
                    "exactly one domain can be the target",
                    asked=f"target {dict(wanted)}",
                    hint=f"Choose one of {', '.join(self.names)}.",
                )
            return [1.0 if name == held[0] else 0.0 for name in self.names]
        vector = list(source) if source is not None else [0.0] * len(self)
        for group in self.exclusive:
            held = [name for name in group if wanted.get(name)]
            if len(held) > 1:
                raise UsageError(
                    f"at most one of {', '.join(group)} can hold",
                    asked=f"target {', '.join(held)}",
                    hint="Ask for one of them.",
                )
            if held:
                for other in group:
                    vector[self.index(other)] = 0.0
        for name, value in wanted.items():
            vector[self.index(name)] = value
        return vector


@dataclass(frozen=True)
class Condition:
    """What the output shall be, for each signal of a batch.

    Attributes:
        label: (N, K) float; one-hot for domains, 0/1 for attributes.
        domain: The one domain that the whole batch shares, where it does; None when mixed.
        style: (N, Z) style code, for methods that have one.
        reference: (N, *S) reference signals, for methods that take one.
        lengths: (N,) valid lengths along the last axis, for padded signals.
    """

    label: Tensor
    domain: str | None = None
    style: Tensor | None = None
    reference: Tensor | None = None
    lengths: Tensor | None = None

    @classmethod
    def of(cls, domains: Domains, name: str, count: int, device: Any = None) -> Condition:
        """The condition "all of these are of domain ``name``", (count, K)."""
        import torch

        row = torch.tensor(domains.vector(name), device=device)  # (K,)
        domain = name if domains.kind == "domains" else None
        return cls(label=row.expand(count, -1), domain=domain)  # (N, K)

    def __len__(self) -> int:
        return self.label.shape[0]

    def __getitem__(self, index: Any) -> Condition:
        """The condition of a part of the batch: a slice, or a tensor of indices."""
        return self.mapped(lambda tensor: tensor[index])

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Condition:
        """The same condition on another device."""
        return self.mapped(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    @property
    def one_domain(self) -> str:
        """`domain`, for nets that belong to one; `UsageError` where it differs in the batch."""
        if self.domain is None:
            raise UsageError(
                "each domain has nets of its own, so a batch is translated one domain at a time",
                asked="a domain that is unknown or differs within the batch",
                hint="Give one domain for all signals of the batch.",
            )
        return self.domain

    @property
    def key(self) -> object:
        """Equal for conditions that ask for the same thing of the same batch, within one step."""
        if self.domain is not None and self.style is None and self.reference is None:
            return self.domain
        return (id(self.label), id(self.style), id(self.reference))

    def mapped(self, change: Callable[[Tensor], Tensor]) -> Condition:
        """The same condition with every tensor changed."""
        fields = ("label", "style", "reference", "lengths")
        values = {name: getattr(self, name) for name in fields}
        changed: dict[str, Any] = {k: v if v is None else change(v) for k, v in values.items()}
        return replace(self, **changed)


@dataclass(frozen=True)
class Batch:
    """Real signals and their own conditions, by domain, or all under `MIXED`.

    Attributes:
        signals: (N, *S) per key, within the signal's range.
        conditions: The signals' own conditions, (N, K) per key.
        extras: Further tensors (N, ...), such as the class numbers of signals under `class_key`.
    """

    signals: Mapping[str, Tensor]
    conditions: Mapping[str, Condition]
    extras: Mapping[str, Tensor] = field(default_factory=dict)

    def shard(self, rank: int, world: int) -> Batch:
        """The part of one process: every ``world``-th signal, starting at ``rank``."""
        if world == 1:
            return self
        part = slice(rank, None, world)
        return Batch(
            {key: value[part] for key, value in self.signals.items()},
            {key: value[part] for key, value in self.conditions.items()},
            {key: value[part] for key, value in self.extras.items()},
        )

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        return self.mapped(lambda tensor: tensor.to(device, non_blocking=True))

    def pinned(self) -> Batch:
        """The same batch with its signals where a GPU fetches them without the CPU waiting."""
        return replace(self, signals={k: v.pin_memory() for k, v in self.signals.items()})

    def mapped(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """The same batch with every tensor changed."""
        return Batch(
            {key: change(value) for key, value in self.signals.items()},
            {key: value.mapped(change) for key, value in self.conditions.items()},
            {key: change(value) for key, value in self.extras.items()},
        )
