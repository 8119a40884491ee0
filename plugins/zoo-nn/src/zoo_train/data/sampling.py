"""Unpaired batches as a function of seed and step alone, so that resuming needs no state."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import lru_cache
from typing import Literal, Protocol

import torch
from torch import Tensor

from zoo_core.contracts.codec import SignalStore
from zoo_core.contracts.signals import MIXED, Batch, Condition, Domains, class_key
from zoo_core.errors import UsageError

Sampling = Literal["per-domain", "mixed"]


class BatchSource(Protocol):
    """Draws batches: a pure function of the step and the draw."""

    @property
    def steps_per_epoch(self) -> int:
        """Steps in one pass over the largest domain."""
        ...

    def batch(self, step: int, draw: int = 0) -> Batch:
        """The batch of all processes together for a step; ``draw`` counts fresh ones within it."""
        ...


class BatchSampler:
    """Draws batches from the stores of a data set.

    Per domain: an epoch is one pass over the largest domain, in a new order each time; the other
    domains are drawn at random; class numbers come along where a source has them. Mixed: an epoch
    is one pass over all signals. The last batch of an epoch is filled up from a further order of
    the same signals.

    Args:
        stores: By domain, or one under `MIXED` with labels (M, K).
        domains: The domains or attributes.
        batch: Signals per domain and step (mixed: per step), over all processes.
        sampling: ``per-domain`` or ``mixed``.
        seed: Seed of the run.

    Attributes:
        steps_per_epoch: Steps in one epoch.

    Raises:
        UsageError: If the batch is empty, or attributes are to be drawn per domain.
    """

    def __init__(
        self,
        stores: Mapping[str, SignalStore],
        domains: Domains,
        batch: int,
        sampling: Sampling,
        seed: int,
    ) -> None:
        if batch < 1:
            raise UsageError("a batch holds at least one signal", asked=f"batch {batch}")
        if sampling == "per-domain" and domains.kind == "attributes":
            raise UsageError(
                "this method translates between domains, not attributes",
                asked=f"attributes {', '.join(domains.names)}",
                hint="Make domains of them: --domain NAME=ROOT:ATTRIBUTE, one for each.",
            )
        self._stores, self._domains = dict(stores), domains
        self._size, self._sampling, self._seed = batch, sampling, seed
        lengths = [len(store) for store in self._stores.values()]
        self._pass = sum(lengths) if sampling == "mixed" else max(lengths)
        self.steps_per_epoch = math.ceil(self._pass / batch)

    def batch(self, step: int, draw: int = 0) -> Batch:
        """The global batch of a step, augmented.

        Args:
            step: Number of the step, from 0.
            draw: Further batches of the same step, for players that ask for fresh ones.
        """
        if self._sampling == "mixed":
            return self._mixed(step, draw)
        signals, conditions, extras = {}, {}, {}
        for name in self._domains.names:
            store = self._stores[name]
            if len(store) == self._pass:
                indices = self._covering(name, step, draw)
            else:
                rng = generator(self._seed, "indices", name, step, draw)
                indices = torch.randint(len(store), (self._size,), generator=rng).tolist()
            signals[name] = store.batch(indices, self._augmentation(name, step, draw))
            conditions[name] = Condition.of(self._domains, name, self._size)
            if store.labels is not None and store.labels.ndim == 1:
                extras[class_key(name)] = store.labels[torch.tensor(indices)].long()  # (N,)
        return Batch(signals, conditions, extras)

    def _mixed(self, step: int, draw: int) -> Batch:
        indices = torch.tensor(self._covering(MIXED, step, draw))  # (N,) in the joined stores
        whole: Tensor | None = None
        labels = torch.zeros(len(indices), len(self._domains))  # (N, K)
        start = 0
        for name, store in self._stores.items():
            here = ((indices >= start) & (indices < start + len(store))).nonzero()[:, 0]  # (n,)
            own = indices[here] - start  # (n,)
            start += len(store)
            if not len(own):
                continue
            signals = store.batch(own.tolist(), self._augmentation(name, step, draw))  # (n, *S)
            if whole is None:
                whole = signals.new_empty((len(indices), *signals.shape[1:]))  # (N, *S)
            whole[here] = signals
            labels[here] = self._labels(name, store, own)
        if whole is None:
            raise UsageError("there is no signal to draw", asked="mixed batch")
        return Batch({MIXED: whole}, {MIXED: Condition(labels)})

    def _labels(self, name: str, store: SignalStore, own: Tensor) -> Tensor:
        """(n, K) the condition of a store's signals: its labels, or its domain."""
        if name != MIXED:
            return torch.tensor(self._domains.vector(name)).expand(len(own), -1)  # (n, K)
        if store.labels is None:
            raise UsageError("it has no labels", asked="mixed batch")
        return store.labels[own].float()  # (n, K)

    def _covering(self, key: str, step: int, draw: int) -> list[int]:
        """The indices of a step such that an epoch covers the largest domain."""
        epoch, at = divmod(step, self.steps_per_epoch)
        count = self._pass
        places = range(at * self._size, (at + 1) * self._size)
        orders = {
            turn: _order((self._seed, "order", key, epoch, draw, turn), count)
            for turn in {place // count for place in places}
        }
        return [orders[place // count][place % count] for place in places]

    def _augmentation(self, name: str, step: int, draw: int) -> torch.Generator:
        return generator(self._seed, "augmentation", name, step, draw)


class PrefetchSampler:
    """A sampler that has the next batch ready, drawn in a thread of its own.

    It is of use where another device than the CPU computes. Since batches are functions of the
    step, it changes nothing but the time.

    Args:
        sampler: What draws.
        pin: Whether signals are left in pinned memory, from which a GPU copies asynchronously.
    """

    def __init__(self, sampler: BatchSource, *, pin: bool = False) -> None:
        self._sampler, self._pin = sampler, pin
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
        batch = self._draw(step, draw) if waiting is None else waiting.result()
        following = (step + 1, draw)
        self._ready[following] = self._thread.submit(self._draw, *following)
        return batch

    def wait(self) -> None:
        """Waits until no batch is being drawn."""
        wait(self._ready.values())

    def _draw(self, step: int, draw: int) -> Batch:
        batch = self._sampler.batch(step, draw)
        return batch.pinned() if self._pin else batch


def generator(*parts: object) -> torch.Generator:
    """A CPU generator seeded by anything that prints the same in every process."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


@lru_cache(maxsize=32)
def _order(parts: tuple[object, ...], count: int) -> Sequence[int]:
    order: list[int] = torch.randperm(count, generator=generator(*parts)).tolist()
    return order
