"""Draws the next step's batches while the device still computes this step's."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from zoo_core.contracts.signals import Batch


class Sampler(Protocol):
    """Draws batches: a pure function of the step and the draw."""

    @property
    def steps_per_epoch(self) -> int:
        """Steps in one pass over the largest domain."""
        ...

    def batch(self, step: int, draw: int = 0) -> Batch:
        """The batch of all processes together for a step; ``draw`` counts fresh ones within it."""
        ...


class PrefetchSampler:
    """A sampler that has the next batch ready, drawn in a thread of its own.

    It is of use where another device than the CPU computes. Since batches are functions of the
    step, it changes nothing but the time.

    Args:
        sampler: What draws.
    """

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="zoo-batches")
        self._ready: dict[tuple[int, int], Future[Batch]] = {}

    @property
    def steps_per_epoch(self) -> int:
        """Steps in one pass over the largest domain."""
        return self._sampler.steps_per_epoch

    def batch(self, step: int, draw: int = 0) -> Batch:
        """The batch of a step; that of the next step is begun."""
        waiting = self._ready.pop((step, draw), None)
        self._ready = {key: future for key, future in self._ready.items() if key[0] >= step}
        batch = self._sampler.batch(step, draw) if waiting is None else waiting.result()
        following = (step + 1, draw)
        self._ready[following] = self._thread.submit(self._sampler.batch, *following)
        return batch
