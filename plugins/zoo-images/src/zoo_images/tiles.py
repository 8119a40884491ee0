"""Cuts a picture into overlapping tiles, and joins what the nets made of them without a seam.

Both axes are cut independently. A tile's weight at a pixel is the product of one weight per axis;
per axis the weights of all tiles add up to 1 at every pixel, so no weight map is needed to join.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zoo_core.contracts.codec import Item, Window
from zoo_core.errors import UsageError

LEAST = 16
"""Smallest extent in pixels that nets are fed: reflection padding inside them needs some room."""

_OVERLAP = 128  # pixels: more than the reach of a nine-block residual generator, some 85


Outputs = Iterable[tuple[Window, Tensor]]
"""Windows, row by row, each with what the nets made of it (C, h, w)."""


@dataclass(frozen=True)
class Span:
    """One tile along one axis.

    Attributes:
        source: (T,) positions in the picture that the tile reads, reflected beyond its border.
        start: First position in the picture that the tile writes.
        first: Number of the tile's leading positions that lie beyond the border.
        weight: (W,) float32 weight of each position that it writes.
        own: The part of the tile that is no other tile's: those of all tiles cover the padded axis
            once. It keeps to the stride.
    """

    source: npt.NDArray[np.intp]
    start: int
    first: int
    weight: npt.NDArray[np.float32]
    own: slice

    @property
    def written(self) -> slice:
        """The part of the picture that the tile writes."""
        return slice(self.start, self.start + len(self.weight))

    @property
    def used(self) -> slice:
        """The part of the tile that is written."""
        return slice(self.first, self.first + len(self.weight))


@dataclass(frozen=True)
class TilePlan:
    """How a picture of ``height`` × ``width`` pixels is cut: every row with every column."""

    height: int
    width: int
    rows: tuple[Span, ...]
    columns: tuple[Span, ...]

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)


@dataclass(frozen=True)
class TilePosition:
    """Where a window belongs: in a row and a column of its plan.

    Attributes:
        plan: The whole picture's tiles.
        row: The window's rows.
        column: The window's columns.
        size: (height, width) of the output.
    """

    plan: TilePlan
    row: Span
    column: Span
    size: tuple[int, int]


@lru_cache(maxsize=16)  # most pictures of a folder have one of a few sizes
def plan(height: int, width: int, *, stride: int, limit: int, least: int = LEAST) -> TilePlan:
    """Plans the tiles of a picture; nobody changes a plan.

    Args:
        height: Height in pixels, at least 1.
        width: Width in pixels, at least 1.
        stride: Tiles' extents and positions are multiples of it.
        limit: Most pixels of one tile, as far as ``stride`` and ``least`` allow.
        least: Smallest extent of a tile; smaller pictures are padded to it.
    """
    padded = padded_extent(height, stride, least), padded_extent(width, stride, least)
    tiles = _tile_extents(padded, stride, limit, least)
    rows, columns = (
        _spans(extent, whole, _cover(whole, tile, stride, least), stride)
        for extent, whole, tile in zip((height, width), padded, tiles, strict=True)
    )
    return TilePlan(height, width, rows, columns)


def reduction(height: int, width: int, stride: int, limit: int) -> int:
    """How many pixels, down and across, have to become one for a copy of at most ``limit``."""
    factor = 2
    while math.prod(
        padded_extent(math.ceil(extent / factor), stride) for extent in (height, width)
    ) > max(limit, LEAST * LEAST):
        factor += 1
    return factor


def padded_extent(extent: int, stride: int, least: int = LEAST) -> int:
    """The extent that an axis is padded to: a multiple of the stride, no less than ``least``."""
    return math.ceil(max(extent, least) / stride) * stride


def reflect(positions: npt.NDArray[np.intp], extent: int) -> npt.NDArray[np.intp]:
    """Positions beyond ``[0, extent)`` mirrored back into it, as often as needed."""
    if extent == 1:
        return np.zeros_like(positions)
    period = 2 * extent - 2
    folded = positions % period
    return np.minimum(folded, period - folded)


def joined(item: Item, outputs: Outputs) -> tuple[Tensor, tuple[int, int]]:
    """The translated windows of an item as one float picture (C, H, W), and the output's size."""
    whole: Tensor | None = None
    for place, top, band in bands(outputs):
        if whole is None:
            if band.shape[1] == place.plan.height:
                return band, place.size
            whole = torch.empty(band.shape[0], place.plan.height, place.plan.width)
            size = place.size
        whole[:, top : top + band.shape[1]] = band
    if whole is None:
        raise UsageError("there is nothing to join", asked=item.name)
    return whole, size


