"""Windows of one signal, normalised by the statistics of the whole.

Nets with instance or group normalisation see how bright and how varied the whole signal is. Windows
that go through them one by one would each see its own, and come out as differently coloured
rectangles.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial, reduce
from itertools import chain
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zoo_core.contracts.codec import FAR, Whole, Window
from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.windows import Pairs, WindowStatistics, in_turn
from zoo_nn.moments import Call, Moments, Recorder, Shared, own_moments

if TYPE_CHECKING:
    from zoo_nn.staged import StagedNets

_FAR, _BROAD = 1024, 64
Compute = Callable[[Tensor], Tensor]
Batches = Callable[[Iterator[Window]], Iterable[list[Window]]]


class _Sharing(WindowStatistics):
    """Windows share statistics, unless the nets look further than a window."""

    def __init__(self, spec: TensorSpec) -> None:
        super().__init__(spec)
        self._tried: dict[str, tuple[list[Moments], bool]] = {}  # by output

    def translated(
        self,
        windows: Iterator[Window],
        whole: Whole,
        name: str,
        compute: Compute,
        batches: Batches,
    ) -> tuple[Pairs, str]:
        """Windows with what the nets make of them, and how statistics were taken."""
        if name not in self._tried:
            self._tried[name] = tried(compute, self.spec)
        moments, is_far = self._tried[name]
        cut = f"{whole.count} windows"
        if is_far or not moments:
            return in_turn(batches(windows), compute), f"{cut}, {FAR}" if is_far else cut
        pairs, whose = self.shared(windows, whole, name, compute, batches)
        return pairs, f"{cut}, normalised by the statistics of {whose}"

    @abstractmethod
    def shared(
        self,
        windows: Iterator[Window],
        whole: Whole,
        name: str,
        compute: Compute,
        batches: Batches,
    ) -> tuple[Pairs, str]:
        """Windows with what the nets make of them, and what the statistics are of."""


class Fast(_Sharing):
    """Windows share the statistics of a reduced copy of their signal."""

    def shared(
        self,
        windows: Iterator[Window],
        whole: Whole,
        name: str,
        compute: Compute,
        batches: Batches,
    ) -> tuple[Pairs, str]:
        """By one pass over the windows, when the copy has been through the nets."""
        sharing = partial(Shared, of_copy(whole, compute))
        return in_turn(batches(windows), compute, sharing), whole.copy


class Exact(_Sharing):
    """Windows share the statistics of the whole.

    They wait at each normalisation for all others (`zoo_nn.staged`). Where that is not to be had
    there is a pass over all of them per normalisation, as far as that; so it is on accelerators,
    too, which compute faster than states can be written and read.
    """

    def __init__(self, spec: TensorSpec) -> None:
        super().__init__(spec)
        self._staged: dict[tuple[str, torch.Size], StagedNets] = {}

    def shared(
        self,
        windows: Iterator[Window],
        whole: Whole,
        name: str,
        compute: Compute,
        batches: Batches,
    ) -> tuple[Pairs, str]:
        """By one pass over the windows, with their states in a file, or by many."""
        from zoo_nn.staged import in_stages  # torch takes seconds to load what takes nets apart

        moments, _ = self._tried[name]
        first = next(windows)
        windows = chain([first], windows)
        why = ""
        try:
            nets = self._nets(name, compute, first.signal[None])
        except Exception as fault:  # of many kinds: the nets are anyone's
            why = f", since the nets cannot be taken apart there ({type(fault).__name__})"
        else:
            size = whole.count * nets.state
            room = shutil.disk_usage(tempfile.gettempdir()).free // 2
            if nets.device.type == "cpu" and size <= room:
                pairs = in_stages(windows, whole, partial(self._nets, name, compute), len(moments))
                return pairs, f"the whole, with {size / 1e6:,.0f} MB in a temporary file"
            if size > room:
                why = (
                    f", since {size / 1e6:,.0f} MB in a temporary file would be more than half of "
                    f"what is free in {tempfile.gettempdir()}"
                )
        return by_passes(windows, whole, compute, batches), (
            f"the whole, by a pass over all for each of {len(moments)} normalisations{why}"
        )

    def _nets(self, name: str, compute: Compute, signal: Tensor) -> StagedNets:
        """The nets for windows of the shape of one (1, *S)."""
        from zoo_nn.staged import StagedNets

        key = name, signal.shape
        if key not in self._staged:
            self._staged[key] = StagedNets(compute, signal, self._tried[name][0])
        return self._staged[key]


class _Reached(Exception):  # noqa: N818  (no fault: it ends a pass early)
    """The first normalisation without known statistics."""


class _Frontier(Shared):
    """Notes, of the windows' own parts, the statistics that come next, and stops the pass there."""

    def __init__(self, moments: Sequence[Moments], windows: Sequence[Window]) -> None:
        super().__init__(moments)
        self.windows = windows
        self.next: list[Moments] = []

    def meet(self, number: int, call: Call) -> Tensor:
        if number < len(self.moments):
            return call.by(self.moments[number])
        for window, x in zip(self.windows, call.x, strict=True):
            self.next.append(own_moments(x, window, call.groups))
        raise _Reached


def of_copy(whole: Whole, compute: Callable[[Tensor], object]) -> list[Moments]:
    """The statistics of a signal, from a reduced copy that goes through the nets at once.

    A copy has sharper edges and less texture, in proportion to its reduction: a second copy at half
    the size tells how much, and the statistics are extrapolated to no reduction (Richardson).
    """
    near, far = Recorder(), Recorder()
    with near:
        compute(whole.reduced(whole.factor)[None])
    if whole.factor == 1:
        return near.moments
    with far:
        compute(whole.reduced(2 * whole.factor)[None])
    share = 1 - 1 / whole.factor
    return [a.beyond(b, share) for a, b in zip(near.moments, far.moments, strict=True)]


def by_passes(windows: Iterator[Window], whole: Whole, compute: Compute, batches: Batches) -> Pairs:
    """Windows with what the nets make of them, by one pass over all per normalisation."""
    moments: list[Moments] = []
    while True:
        found: list[Moments] = []
        for batch in batches(whole.windows()):
            frontier = _Frontier(moments, batch)
            with suppress(_Reached), frontier:
                compute(torch.stack([window.signal for window in batch]))
                break  # there is no further one
            found += frontier.next
        if not found:
            break
        moments.append(reduce(Moments.merged, found))
    yield from in_turn(batches(windows), compute, partial(Shared, moments))


def tried(compute: Compute, spec: TensorSpec) -> tuple[list[Moments], bool]:
    """How the nets normalise noise, and whether they look further than a window.

    That is whether an output hangs on places far away, statistics aside: attention, deep U-Nets.
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
    with Recorder() as own:
        near = compute(before)[..., :quarter]
    with Shared(own.moments):
        moved = compute(after)[..., :quarter] - near
    return own.moments, float(moved.abs().max()) > 1e-3 * (high - low)
