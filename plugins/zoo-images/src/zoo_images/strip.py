"""Pictures of different sizes, one after another in one array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Strip:
    """Decoded pictures that share no size.

    Attributes:
        values: (P, 3) their pixels, row by row.
        shapes: (M, 2) height and width of each; 0 of those that could not be decoded.
    """

    values: Pixels
    shapes: npt.NDArray[np.int64]

    def crops(self, rows: Sequence[int], size: tuple[int, int], rng: torch.Generator) -> Pixels:
        """(N, H, W, 3) a part of each picture, all places alike; pictures are no smaller."""
        return np.stack([self._crop(self._picture(row), size, rng) for row in rows])

    def _picture(self, row: int) -> Pixels:
        """(h, w, 3) one picture, which is not read yet."""
        height, width = self.shapes[row]
        end = int(self._ends[row])
        return self.values[end - height * width : end].reshape(height, width, 3)

    @cached_property
    def _ends(self) -> npt.NDArray[np.int64]:
        return self.shapes.prod(axis=1).cumsum()

    def _crop(self, picture: Pixels, size: tuple[int, int], rng: torch.Generator) -> Pixels:
        top, left = (
            int(torch.randint(0, whole - part + 1, (), generator=rng))
            for whole, part in zip(picture.shape[:2], size, strict=True)
        )
        return picture[top : top + size[0], left : left + size[1]]


class StripWriter:
    """Gathers pictures, in memory or in a file that grows.

    Args:
        least: Smallest height and width that a picture may have.
        depth: Type of the values.
        folder: Where `read` shall find them; None for memory.
    """

    def __init__(self, least: tuple[int, int], depth: Any, folder: Path | None = None) -> None:
        self.least = least
        self._depth, self._folder = depth, folder
        self._shapes: list[tuple[int, int]] = []
        self._parts: list[Pixels] = []

    def add(self, picture: Pixels | None) -> None:
        """The next picture (h, w, 3); None for one that could not be decoded."""
        self._shapes.append((0, 0) if picture is None else (picture.shape[0], picture.shape[1]))
        if picture is None:
            return
        if self._folder is None:
            self._parts.append(picture.reshape(-1, 3))
            return
        with (self._folder / "strip.bin").open("ab") as file:
            file.write(np.ascontiguousarray(picture).tobytes())

    def finish(self) -> Strip:
        """What was gathered; of a folder only the shapes, which it now has, too."""
        shapes = np.array(self._shapes, np.int64).reshape(-1, 2)
        if self._folder is not None:
            np.save(self._folder / "shapes.npy", shapes)
        empty = np.empty((0, 3), self._depth)
        return Strip(np.concatenate([empty, *self._parts]), shapes)


def read_strip(folder: Path, count: int, depth: Any) -> Strip:
    """What a `StripWriter` left in a folder.

    Raises:
        OSError, ValueError: If it is absent or damaged, or of other pictures.
    """
    shapes = np.load(folder / "shapes.npy")
    values = np.memmap(folder / "strip.bin", depth, mode="r").reshape(-1, 3)
    if shapes.shape != (count, 2) or shapes.prod(axis=1).sum() != len(values):
        raise ValueError("the shapes are not those of the pixels")
    return Strip(values, shapes)
