"""From a decoded picture to what the nets see, and from what they made to what the user gets."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from zoo_core.contracts.codec import Item, Whole, Window
from zoo_core.contracts.signals import TensorSpec
from zoo_core.errors import UsageError
from zoo_images import tiles
from zoo_images.picture import Picture, picture_of
from zoo_images.pixels import (
    MAX_PIXELS,
    RESAMPLE,
    Bytes,
    centre_crop,
    from_unit,
    largest_within,
    pixels_of,
    resize,
    to_bytes,
    to_tensor,
    to_unit,
    working_size,
)
from zoo_images.preprocessing import ValueRange, range_of_output

if TYPE_CHECKING:
    from zoo_images.gaps import Gaps
    from zoo_images.transparency import Transparency

LARGE = 50_000_000
"""Pixels from which a picture is not held in memory, where its format allows that."""

_COPY = 4
"""Windows that a copy whose statistics are taken may be as large as: the less it is reduced, the
nearer they are to those of the whole, and the more memory the nets take."""


def from_picture(picture: Picture, name: str, form: str) -> Item:
    """An item from a decoded file, or from one frame or page of it."""
    value = picture.values if picture.values is not None else pixels_of(picture.image)
    info = {
        "size": value.shape[:2],
        "format": picture.format,
        "mode": picture.mode,
        "transparency": picture.transparency,
        "metadata": picture.metadata,
        "notes": picture.notes,
        "extra": picture.extra,
        "tags": picture.tags,
        "duration": picture.duration,
        "gaps": picture.gaps,
    }
    item = Item(value, name, form, info)
    if picture.gaps is not None:
        note(item, [picture.gaps.note])
    return item


def crop(item: Item, side: int) -> None:
    """Cuts the centre out of an item, and out of all that belongs to its pixels."""

    def cut_out(value: Any) -> Any:
        return centre_crop(value, side, side)

    for name in ("gaps", "transparency"):
        part: Gaps | Transparency | None = item.info.get(name)
        item.info[name] = None if part is None else part.cropped(cut_out)
    if item.info.get("extra") is not None:
        item.info["extra"] = cut_out(item.info["extra"])
    item.value = cut_out(item.value)


def ranged(
    item: Item, source: str | None, spec: TensorSpec, preprocessing: Mapping[str, Any]
) -> Any:
    """The picture; a deep one as a tensor (C, H, W) within the spec's range."""
    value, gaps = item.value, item.info.get("gaps")
    if isinstance(value, Tensor):
        return value
    if value.dtype == np.uint8 and len(value.shape) == 3:  # an array, or a large TIFF on the disk
        return value if gaps is None else np.where(gaps.mask[..., None], np.uint8(0), value)
    if "span" not in item.info:  # once, however many targets the item is translated to
        from zoo_images.values import range_of_input  # most pictures need none of it

        item.info["span"], notes = range_of_input(value, preprocessing, source, item.name, gaps)
        note(item, notes)
    span: ValueRange = item.info["span"]
    unit = span.to_unit(value, gaps)
    transparency: Transparency | None = item.info.get("transparency")
    return from_unit(unit if transparency is None else transparency.over_ground(unit), spec)


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
        return _resized(value, (height, width), preprocessing), output
    if size is None:
        return _scaled(value, bound, spec, preprocessing), extent_of(value)
    seen = working_size(extent_of(value), size)
    if seen[0] * seen[1] > MAX_PIXELS:
        raise UsageError(f"the picture would have {seen[0]}×{seen[1]} pixels", asked=f"size {size}")
    return _resized(value, seen, preprocessing), seen


def cut_all(
    value: Any, plan: tiles.TilePlan, output: tuple[int, int], spec: TensorSpec, bound: int
) -> Iterator[Window]:
    """The windows of a picture; several are to share its statistics, or a copy's."""
    whole = None
    if len(plan) > 1:
        factor = tiles.reduction(plan.height, plan.width, spec.stride, _COPY * bound)
        whole = Whole(
            len(plan),
            f"a copy at 1/{factor}",
            factor,
            lambda factor: reduced(value, factor, spec),
            lambda: cut_all(value, plan, output, spec, bound),
        )
    for row in plan.rows:
        for column in plan.columns:
            position = tiles.TilePosition(plan, row, column, output)
            yield Window(cut(value, row, column, spec), position, whole, (row.own, column.own))


