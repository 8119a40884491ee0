"""Statistics of normalisations, and how nets are made to use given ones.

Torch's normalisations are watched as the nets call them, in their order, so that no net and no
method has to know of windows.
"""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from zoo_core.contracts.codec import Window

_SIGNATURES = {f: inspect.signature(f) for f in (functional.group_norm, functional.instance_norm)}


@dataclass(frozen=True)
class Moments:
    """Statistics of one normalisation.

    Attributes:
        count: Number of values per group.
        mean: (G,) float64.
        var: (G,) float64, of the values themselves: divided by ``count``.
    """

    count: int
    mean: Tensor
    var: Tensor

    @classmethod
    def of(cls, x: Tensor, groups: int) -> Moments:
        """The statistics of the rows of ``x`` (N, C, *S) together."""
        grouped = x.float().reshape(len(x), groups, -1, *x.shape[2:])  # (N, G, C/G, *S)
        axes = [axis for axis in range(grouped.ndim) if axis != 1]
        var, mean = torch.var_mean(grouped, axes, correction=0)  # (G,), (G,)
        return cls(grouped.numel() // groups, mean.double(), var.double())

    def merged(self, other: Moments) -> Moments:
        """The statistics of the values of both together."""
        count = self.count + other.count
        share = other.count / count
        apart = other.mean - self.mean  # (G,)
        var = self.var + (other.var - self.var) * share + apart**2 * share * (1 - share)  # (G,)
        return Moments(count, self.mean + apart * share, var)

    def beyond(self, other: Moments, share: float) -> Moments:
        """What comes when the way from ``other`` to these is gone on for a share of it."""
        mean = self.mean + share * (self.mean - other.mean)  # (G,)
        ratio = (self.var / other.var).nan_to_num(1.0).clamp(0.5, 2.0)  # (G,)
        return Moments(self.count, mean, self.var * ratio**share)


@dataclass(frozen=True)
class Call:
    """A call of a normalisation by the nets."""

    function: Callable[..., Tensor]
    arguments: Mapping[str, Any]

    @property
    def x(self) -> Tensor:
        """(N, C, *S) what is to be normalised."""
        x: Tensor = self.arguments["input"]
        return x

    @property
    def groups(self) -> int:
        """Number G of groups of channels that are normalised apart."""
        return int(self.arguments.get("num_groups", self.x.shape[1]))

    def plain(self) -> Tensor:
        """(N, C, *S) as the nets asked."""
        return self.function(**self.arguments)

    def by(self, moments: Moments) -> Tensor:
        """(N, C, *S) by given statistics, which is what batch normalisation does."""
        each = self.x.shape[1] // self.groups
        mean, var = (v.float().repeat_interleave(each) for v in (moments.mean, moments.var))
        weight, bias = (self.arguments[name] for name in ("weight", "bias"))
        return functional.batch_norm(
            self.x,
            mean,
            var,
            None if weight is None else weight.float(),
            None if bias is None else bias.float(),
            eps=self.arguments["eps"],
        )


class Watch(TorchFunctionMode):
    """Meets every normalisation by a signal's own statistics, wherever nets call it."""

    def __enter__(self) -> Self:
        self.number = 0
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if function not in _SIGNATURES:
            return function(*args, **kwargs)
        bound = _SIGNATURES[function].bind(*args, **kwargs)
        bound.apply_defaults()
        if not bound.arguments.get("use_input_stats", True):
            return function(*args, **kwargs)
        self.number += 1
        return self.meet(self.number - 1, Call(function, bound.arguments))

    @abstractmethod
    def meet(self, number: int, call: Call) -> Tensor:
        """(N, C, *S) what the ``number``-th normalisation gives."""


class Recorder(Watch):
    """Notes the statistics by which the nets normalise."""

    def __init__(self) -> None:
        super().__init__()
        self.moments: list[Moments] = []

    def meet(self, number: int, call: Call) -> Tensor:
        """By the signal's own statistics, computed as by given ones."""
        self.moments.append(Moments.of(call.x, call.groups))
        return call.by(self.moments[-1])


class Shared(Watch):
    """Normalises by given statistics, in the order in which nets ask for them.

    Args:
        moments: Of each normalisation.
    """

    def __init__(self, moments: Sequence[Moments]) -> None:
        super().__init__()
        self.moments = moments

    def meet(self, number: int, call: Call) -> Tensor:
        """By the statistics that are known; further normalisations use the window's own."""
        return call.by(self.moments[number]) if number < len(self.moments) else call.plain()


def own_moments(x: Tensor, window: Window, groups: int) -> Moments:
    """The statistics of the part of features (C, *S) that lies in a window's own part."""
    own = window.own or ()
    for back in range(1, len(own) + 1):
        extent, part = x.shape[-back], own[-back]
        ratio = extent / window.signal.shape[-back]
        start = min(round(part.start * ratio), extent - 1)
        x = x.narrow(-back, start, max(1, round(part.stop * ratio) - start))  # (C, *S')
    return Moments.of(x[None], groups)
