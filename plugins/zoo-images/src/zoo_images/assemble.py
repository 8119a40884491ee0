"""From what the nets made to what the user gets: windows joined, values, form and format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zoo_core.contracts.codec import Item
from zoo_core.contracts.signals import TensorSpec
from zoo_images import convert_inputs, tiles
from zoo_images.colour import to_rgb
from zoo_images.pixels import RESAMPLE, resize, to_bytes, to_unit
from zoo_images.raster import Frames, Raster, picture_of
from zoo_images.save import KEEPS_ALPHA, format_of
from zoo_images.values import range_of_output


@dataclass(frozen=True)
class TilePosition:
    """Where a window belongs: in a row and a column of its plan.

    Attributes:
        plan: The whole picture's tiles.
        row: The window's rows.
        column: The window's columns.
        size: (height, width) of the output.
    """

    plan: tiles.TilePlan
    row: tiles.Span
    column: tiles.Span
    size: tuple[int, int]


@dataclass(frozen=True)
class FramePosition:
    """Where a window of an animation or of a TIFF of many pages belongs.

    Attributes:
        number: Of the frame or page, from 0.
        item: The frame or page.
        position: Within it.
    """

    number: int
    item: Item
    position: Any


def add(whole: Tensor, place: TilePosition, output: Tensor) -> None:
    """Adds a window's weighted output (C, h, w) to the whole picture (C, H, W)."""
    used = output.detach()[:, place.row.used, place.column.used].float().cpu()  # (C, h', w')
    target = whole[:, place.row.written, place.column.written]
    if len(place.plan) == 1:
        target.copy_(used)
        return
    rows = torch.from_numpy(place.row.weight)[:, None]  # (h', 1)
    target.add_(used * rows * torch.from_numpy(place.column.weight))


def dress(
    item: Item,
    whole: Tensor,
    size: tuple[int, int],
    target: str | None,
    *,
    spec: TensorSpec,
    preprocessing: Mapping[str, Any],
) -> Any:
    """Gives a joined float picture (C, H, W) the item's form, and the size asked for."""
    if item.form == "tensor":
        scaled = resize(whole, size)
        return scaled.to(dtype=item.info["dtype"], device=item.info["device"])
    span = range_of_output(item.info.get("span"), preprocessing, target)
    if span is None:
        pixels = resize(to_bytes(whole, spec), size)
    else:
        pixels = span.from_unit(to_unit(resize(whole, size), spec, span.channels))
    if item.form == "numpy":
        return pixels
    extra = item.info.get("extra")
    if extra is not None and (extra.shape[:2] != size or extra.dtype != pixels.dtype):
        extra = None
    picture = picture_of(pixels, extra, item.info.get("tags") or {})
    alpha = item.info.get("alpha")
    if alpha is not None and isinstance(picture, Image.Image) and span is None:
        # Colours are translated, the input's transparency is put back.
        picture.putalpha(alpha.resize(picture.size, RESAMPLE))
    return picture


def to_save(value: Any, path: Path, spec: TensorSpec) -> Image.Image | Raster | Frames:
    """What `zoo_images.save.save` writes of a value that `zoo_images.codec` takes."""
    if isinstance(value, Raster | Frames):
        return value
    if isinstance(value, Image.Image):
        deep = value.mode.startswith(("I", "F"))
        keeps = value.mode == "RGBA" and format_of(path) in KEEPS_ALPHA
        return value if keeps or deep or value.mode == "RGB" else to_rgb(value)
    if isinstance(value, Tensor) and value.ndim == 3:
        return Image.fromarray(to_bytes(value, spec))
    if isinstance(value, np.ndarray):
        (item,) = convert_inputs.from_array(value, str(path), ranged=True)
        return picture_of(item.value, None, {})
    raise convert_inputs.refuse(value, str(path))


def regroup(value: Any, rest: list[Any]) -> Any:
    """Takes as many outputs off ``rest`` as ``value`` had items, in the form of ``value``."""
    if isinstance(value, (list, tuple)):
        return [regroup(part, rest) for part in value]
    if isinstance(value, (Tensor, np.ndarray)) and value.ndim == 4:
        parts = [rest.pop(0) for _ in range(len(value))]
        return torch.stack(parts) if isinstance(value, Tensor) else np.stack(parts)
    return rest.pop(0)
