"""Windows of one signal, normalised by the statistics of the whole.

Nets with instance or group normalisation see how bright and how varied the whole signal is. Windows
that go through them one by one would each see its own, and come out as differently coloured
rectangles. Here torch's normalisations are watched as the nets call them, in their order, so that
no net and no method has to know of windows.
"""

from __future__ import annotations

import inspect
import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from zoo_core.contracts.codec import FAR, Whole, Window
from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.windows import WindowStatistics

_SIGNATURES = {f: inspect.signature(f) for f in (functional.group_norm, functional.instance_norm)}
_FAR, _BROAD = 1024, 64


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
class _Call:
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


class _Watch(TorchFunctionMode):
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
        return self.meet(self.number - 1, _Call(function, bound.arguments))

    @abstractmethod
    def meet(self, number: int, call: _Call) -> Tensor:
        """(N, C, *S) what the ``number``-th normalisation gives."""


class _Recorder(_Watch):
    """Notes the statistics by which the nets normalise."""

    def __init__(self) -> None:
        super().__init__()
        self.moments: list[Moments] = []

    def meet(self, number: int, call: _Call) -> Tensor:
        self.moments.append(Moments.of(call.x, call.groups))
        return call.plain()


class Shared(_Watch):
    """Normalises by given statistics, in the order in which nets ask for them.

    Args:
        moments: Of each normalisation.
    """

    def __init__(self, moments: Sequence[Moments]) -> None:
        super().__init__()
        self.moments = moments

    def meet(self, number: int, call: _Call) -> Tensor:
        """By the statistics that are known; further normalisations use the window's own."""
        return call.by(self.moments[number]) if number < len(self.moments) else call.plain()


class _Reached(Exception):  # noqa: N818  (no fault: it ends a pass early)
    """The first normalisation without known statistics."""


class _Frontier(Shared):
    """Notes, of the windows' own parts, the statistics that come next, and stops the pass there."""

    def __init__(self, moments: Sequence[Moments], windows: Sequence[Window]) -> None:
        super().__init__(moments)
        self.windows = windows
        self.next: Moments | None = None

    def meet(self, number: int, call: _Call) -> Tensor:
        if number < len(self.moments):
            return call.by(self.moments[number])
        for window, x in zip(self.windows, call.x, strict=True):
            part = _own_part(x, window)  # (C, *S)
            if part.numel():
                self.next = merged(self.next, Moments.of(part[None], call.groups))
        raise _Reached


class Fast(WindowStatistics):
    """Windows share the statistics of a reduced copy of their signal."""

    def __init__(self, spec: TensorSpec) -> None:
        super().__init__(spec)
        self._far: dict[str, bool] = {}  # by output: whether its nets look further than a window

    def of(
        self,
        whole: Whole,
        name: str,
        compute: Callable[[Tensor], Tensor],
        batches: Callable[[Iterator[Window]], Iterable[list[Window]]],
    ) -> tuple[Callable[[], AbstractContextManager[object]], str]:
        """A context in which the windows share them, and how they were taken."""
        cut = f"{whole.count} windows"
        moments = of_copy(whole, compute)
        if name not in self._far:
            self._far[name] = reaches_far(compute, moments, self.spec)
        if self._far[name]:
            return nullcontext, f"{cut}, {FAR}"
        if not moments:
            return nullcontext, cut
        moments, where = self.refined(moments, whole, compute, lambda: batches(whole.windows()))
        return partial(Shared, moments), f"{cut}, normalised by the statistics of {where}"

    def refined(
        self,
        moments: list[Moments],
        whole: Whole,
        compute: Callable[[Tensor], object],
        batches: Callable[[], Iterable[Sequence[Window]]],
    ) -> tuple[list[Moments], str]:
        """The statistics to use, given those of the copy, and what they are of."""
        return moments, whole.copy


class Exact(Fast):
    """Windows share the statistics of the whole, by a pass over all per normalisation."""

    def refined(
        self,
        moments: list[Moments],
        whole: Whole,
        compute: Callable[[Tensor], object],
        batches: Callable[[], Iterable[Sequence[Window]]],
    ) -> tuple[list[Moments], str]:
        """The statistics of the whole, whatever those of the copy are."""
        return of_windows(batches, compute), "the whole"


def merged(some: Moments | None, more: Moments | None) -> Moments | None:
    """The statistics of both together, where there are any."""
    return some.merged(more) if some is not None and more is not None else some or more


def of_copy(whole: Whole, compute: Callable[[Tensor], object]) -> list[Moments]:
    """The statistics of a signal, from a reduced copy that goes through the nets at once.

    A copy has sharper edges and less texture, in proportion to its reduction: a second copy at half
    the size tells how much, and the statistics are extrapolated to no reduction (Richardson).
    """
    near, far = _Recorder(), _Recorder()
    with near:
        compute(whole.reduced(whole.factor)[None])
    if whole.factor == 1:
        return near.moments
    with far:
        compute(whole.reduced(2 * whole.factor)[None])
    share = 1 - 1 / whole.factor
    return [a.beyond(b, share) for a, b in zip(near.moments, far.moments, strict=True)]


def of_windows(
    batches: Callable[[], Iterable[Sequence[Window]]], compute: Callable[[Tensor], object]
) -> list[Moments]:
    """The statistics of a whole signal, by one pass over its windows per normalisation.

    Args:
        batches: Gives the windows anew, in batches of one shape.
        compute: The nets.
    """
    moments: list[Moments] = []
    while True:
        found: Moments | None = None
        for batch in batches():
            frontier = _Frontier(moments, batch)
            with suppress(_Reached), frontier:
                compute(torch.stack([window.signal for window in batch]))
                return moments
            found = merged(found, frontier.next)
        if found is None:
            return moments
        moments.append(found)


def reaches_far(
    compute: Callable[[Tensor], Tensor], moments: Sequence[Moments], spec: TensorSpec
) -> bool:
    """Whether an output hangs on places far away, statistics aside: attention, deep U-Nets.

    Such nets cannot be cut into windows without borders. Noise goes through them twice, the second
    time with its far end changed; the near end has to stay what it is.
    """
    fixed = spec.shape[: len(spec.shape) - spec.flexible]
    extents = [math.ceil(e / spec.stride) * spec.stride for e in (_BROAD, _FAR)][-spec.flexible :]
    low, high = (-1.0 if spec.low is None else spec.low), (1.0 if spec.high is None else spec.high)
    noise = torch.rand((1, *fixed, *extents), generator=torch.Generator().manual_seed(0))
    before = noise * (high - low) + low  # (1, *S)
    after = before.clone()  # (1, *S)
    quarter = extents[-1] // 4
    after[..., -quarter:] = low + high - after[..., -quarter:]
    near = []
    for signal in (before, after):
        with Shared(moments):
            made = compute(signal)  # (1, *S)
        near.append(made[..., :quarter])
    return float((near[0] - near[1]).abs().max()) > 1e-3 * (high - low)


def _own_part(x: Tensor, window: Window) -> Tensor:
    """(C, *S) the part of features (C, *S) that lies in a window's own part."""
    if window.own is None:
        return x
    for back in range(1, len(window.own) + 1):
        extent, part = x.shape[-back], window.own[-back]
        ratio = extent / window.signal.shape[-back]
        start, stop = round(part.start * ratio), round(part.stop * ratio)
        x = x.narrow(-back, start, stop - start)
    return x