def bands(outputs: Outputs) -> Iterator[tuple[TilePosition, int, Tensor]]:
    """What is finished of the joined picture, as soon as it is.

    Yields:
        The place of the last window, the number of the first row, and the rows (C, h, W).
    """
    top, open_rows, place = 0, None, None
    for window, output in outputs:
        before, place = place, window.position
        if before is None or before.row is not place.row:
            first, last = place.row.written.start, place.row.written.stop
            fresh = torch.zeros(output.shape[0], last - first, place.plan.width)
            if before is not None and open_rows is not None:
                done = first - top
                if done:
                    yield before, top, open_rows[:, :done]
                common = open_rows[:, done:]
                fresh[:, : common.shape[1]] = common
            top, open_rows = first, fresh
        assert open_rows is not None  # (the first window made it)
        _add(open_rows, place, output)
    if place is not None and open_rows is not None:
        yield place, top, open_rows


def _tile_extents(padded: tuple[int, int], stride: int, limit: int, least: int) -> tuple[int, int]:
    height, width = padded
    if height * width <= limit:
        return padded
    # Four strides leave room for an overlap of two; more is better, but the limit rules.
    least = max(padded_extent(1, stride, least), 4 * stride)
    side = max(least, math.isqrt(limit) // stride * stride)
    short = min(side, height, width)
    long = max(least, limit // short // stride * stride)
    if height <= width:
        return min(short, height), min(long, width)
    return min(long, height), min(short, width)


def _spans(extent: int, padded: int, cover: tuple[int, list[int]], stride: int) -> tuple[Span, ...]:
    before = (padded - extent) // 2
    tile, starts = cover
    weights = np.stack([_hill(start, tile, padded, starts) for start in starts])  # (tiles, padded)
    weights /= weights.sum(0)
    # Half-way through each overlap one tile's own part ends and the next one's begins.
    middles = [(a + b + tile) // (2 * stride) * stride for a, b in itertools.pairwise(starts)]
    borders = [0, *middles, padded]
    spans = []
    for number, (start, weight) in enumerate(zip(starts, weights, strict=True)):
        positions = np.arange(start, start + tile) - before
        inside = np.flatnonzero((positions >= 0) & (positions < extent))
        first, last = int(inside[0]), int(inside[-1]) + 1
        spans.append(
            Span(
                source=reflect(positions, extent),
                start=int(positions[first]),
                first=first,
                weight=weight[start + first : start + last].astype(np.float32),
                own=slice(borders[number] - start, borders[number + 1] - start),
            )
        )
    return tuple(spans)


def _cover(padded: int, tile: int, stride: int, least: int) -> tuple[int, list[int]]:
    """The extent, at most ``tile``, and the starts of tiles that cover an axis and overlap."""
    if tile >= padded:
        return padded, [0]
    overlap = max(stride, min(max(tile // 8, _OVERLAP), tile // 4) // stride * stride)
    count = math.ceil((padded - overlap) / (tile - overlap))
    # Tiles no larger than their number requires: what they overlap more than asked is wasted.
    even = math.ceil((padded + (count - 1) * overlap) / count / stride) * stride
    tile = min(tile, max(even, padded_extent(1, stride, least)))
    last = padded - tile
    return tile, sorted({round(i * last / (count - 1) / stride) * stride for i in range(count)})


def _hill(start: int, tile: int, padded: int, starts: list[int]) -> npt.NDArray[np.float64]:
    """(padded,) weight of one tile: 1 inside, a raised cosine across each overlap, 0 outside."""
    at = np.arange(padded) + 0.5
    weight = np.where((at > start) & (at < start + tile), 1.0, 0.0)
    number = starts.index(start)
    if number > 0:
        weight *= _ramp((at - start) / (starts[number - 1] + tile - start))
    if number < len(starts) - 1:
        weight *= _ramp((start + tile - at) / (start + tile - starts[number + 1]))
    return weight


def _ramp(fraction: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(fraction, 0.0, 1.0))


def _add(rows: Tensor, place: TilePosition, output: Tensor) -> None:
    """Adds a window's weighted output (C, h, w) to the rows (C, h', W) that it writes."""
    used = output.detach()[:, place.row.used, place.column.used].float().cpu()  # (C, h', w')
    target = rows[:, : used.shape[1], place.column.written]
    if len(place.plan) == 1:
        target.copy_(used)
        return
    down = torch.from_numpy(place.row.weight)[:, None]  # (h', 1)
    target.add_(used * down * torch.from_numpy(place.column.weight))
