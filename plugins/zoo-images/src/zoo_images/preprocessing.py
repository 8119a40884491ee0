"""What a model records of the pictures that it was trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from zoo_images.values import DTYPES, ValueRange

LARGEST_CROP = 2**16
"""Largest side of a centre crop."""


@dataclass(frozen=True)
class Preprocessing:
    """What a model records of its pictures.

    Attributes:
        crop_first: Side of the centre crop ahead of resizing.
        scale: As `zoo_core.contracts.spec.TrainConfig.scale`.
        size: Height and width as trained.
        resample: The filter.
        range: Values of black and white that the nets see.
        alpha: What shows through transparent pixels.
        value_ranges: By domain, for pictures of more than 8 bits.
    """

    crop_first: int | None = None
    scale: Literal["own", "trained", "whole"] = "own"
    size: tuple[int, ...] = ()
    resample: Literal["bicubic"] = "bicubic"
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
