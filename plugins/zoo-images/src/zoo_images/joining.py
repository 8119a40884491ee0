"""Joins translated windows: to a picture in memory, or band by band from the top down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from zoo_core.contracts.codec import Item, Window
from zoo_core.errors import PluginError, UsageError, WeightsError
from zoo_images.windows import TilePosition

Outputs = Iterable[tuple[Window, Tensor]]
"""Windows, row by row, each with what the nets made of it (C, h, w)."""


def joined(item: Item, outputs: Outputs) -> tuple[Tensor, tuple[int, int]]:
    """The translated windows of an item as one float picture (C, H, W), and the output's size."""
    whole: Tensor | None = None
    for place, top, band in bands(item, outputs):
        if whole is None:
            if band.shape[1] == place.plan.height:
                return band, place.size
            whole = torch.empty(band.shape[0], place.plan.height, place.plan.width)
            size = place.size
        whole[:, top : top + band.shape[1]] = band
    if whole is None:
        raise UsageError("there is nothing to join", asked=item.name)
    return whole, size


def bands(item: Item, outputs: Outputs) -> Iterator[tuple[TilePosition, int, Tensor]]:
    """What is finished of the joined picture, as soon as it is.

    Yields:
        The place of the last window, the number of the first row, and the rows (C, h, W).
    """
    top, open_rows, place = 0, None, None
    for window, output in outputs:
        _check(item, window, output)
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


def _check(item: Item, window: Window, output: Tensor) -> None:
    if tuple(output.shape) != tuple(window.signal.shape):
        raise PluginError(
            f"the net made shape {tuple(output.shape)} of {tuple(window.signal.shape)}",
            asked=item.name,
        )
    if not torch.isfinite(output).all():
        raise WeightsError(
            "the nets gave values that are not finite numbers",
            asked=item.name,
            hint="Try float32 precision; if that fails too, the weights are damaged.",
        )


def _add(rows: Tensor, place: TilePosition, output: Tensor) -> None:
    """Adds a window's weighted output (C, h, w) to the rows (C, h', W) that it writes."""
    used = output.detach()[:, place.row.used, place.column.used].float().cpu()  # (C, h', w')
    target = rows[:, : used.shape[1], place.column.written]
    if len(place.plan) == 1:
        target.copy_(used)
        return
    down = torch.from_numpy(place.row.weight)[:, None]  # (h', 1)
    target.add_(used * down * torch.from_numpy(place.column.weight))