def reduced(value: Any, factor: int, spec: TensorSpec) -> Tensor:
    """(C, h, w) a copy in which the mean of ``factor`` × ``factor`` pixels is one."""
    height, width = extent_of(value)
    down, across = min(factor, height), min(factor, width)
    if isinstance(value, Tensor):
        small = functional.avg_pool2d(
            value[None], (down, across), ceil_mode=True, count_include_pad=False
        )[0]  # (C, H', W')
    else:
        step = down * max(1, 256 // down)  # some rows at a time, never a second copy of all
        small = np.concatenate(
            [
                np.asarray(Image.fromarray(value[top : top + step]).reduce((across, down)))
                for top in range(0, height, step)
            ]
        )
    plan = tiles.plan(*extent_of(small), stride=spec.stride, limit=sys.maxsize)
    return cut(small, plan.rows[0], plan.columns[0], spec)


def cut(value: Any, row: tiles.Span, column: tiles.Span, spec: TensorSpec) -> Tensor:
    """(C, h, w) one window within the spec's range."""
    if isinstance(value, Tensor):
        rows, columns = torch.from_numpy(row.source), torch.from_numpy(column.source)
        return value[:, rows][:, :, columns].contiguous()
    left, right = column.source.min(), column.source.max() + 1  # only what the window reads
    pixels = value[row.source, left:right].take(column.source - left, axis=1)  # (h, w, 3)
    return to_tensor(torch.from_numpy(pixels), spec)


def note_page(item: Item, number: int, notes: Iterable[str]) -> None:
    """Adds what is doubtful about a page to the item that it is of."""
    from zoo_core.notes import Notes  # single pictures need none of it

    pages: Notes = item.info.setdefault("page_notes", Notes())
    before = pages.texts()
    pages.add(number, notes)
    others = (text for text in item.info["notes"] if text not in before)
    item.info["notes"] = (*others, *pages.texts())


def note(item: Item, notes: Iterable[str]) -> None:
    """Adds what is doubtful to an item, once."""
    item.info["notes"] = tuple(dict.fromkeys((*item.info.get("notes", ()), *notes)))


def extent_of(value: Any) -> tuple[int, int]:
    """(height, width) of (H, W, 3) or of a tensor (C, H, W)."""
    height, width = value.shape[-2:] if isinstance(value, Tensor) else value.shape[:2]
    return int(height), int(width)


def is_large(item: Item) -> bool:
    """Whether an output is not to be held in memory: one of 8 bits, for a file, without more."""
    height, width = item.info["size"]
    more = (item.info.get(name) is not None for name in ("transparency", "extra", "gaps"))
    shallow = not isinstance(item.value, Tensor) and item.value.dtype == np.uint8
    shallow = shallow and len(item.value.shape) == 3
    return height * width >= LARGE and item.form == "path" and shallow and not any(more)


def enlarged(pixels: Bytes, size: tuple[int, int], rows: int = 256) -> Iterator[Bytes]:
    """Bands (h, W, 3) of a picture (H, W, 3) that is scaled to ``size``, from the top down."""
    image, (height, width) = Image.fromarray(pixels), size
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        part = (0, top * image.height / height, image.width, bottom * image.height / height)
        yield np.asarray(image.resize((width, bottom - top), RESAMPLE, box=part))


def _resized(value: Any, size: tuple[int, int], preprocessing: Mapping[str, Any]) -> Any:
    """The picture at another size, by the filter that the nets were trained with."""
    in_memory = isinstance(value, np.ndarray | Tensor)  # else it is a TIFF that is read in parts
    value = value if in_memory else value.shrunk(size)
    return resize(value, size, preprocessing.get("resample", "bicubic"))


def _scaled(value: Any, bound: int, spec: TensorSpec, preprocessing: Mapping[str, Any]) -> Any:
    """The picture at its own size, as trained, or as a whole, as the model asks."""
    scale, extent = preprocessing.get("scale"), extent_of(value)
    if scale == "trained":
        return _resized(value, working_size(extent, min(spec.shape[-2:])), preprocessing)
    if scale == "whole" and extent[0] * extent[1] > bound:
        return _resized(value, largest_within(extent, bound, spec.stride), preprocessing)
    return value


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
    pixels = _with_gaps(item, pixels)
    transparency: Transparency | None = item.info.get("transparency")
    if transparency is not None and transparency.kept:
        pixels = transparency.behind(pixels)
    if item.form == "numpy":
        return pixels
    extra = item.info.get("extra")
    if extra is not None and (extra.shape[:2] != size or extra.dtype != pixels.dtype):
        extra = None
    return picture_of(pixels, extra, item.info.get("tags"), item.info.get("metadata"))


def _with_gaps(item: Item, pixels: Any) -> Any:
    """An output with what the input had wherever that had no data."""
    gaps: Gaps | None = item.info.get("gaps")
    if gaps is None:
        return pixels
    restored = gaps.restored(pixels)
    if restored is None:
        note(item, [f"pixels without data, which outputs of {pixels.dtype} cannot hold"])
    return pixels if restored is None else restored


def regroup(value: Any, rest: list[Any]) -> Any:
    """Takes as many outputs off ``rest`` as ``value`` had items, in the form of ``value``."""
    if isinstance(value, (list, tuple)):
        return [regroup(part, rest) for part in value]
    if isinstance(value, (Tensor, np.ndarray)) and value.ndim == 4:
        parts = [rest.pop(0) for _ in range(len(value))]
        return torch.stack(parts) if isinstance(value, Tensor) else np.stack(parts)
    return rest.pop(0)
