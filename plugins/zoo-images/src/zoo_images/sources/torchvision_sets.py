"""Data sets that torchvision reads from disk, as ``mnist:ROOT`` and ``usps:ROOT``.

A data source is a callable ``(root: Path, split: str) -> iterable of (picture, class number)``;
plugins bring more through components of kind ``source``. Nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zoo_core.errors import DataError


def mnist(root: Path, split: str) -> Iterator[tuple[Any, int]]:
    """MNIST, padded from 28×28 to 32×32 with black, as MNIST-M is made from it.

    Args:
        root: The folder that holds ``MNIST/raw``.
        split: ``train`` (60,000) or ``test`` (10,000).
    """
    from torchvision.datasets import MNIST

    root = root.parent if root.name == "MNIST" else root
    parts = _open(MNIST, root, split, "the folder that holds MNIST/raw")
    images = np.pad(parts.data.numpy(), ((0, 0), (2, 2), (2, 2)))  # (M, 32, 32)
    yield from zip(images, parts.targets.tolist(), strict=True)


def usps(root: Path, split: str) -> Iterator[tuple[Any, int]]:
    """USPS, 16×16.

    Args:
        root: The folder that holds ``usps.bz2`` and ``usps.t.bz2``.
        split: ``train`` (7,291) or ``test`` (2,007).
    """
    from torchvision.datasets import USPS

    parts = _open(USPS, root, split, "the folder that holds usps.bz2 and usps.t.bz2")
    yield from zip(parts.data, parts.targets, strict=True)


def _open(cls: Any, root: Path, split: str, what: str) -> Any:
    if split not in ("train", "test"):
        raise DataError(
            f'it has no split "{split}"', asked=f"{cls.__name__} in {root}", hint="Use train, test."
        )
    try:
        return cls(str(root), train=split == "train", download=False)
    except (RuntimeError, OSError, ValueError, EOFError) as error:
        raise DataError(
            f"torchvision cannot read it ({str(error).splitlines()[0] if str(error) else error})",
            asked=f"{cls.__name__} in {root}",
            hint=f"Give {what}.",
        ) from error
