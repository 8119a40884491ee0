"""From a decoded picture to what the nets see: its values, its size, its windows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo_core.contracts.codec import Item
from zoo_core.contracts.signals import TensorSpec
from zoo_core.errors import UsageError
from zoo_images import tiles
from zoo_images.decode import MAX_PIXELS
from zoo_images.pixels import (
    centre_crop,
    from_unit,
    largest_within,
    resize,
    to_tensor,
    working_size,
)
from zoo_images.values import range_of_input


def ranged(
    item: Item, source: str | None, spec: TensorSpec, preprocessing: Mapping[str, Any]
) -> Any:
    """The picture; a deep one as a tensor (C, H, W) within the spec's range."""
    value = item.value
    if isinstance(value, Tensor) or value.dtype == np.uint8:
        return value
    span, notes = range_of_input(value, preprocessing, source, item.name)
    item.info["span"] = span
    note(item, notes)
    return from_unit(span.to_unit(value), spec)


def working(
    value: Any,
    size: int | None,
    bound: int,
    spec: TensorSpec,
    preprocessing: Mapping[str, Any],
) -> tuple[Any, tuple[int, int]]:
    """The picture as the nets shall see it, and the size of the output."""
    height, width = int(spec.shape[-2]), int(spec.shape[-1])
    if size is not None and size < 1:
        raise UsageError("a size must be at least 1 pixel", asked=f"size {size}")
    if spec.flexible < 2:
        if size not in (None, min(height, width)):
            raise UsageError(
                f"these nets work at {height}×{width} pixels only", asked=f"size {size}"
            )
        output = extent_of(value) if size is None else (height, width)
        return resize(value, (height, width)), output
    if size is None:
        return _scaled(value, bound, spec, preprocessing), extent_of(value)
    crop = preprocessing.get("crop_first")
    if crop:
        value = centre_crop(value, int(crop), int(crop))
    seen = working_size(extent_of(value), size)
    if seen[0] * seen[1] > MAX_PIXELS:
        raise UsageError(f"the picture would have {seen[0]}×{seen[1]} pixels", asked=f"size {size}")
    return resize(value, seen), seen


def cut(value: Any, row: tiles.Span, column: tiles.Span, spec: TensorSpec) -> Tensor:
    """(C, h, w) one window within the spec's range."""
    if isinstance(value, Tensor):
        rows, columns = torch.from_numpy(row.source), torch.from_numpy(column.source)
        return value[:, rows][:, :, columns].contiguous()
    pixels = value[row.source][:, column.source]  # (h, w, 3)
    return to_tensor(torch.from_numpy(pixels), spec)


def note(item: Item, notes: Iterable[str]) -> None:
    """Adds what is doubtful to an item, once."""
    item.info["notes"] = tuple(dict.fromkeys((*item.info.get("notes", ()), *notes)))


def extent_of(value: Any) -> tuple[int, int]:
    """(height, width) of (H, W, 3) or of a tensor (C, H, W)."""
    height, width = value.shape[-2:] if isinstance(value, Tensor) else value.shape[:2]
    return int(height), int(width)


def _scaled(value: Any, bound: int, spec: TensorSpec, preprocessing: Mapping[str, Any]) -> Any:
    """The picture at its own size, as trained, or as a whole, as the model asks."""
    scale, extent = preprocessing.get("scale"), extent_of(value)
    if scale == "trained":
        return resize(value, working_size(extent, min(spec.shape[-2:])))
    if scale == "whole" and extent[0] * extent[1] > bound:
        return resize(value, largest_within(extent, bound, spec.stride))
    return value
