"""Many inputs through the nets in bounded memory: decoding, computing and encoding overlap."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import chain, groupby, islice
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from zoo_core.contracts.codec import Codec, Item, StreamedOutput, Window
from zoo_core.errors import PluginError, UsageError, WeightsError, ZooError, explained
from zoo_core.host.plugins import host

if TYPE_CHECKING:
    from zoo_core.contracts.windows import Pairs, WindowStatistics

EXTENT = 1024 * 1024
"""Bound on pixels (or frames) that go through the nets at once, whatever the batch size."""
SHARED, OWN = "fast", "own"
"""How windows are normalised by default, where zoo-nn is installed, and otherwise."""
_READERS, _WRITERS, _AHEAD, _BACKLOG = 2, 2, 8, 8

Compute = Callable[[Tensor, Sequence[str]], Mapping[str, Tensor]]
"""Makes the named outputs (N, *S) of a batch of windows (N, *S)."""


@dataclass(frozen=True)
class Job:
    """One input: its name, and how to get it (called in a reader thread)."""

    name: str
    open: Callable[[], Item]


def jobs_of(codec: Codec, x: Any) -> Iterator[Job]:
    """Jobs of a signal, a batch, or a list of either; files are opened when their turn comes.

    Raises:
        UsageError: If a value is of no accepted type.
    """
    if isinstance(x, Job):
        yield x
    elif isinstance(x, list | tuple) and x:
        for part in x:
            yield from jobs_of(codec, part)
    elif isinstance(x, str | os.PathLike):
        yield Job(str(Path(x)), partial(codec.read, Path(x)))
    else:
        for item in codec.wrap(x):
            yield Job(item.name, partial(_itself, item))


@dataclass
class Result:
    """What became of one input.

    Attributes:
        index: Number of the input, counted from 0.
        name: Its name.
        outputs: Output by target, in the form in which the input came; empty where it failed.
        error: Why it failed; None where it did not.
        value: What ``finish`` returned.
        notes: What of the input was not used or is doubtful, in plain words.
    """

    index: int
    name: str
    outputs: dict[str, Any] = field(default_factory=dict)
    error: ZooError | None = None
    value: Any = None
    notes: tuple[str, ...] = ()

    @property
    def output(self) -> Any:
        """The first (or only) output; raises the error where there is none."""
        if self.error is not None:
            raise self.error
        return next(iter(self.outputs.values()))


def checked(item: Item, window: Window, output: Tensor) -> Tensor:
    """What the nets made of a window of an item, (C, *S) as the window.

    Raises:
        PluginError: If it has another shape.
        WeightsError: If any value is not finite.
    """
    made, wanted = tuple(output.shape), tuple(window.signal.shape)
    if made != wanted:
        raise PluginError(f"the net made shape {made} of {wanted}", asked=item.name)
    if not torch.isfinite(output).all():
        raise WeightsError(
            "the nets gave values that are not finite numbers",
            asked=item.name,
            hint="Try float32 precision; if that fails too, the weights are damaged.",
        )
    return output


def _itself(item: Item) -> Item:
    return item


@dataclass
class _Slot:
    """An input on its way; results leave in the order of the inputs."""

    result: Result
    finishing: Future[None] | None = None


_Read = tuple[Item, list[Window], Iterator[Window]]
"""An input that was decoded, its first window, or two where there are more, and all others."""
_Reading = tuple[_Slot, Future[_Read]]


@dataclass(frozen=True)
class StreamPlan:
    """What happens to each input.

    Attributes:
        codec: Reads, windows and joins.
        compute: The nets.
        names: Names of the outputs, with the domain that each is of, where it is of one.
        size: Working size asked for; None for the input's own.
        batch: Most windows at once.
        limit: Bound of one window's extent; None for the codec's own.
        finish: Called with each result that has outputs, in a writer thread (to write files);
            what it returns is kept as the result's value, and the outputs are dropped.
        source: The domain of the inputs, where it is known.
        windows: What those of one signal are normalised by: a component of kind ``windows``.
        plain: The nets in torch, where ``compute`` is something else, for such windows.
    """

    codec: Codec
    compute: Compute
    names: Mapping[str, str | None]
    size: int | None = None
    batch: int = 8
    limit: int | None = None
    finish: Callable[[Result], Any] | None = None
    source: str | None = None
    windows: str = "fast"
    plain: Compute | None = None

    def __post_init__(self) -> None:
        if self.windows != SHARED:
            host().find("windows", self.windows)
        for what in ("size", "batch", "limit"):
            value = getattr(self, what)
            if value is not None and value < 1:
                raise UsageError("it must be at least 1", asked=f"{what} {value}")


def stream(plan: StreamPlan, jobs: Iterable[Job]) -> Iterator[Result]:
    """Takes inputs through the nets; yields one result per input, in order.

    At any time a bounded number of inputs is in memory. An input that fails gives a result with
    its error and stops nothing.
    """
    return _Stream(plan).run(jobs)


class _Stream:
    def __init__(self, plan: StreamPlan) -> None:
        self.plan = plan
        self.readers = ThreadPoolExecutor(_READERS, thread_name_prefix="zoo-read")
        self.writers = ThreadPoolExecutor(_WRITERS, thread_name_prefix="zoo-write")
        self.slots: deque[_Slot] = deque()  # read, not yet yielded
        self.waiting: list[tuple[_Slot, Item, Window]] = []  # read, not yet computed

    @cached_property
    def statistics(self) -> WindowStatistics:
        """What the windows of a signal share; most signals are one window and need none of it."""
        name = self.plan.windows
        if name == SHARED and name not in host().components("windows"):
            name = OWN  # and the note of every such signal says so
        cls: type[WindowStatistics] = host().load("windows", name)
        return cls(self.plan.codec.spec)

    def run(self, jobs: Iterable[Job]) -> Iterator[Result]:
        """Yields the results."""
        numbered = enumerate(jobs)
        reading = deque(self._submit(*pair) for pair in islice(numbered, _AHEAD))
        try:
            while reading:
                self._take(*reading.popleft())
                reading.extend(self._submit(*pair) for pair in islice(numbered, 1))
                yield from self._leaving(_BACKLOG)
            self._flush()
            yield from self._leaving(0)
        finally:
            self.readers.shutdown(cancel_futures=True)
            self.writers.shutdown(cancel_futures=True)

    def _submit(self, index: int, job: Job) -> _Reading:
        return _Slot(Result(index, job.name)), self.readers.submit(self._read, job)

    def _read(self, job: Job) -> _Read:
        """The item, and as many windows as tell whether it has just one (in a reader thread)."""
        item = job.open()
        windows = self._windows(item)
        return item, list(islice(windows, 2)), windows

    def _windows(self, item: Item) -> Iterator[Window]:
        plan = self.plan
        return plan.codec.windows(item, size=plan.size, limit=plan.limit, source=plan.source)

    def _take(self, slot: _Slot, reading: Future[_Read]) -> None:
        self.slots.append(slot)
        try:
            item, first, rest = reading.result()
        except (ZooError, OSError, MemoryError) as fault:
            slot.result.error = explained(fault, slot.result.name)
            return
        slot.result.notes = _notes(item)
        if len(first) != 1:
            self._flush()
            self._large(slot, item, chain(first, rest))
            return
        (window,) = first
        if self.waiting and self.waiting[0][2].signal.shape != window.signal.shape:
            self._flush()
        self.waiting.append((slot, item, window))
        if len(self.waiting) >= self._together(window):
            self._flush()

    def _together(self, window: Window) -> int:
        extent = math.prod(window.signal.shape[1:])
        return max(1, min(self.plan.batch, EXTENT // extent))

    def _flush(self) -> None:
        """Computes the windows that wait, all of one shape."""
        waiting, self.waiting = self.waiting, []
        if not waiting:
            return
        x = torch.stack([window.signal for _, _, window in waiting])  # (N, *S)
        outputs = self.plan.compute(x, list(self.plan.names))
        for row, (slot, item, window) in enumerate(waiting):
            parts = {name: output[row] for name, output in outputs.items()}  # (*S,) each
            slot.finishing = self.writers.submit(self._join, slot.result, item, window, parts)

    def _join(self, result: Result, item: Item, window: Window, parts: dict[str, Tensor]) -> None:
        """Makes the outputs of an item of one window (in a writer thread)."""
        try:
            for name, part in parts.items():
                result.outputs[name] = self.plan.codec.join(
                    item, [(window, checked(item, window, part))], target=self.plan.names[name]
                )
        except (ZooError, OSError, MemoryError) as fault:
            result.error = explained(fault, result.name)
        result.notes = _notes(item)  # joining may have found more
        self._finish(result)

    def _large(self, slot: _Slot, item: Item, windows: Iterator[Window]) -> None:
        """An item of many windows: computed by itself, one output after the other."""
        try:
            for name, domain in self.plan.names.items():
                pairs = self._translated(item, windows, name)
                slot.result.outputs[name] = self.plan.codec.join(item, pairs, target=domain)
                windows = self._windows(item)
        except (ZooError, OSError, MemoryError) as fault:
            slot.result.error = explained(fault, slot.result.name)
        slot.result.notes = _notes(item)
        if any(isinstance(made, StreamedOutput) for made in slot.result.outputs.values()):
            # Writing it computes it: here, where nets run, and before the next input.
            slot.finishing = Future()
            self._finish(slot.result)
            slot.result.notes = _notes(item)
            slot.finishing.set_result(None)
        else:
            slot.finishing = self.writers.submit(self._finish, slot.result)

    def _translated(
        self, item: Item, windows: Iterator[Window], name: str
    ) -> Iterator[tuple[Window, Tensor]]:
        for whole, group in groupby(windows, key=attrgetter("whole")):
            nets = self.plan.compute if whole is None else self.plan.plain or self.plan.compute

            def compute(x: Tensor, nets: Compute = nets) -> Tensor:
                return nets(x, [name])[name]  # (N, *S)

            if whole is None:
                pairs = self._whole(group, compute)
            else:
                pairs, note = self.statistics.translated(group, whole, name, compute, self._batches)
                item.info["notes"] = tuple(dict.fromkeys((*_notes(item), note)))
            for window, output in pairs:
                yield window, checked(item, window, output)

    def _whole(self, windows: Iterator[Window], nets: Callable[[Tensor], Tensor]) -> Pairs:
        for batch in self._batches(windows):
            yield from zip(batch, nets(torch.stack([w.signal for w in batch])), strict=True)

    def _batches(self, windows: Iterator[Window]) -> Iterator[list[Window]]:
        """Windows, as many together as are of one shape and fit."""
        batch: list[Window] = []
        for window in windows:
            if batch and (
                window.signal.shape != batch[0].signal.shape
                or len(batch) >= self._together(batch[0])
            ):
                yield batch
                batch = []
            batch.append(window)
        if batch:
            yield batch

    def _finish(self, result: Result) -> None:
        """Hands the result over, and lets go of what is no longer needed (in a writer thread)."""
        if result.error is not None:
            result.outputs = {}
        elif self.plan.finish is not None:
            try:
                result.value = self.plan.finish(result)
            except (ZooError, OSError, MemoryError) as fault:
                result.error = explained(fault, result.name)
            result.outputs = {}

    def _leaving(self, backlog: int) -> Iterator[Result]:
        """Results that are ready; waits for the first where too many are under way."""
        while self.slots:
            slot = self.slots[0]
            if slot.finishing is not None:
                under_way = sum(other.finishing is not None for other in self.slots)
                if not slot.finishing.done() and under_way <= backlog:
                    return
                slot.finishing.result()
            elif slot.result.error is None:
                return  # it waits for its batch
            self.slots.popleft()
            yield slot.result


def _notes(item: Item) -> tuple[str, ...]:
    return tuple(item.info.get("notes", ()))
