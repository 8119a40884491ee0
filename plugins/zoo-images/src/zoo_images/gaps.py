"""Where a picture has no data: NaN, infinite values, and the value that a file declares for it.

Nets see black there, which is the smallest value of the domain; a value range never counts them;
an output has there exactly what the input had.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Gaps:
    """The pixels of a picture that have no data.

    Attributes:
        mask: (H, W) whether a pixel has none.
        values: (N,) or (N, C) what the file has in these N pixels, in their order.
    """

    mask: npt.NDArray[np.bool_]
    values: Array

    @property
    def note(self) -> str:
        """In words, how many pixels and what they hold."""
        count = int(self.mask.sum())
        held = np.unique(self.values[~_are_nan(self.values)])
        names = ["NaN"] if _are_nan(self.values).any() else []
        names += [f"{float(value):,.6g}" for value in held[:2]]
        return (
            f"{count:,} pixels ({100 * count / self.mask.size:.1f} %) without data "
            f"({', '.join(names)}), which stay as they are"
        )

    def blackened(self, unit: Tensor) -> Tensor:
        """(C, H, W) with 0, which is black, wherever there is no data."""
        return unit.masked_fill(torch.from_numpy(self.mask), 0.0)

    def cropped(self, crop: Callable[[Array], Array]) -> Gaps | None:
        """The gaps of the part of the picture that ``crop`` cuts out of (H, W, 1)."""
        held = np.zeros((*self.mask.shape, *self.values.shape[1:]), self.values.dtype)
        held[self.mask] = self.values
        held = held[..., None] if held.ndim == 2 else held
        mask, held = crop(self.mask[..., None])[..., 0], crop(held)
        held = held[..., 0] if self.values.ndim == 1 else held
        return Gaps(mask, held[mask]) if mask.any() else None

    def restored(self, pixels: Array) -> Array | None:
        """An output (H, W) or (H, W, C) with what the input had; None if its type cannot hold it.

        An output of another size has it in the nearest pixels.
        """
        mask, values = self.mask, self._for(pixels)
        if not _holds(pixels.dtype, values):
            return None
        whole = np.zeros((*mask.shape, *values.shape[1:]), pixels.dtype)
        whole[mask] = values
        if mask.shape != pixels.shape[:2]:
            rows, columns = (
                np.arange(new) * old // new
                for new, old in zip(pixels.shape[:2], mask.shape, strict=True)
            )
            mask, whole = mask[rows][:, columns], whole[rows][:, columns]
        result = pixels.copy()
        result[mask] = whole[mask]
        return result

    def _for(self, pixels: Array) -> Array:
        """The values in the number of channels that an output has."""
        channels = 1 if pixels.ndim == 2 else pixels.shape[-1]
        values = self.values if self.values.ndim == 2 else self.values[:, None]  # (N, C)
        if channels != values.shape[1]:
            values = np.repeat(values[:, :1], channels, axis=1)
        return values[:, 0] if pixels.ndim == 2 else values


def gaps_of(values: Array, declared: float | None = None) -> Gaps | None:
    """The pixels without data of (H, W) or (H, W, C); None where every pixel has data.

    A pixel has none if any of its values is not finite, or if all are the declared one.
    """
    mask = np.zeros(values.shape[:2], np.bool_)
    flat = values if values.ndim == 3 else values[..., None]
    if values.dtype.kind == "f":
        mask |= ~np.isfinite(flat).all(-1)
    if declared is not None and not math.isnan(declared):
        with np.errstate(over="ignore"):
            value = np.asarray(declared).astype(values.dtype) if _fits(declared, values) else None
        if value is not None:
            mask |= (flat == value).all(-1)
    return Gaps(mask, values[mask]) if mask.any() else None


def valid(values: Array, gaps: Gaps | None) -> Array:
    """The values of the pixels that have data; of a picture without gaps, all as they are."""
    return values if gaps is None else values[~gaps.mask]


def declared_by(text: Any) -> float | None:
    """The number that GDAL's no-data tag holds; None where it holds none."""
    try:
        return float(str(text).strip(" \0"))
    except ValueError:
        return None


def _holds(kind: np.dtype[Any], values: Array) -> bool:
    """Whether a type can hold values exactly."""
    if kind.kind != "f" and not np.isfinite(values).all():
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return np.array_equal(values.astype(kind), values, equal_nan=kind.kind == "f")


def _fits(value: float, values: Array) -> bool:
    if values.dtype.kind == "f":
        return True
    limits = np.iinfo(values.dtype)
    return value.is_integer() and limits.min <= value <= limits.max


def _is_float(values: Array) -> bool:
    return values.dtype.kind == "f"


def _are_nan(values: Array) -> npt.NDArray[np.bool_]:
    return np.isnan(values) if _is_float(values) else np.zeros(values.shape, np.bool_)
