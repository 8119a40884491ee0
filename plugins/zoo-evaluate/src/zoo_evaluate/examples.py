"""Labelled real signals for judges: which part of which store, and what each signal is.

Shapes: M examples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo_core.contracts.codec import InMemorySignal, SignalStore
from zoo_core.errors import DataError, UsageError

Files = Sequence[Path | InMemorySignal]
"""Where each signal of a store comes from, in the store's order."""


@dataclass(frozen=True)
class LabeledSubset:
    """Examples of one domain.

    Attributes:
        domain: Name of the domain.
        store: Where the signals are; None where there are whole ones alone.
        indices: (M,) positions in the store.
        labels: (M,) class numbers.
        files: Where each signal of the store comes from, for judges that read whole ones.
    """

    domain: str
    store: SignalStore | None
    indices: Tensor
    labels: Tensor
    files: Files | None = None

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

    def wholes(self) -> list[Any]:
        """The M whole signals; see `whole_signals`."""
        return whole_signals(self.files, self.indices.tolist(), asked=f"domain {self.domain}")

    def draw(self, count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """``count`` examples at random with replacement: signals (N, *S) and labels (N,)."""
        at = torch.randint(len(self), (count,), generator=rng)  # (N,)
        return self._signals(self.indices[at]), self.labels[at]

    def batches(
        self, size: int, limit: int | None = None, *, whole: bool = False
    ) -> Iterator[tuple[Any, Tensor]]:
        """All examples in order (at most ``limit``), in batches of signals and labels (N,).

        Signals are (N, *S), or with ``whole`` a list of N whole ones.
        """
        end = len(self) if limit is None else min(limit, len(self))
        for start in range(0, end, size):
            part = self.pick(torch.arange(start, min(start + size, end)))
            yield part.wholes() if whole else part._signals(part.indices), part.labels

    def _signals(self, indices: Tensor) -> Tensor:
        """(N, *S) signals at positions (N,) in the store."""
        if self.store is None:
            raise UsageError(
                "its signals are there as whole ones alone", asked=f"domain {self.domain}"
            )
        return self.store.batch(indices.tolist())


def whole_signals(files: Files | None, indices: Sequence[int], *, asked: str) -> list[Any]:
    """Whole signals as a codec's ``wrap`` takes them: paths, or values in memory.

    Raises:
        UsageError: If it is not known where the signals come from.
    """
    if files is None:
        raise UsageError(
            "its signals are held as tensors alone, and whole ones are needed",
            asked=asked,
            hint="Open them from files, with zoo_train.data.dataset.open_sources.",
        )
    found = [files[index] for index in indices]
    return [file.value if isinstance(file, InMemorySignal) else file for file in found]


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


def domain_parts(
    stores: Mapping[str, SignalStore],
    classes: Sequence[str],
    files: Mapping[str, Files] | None = None,
) -> list[LabeledSubset]:
    """Every signal of every store, labelled by its domain."""
    return [
        LabeledSubset(
            name,
            store,
            torch.arange(len(store)),
            torch.full((len(store),), list(classes).index(name)),
            (files or {}).get(name),
        )
        for name, store in stores.items()
    ]


def content_parts(
    stores: Mapping[str, SignalStore], files: Mapping[str, Files] | None = None
) -> list[LabeledSubset]:
    """Every signal of every store, labelled by what it shows or says.

    Raises:
        DataError: If a store has no class labels.
    """
    parts = []
    for name, store in stores.items():
        labels = class_labels(store)
        if labels is None:
            raise DataError(
                "its signals have no class labels",
                asked=f"content judge of domain {name}",
                hint="Give mnist:ROOT, usps:ROOT, or a folder with one subfolder per class.",
            )
        parts.append(
            LabeledSubset(name, store, torch.arange(len(store)), labels, (files or {}).get(name))
        )
    return parts
