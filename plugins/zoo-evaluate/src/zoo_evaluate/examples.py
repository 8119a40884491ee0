"""Labelled real pictures for judges: which part of which store, and what each picture is.

Shapes: M examples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from zoo_core.contracts.codec import SignalStore
from zoo_core.errors import DataError


@dataclass(frozen=True)
class LabeledSubset:
    """Examples of one domain.

    Attributes:
        domain: Name of the domain.
        store: Where the pictures are.
        indices: (M,) positions in the store.
        labels: (M,) class numbers.
    """

    domain: str
    store: SignalStore
    indices: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.indices)

    def pick(self, positions: Tensor) -> LabeledSubset:
        """The examples at the given positions (of ``indices``)."""
        return replace(self, indices=self.indices[positions], labels=self.labels[positions])

    def split(self, part: float, rng: torch.Generator) -> tuple[LabeledSubset, LabeledSubset]:
        """Two disjoint parts at random; the second holds ``part`` of the examples, at least 1."""
        order = torch.randperm(len(self), generator=rng)
        cut = len(self) - max(1, round(part * len(self)))
        return self.pick(order[:cut]), self.pick(order[cut:])

    def draw(self, count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """``count`` examples at random with replacement: pictures (N, *S) and labels (N,)."""
        at = torch.randint(len(self), (count,), generator=rng)  # (N,)
        return self.store.batch(self.indices[at].tolist()), self.labels[at]

    def batches(self, size: int, limit: int | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """All examples in order (at most ``limit``), in batches of pictures and labels."""
        end = len(self) if limit is None else min(limit, len(self))
        for start in range(0, end, size):
            stop = min(start + size, end)
            yield self.store.batch(self.indices[start:stop].tolist()), self.labels[start:stop]


def class_labels(store: SignalStore) -> Tensor | None:
    """(M,) class numbers of a store, or None where its labels name no single class each.

    A store's labels are (M, K): one-hot, or one column that holds the class number.
    """
    labels = store.labels
    if labels is None or labels.numel() == 0:
        return None
    if labels.ndim == 1 or labels.shape[1] == 1:
        return labels.reshape(len(store)).long()
    one_hot = bool(((labels == 0) | (labels == 1)).all()) and bool((labels.sum(1) == 1).all())
    return labels.argmax(1) if one_hot else None


def domain_parts(stores: Mapping[str, SignalStore], classes: Sequence[str]) -> list[LabeledSubset]:
    """Every picture of every store, labelled by its domain."""
    return [
        LabeledSubset(
            name,
            store,
            torch.arange(len(store)),
            torch.full((len(store),), list(classes).index(name)),
        )
        for name, store in stores.items()
    ]


def content_parts(stores: Mapping[str, SignalStore]) -> list[LabeledSubset]:
    """Every picture of every store, labelled by what it shows.

    Raises:
        DataError: If a store has no class labels.
    """
    parts = []
    for name, store in stores.items():
        labels = class_labels(store)
        if labels is None:
            raise DataError(
                "its pictures have no class labels",
                asked=f"content judge of domain {name}",
                hint="Give mnist:ROOT, usps:ROOT, or a folder with one subfolder per class.",
            )
        parts.append(LabeledSubset(name, store, torch.arange(len(store)), labels))
    return parts
