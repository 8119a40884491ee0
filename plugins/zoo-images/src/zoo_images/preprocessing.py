"""What a model records of the pictures that it was trained on, such as which values are black."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

if TYPE_CHECKING:
    from zoo_images.gaps import Gaps

Array = npt.NDArray[Any]
RANGES = "value_ranges"
"""Key of the ranges by domain in a model's preprocessing."""
ASKED = "asked_range"
"""Key of the range that the user asked for, for inputs and outputs alike."""
DTYPES = (
    "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
    "float16", "float32", "float64",
)  # fmt: skip
"""Types of values that a model may record."""
LARGEST_CROP = 2**16
"""Largest side of a centre crop."""


@dataclass(frozen=True)
class ValueRange:
    """Which values are black and white.

    Attributes:
        low: Black.
        high: White.
        dtype: NumPy's name of the type that outputs are written in, such as ``uint16``.
        channels: 1 for grey, 3 for colour.
    """

    low: float
    high: float
    dtype: str
    channels: int = 1

    def to_unit(self, values: Array, gaps: Gaps | None = None) -> Tensor:
        """(H, W) or (H, W, 3) to float32 (C, H, W), black 0 and white 1, clipped.

        Where there is no data, it is black.
        """
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is no data
            signal = torch.from_numpy(values.astype(np.float32))
        signal = signal[None] if signal.ndim == 2 else signal.movedim(-1, 0)  # (C, H, W)
        signal = signal.sub(self.low).mul_(1 / (self.high - self.low))
        signal.clamp_(0, 1)
        return signal if gaps is None else gaps.blackened(signal)

    def from_unit(self, signal: Tensor) -> Array:
        """(C, H, W) of black 0 and white 1 to (H, W) or (H, W, 3) of `dtype`."""
        values = signal.double().clamp(0, 1).mul_(self.high - self.low).add_(self.low).numpy()
        kind = np.dtype(self.dtype)
        if kind.kind in "iu":
            values = np.clip(np.round(values), np.iinfo(kind).min, np.iinfo(kind).max)
        values = values.astype(kind)
        return values[0] if len(values) == 1 else np.ascontiguousarray(values.transpose(1, 2, 0))

    def beyond(self, values: Array) -> str | None:
        """In words, how many values are clipped; None where none are."""
        count = int(np.count_nonzero((values < self.low) | (values > self.high)))
        if not count:
            return None
        part = 100 * count / values.size
        span = f"{number_text(self.low)} to {number_text(self.high)}"
        return f"{count:,} values ({part:.1f} %) beyond {span}, which are clipped"


@dataclass(frozen=True)
class Preprocessing:
    """What a model records of its pictures.

    Attributes:
        crop_first: Side of the centre crop ahead of resizing.
        scale: As `zoo_core.contracts.spec.TrainConfig.scale`.
        size: Height and width as trained.
        resize: What became of pictures of another shape, as
            `zoo_core.contracts.spec.TrainConfig.resize`.
        resample: The filter, as `zoo_core.contracts.spec.TrainConfig.resample`.
        range: Values of black and white that the nets see.
        alpha: What shows through transparent pixels.
        value_ranges: By domain, for pictures of more than 8 bits.
    """

    crop_first: int | None = None
    scale: Literal["own", "trained", "whole"] = "own"
    size: tuple[int, ...] = ()
    resize: Literal["cover", "squash", "shorter"] = "cover"
    resample: Literal["bicubic", "bilinear", "lanczos4"] = "bicubic"
    range: tuple[float, float] = (-1.0, 1.0)
    alpha: Literal["white"] = "white"
    value_ranges: dict[str, ValueRange] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.crop_first is not None and not 1 <= self.crop_first <= LARGEST_CROP:
            raise ValueError(f"crop_first must be 1 to {LARGEST_CROP}, got {self.crop_first}")
        for name, span in self.value_ranges.items():
            if span.dtype not in DTYPES or span.channels not in (1, 3):
                form = f"{span.channels} x {span.dtype[:40]}"
                raise ValueError(f"there are no pictures of {form}, as value_ranges says of {name}")
            if not (math.isfinite(span.low) and span.low < span.high < math.inf):
                raise ValueError(f"value_ranges of {name} must have black below white")


def plain(ranges: Mapping[str, ValueRange]) -> dict[str, Any]:
    """Ranges by domain as a model records them."""
    return {name: asdict(span) for name, span in ranges.items()}


def recorded(preprocessing: Mapping[str, Any]) -> dict[str, ValueRange]:
    """The ranges by domain that a model's preprocessing records."""
    return {name: ValueRange(**fields) for name, fields in preprocessing.get(RANGES, {}).items()}


def range_of_output(
    given: ValueRange | None, preprocessing: Mapping[str, Any], domain: str | None
) -> ValueRange | None:
    """The range of an output; None for 8 bits.

    Args:
        given: Range of the input; None where it has 8 bits.
        preprocessing: The model's.
        domain: The domain of the output, where it is of one.
    """
    known = recorded(preprocessing)
    if preprocessing.get(ASKED) is not None or not known:
        return given
    if domain is None:
        return given or (next(iter(known.values())) if len(known) == 1 else None)
    return known.get(domain)


def number_text(value: float) -> str:
    """A value as messages show it."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.6g}"
