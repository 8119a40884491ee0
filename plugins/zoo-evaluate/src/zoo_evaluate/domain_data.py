"""The real signals of one side of a direction. Shapes: N batch, M signals, K condition width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from zoo_core.contracts.codec import SignalStore
from zoo_evaluate.examples import Files, class_labels, whole_signals


@dataclass(frozen=True)
class DomainData:
    """The real signals of one domain (or of one value of an attribute).

    Attributes:
        name: Name of the domain; for attributes ``Name`` or ``no-Name``.
        store: Where its signals are.
        indices: (M,) positions of its signals in the store.
        own: (M, K) the signals' own conditions.
        files: Where each signal of the store comes from; None where that is not known.
    """

    name: str
    store: SignalStore
    indices: Tensor
    own: Tensor
    files: Files | None = None

    def __len__(self) -> int:
        return len(self.indices)

    def signals(self, positions: Sequence[int] | Tensor) -> Tensor:
        """(N, *S) the signals at the given positions (of ``indices``)."""
        return self.store.batch(self.indices[torch.as_tensor(positions)].tolist())

    def wholes(self, positions: Sequence[int] | Tensor) -> list[Any]:
        """N whole signals, as a codec's ``wrap`` takes them; `signals` may be excerpts of them.

        Raises:
            UsageError: If it is not known where the signals come from.
        """
        at = self.indices[torch.as_tensor(positions)].tolist()
        return whole_signals(self.files, at, asked=f"domain {self.name}")

    def names(self) -> list[str]:
        """Name of each signal."""
        return [self.store.names[int(index)] for index in self.indices]

    @cached_property
    def labels(self) -> Tensor | None:
        """(M,) class numbers, where the source has them."""
        labels = class_labels(self.store)
        return None if labels is None else labels[self.indices]

    def batches(self, size: int, *, whole: bool = False) -> Iterator[tuple[Tensor, Any]]:
        """All signals in order, in batches: positions (N,) and signals (N, *S).

        With ``whole`` they are lists of N whole signals.
        """
        for positions in torch.split(torch.arange(len(self)), size):
            yield positions, self.wholes(positions) if whole else self.signals(positions)

    def some(self, limit: int | None, seed: int) -> DomainData:
        """At most ``limit`` of the signals, at random; files are often sorted by what they show."""
        if limit is None or limit >= len(self):
            return self
        rng = torch.Generator().manual_seed(seed)
        chosen = torch.randperm(len(self), generator=rng)[:limit].sort().values  # (limit,)
        return replace(self, indices=self.indices[chosen], own=self.own[chosen])
