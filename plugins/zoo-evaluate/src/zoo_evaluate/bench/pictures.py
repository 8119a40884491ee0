"""The pictures of a benchmark: strips of translations, sheets of methods, bars.

Shapes: N pictures, C H W picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from zoo_core.files import replacing
from zoo_evaluate.bench.data import to_pixels
from zoo_images.sheet import line_height

COLOURS = ((66, 110, 180), (230, 145, 56), (106, 168, 79), (150, 90, 160))
"""Of the bars, by column."""
_INK, _FAINT, _PAPER = (40, 40, 40), (215, 215, 215), (255, 255, 255)
_ROW, _BAR, _GAP, _WIDTH, _SIDE, _TITLES = 14, 7, 8, 420, 110, 20


def write_strip(path: Path, rows: Mapping[str, Tensor]) -> None:
    """Writes rows of pictures (N, C, H, W) edge to edge, as they are."""
    lines = [
        np.concatenate(list(to_pixels(pictures).permute(0, 2, 3, 1).numpy()), axis=1)
        for pictures in rows.values()
    ]
    image = Image.fromarray(np.concatenate(lines, axis=0))
    with replacing(path) as part:
        image.save(part, "PNG")


def sheet(strips: Sequence[tuple[str, Path]], size: int) -> Image.Image:
    """Strips one below the other, each under its title, small pictures enlarged twice."""
    font = ImageFont.load_default(13)
    factor = 2 if 0 < size <= 32 else 1
    images = [(title, Image.open(path, formats=["PNG"]).convert("RGB")) for title, path in strips]
    scaled = [
        (
            title,
            image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST),
        )
        for title, image in images
    ]
    head = line_height(font) + 4
    width = max(image.width for _, image in scaled) + 8
    height = sum(image.height + head + 8 for _, image in scaled)
    page = Image.new("RGB", (width, height), _PAPER)
    pen, y = ImageDraw.Draw(page), 0
    for title, image in scaled:
        pen.text((4, y + 2), title, _INK, font)
        page.paste(image, (4, y + head))
        y += image.height + head + 8
    return page


@dataclass(frozen=True)
class BarPanel:
    """The bars of one direction.

    Attributes:
        title: Its heading.
        rows: (name, shares from 0 to 1 or None) each.
        marks: Vertical lines by name, from 0 to 1.
    """

    title: str
    rows: Sequence[tuple[str, Sequence[float | None]]]
    marks: Mapping[str, float]


def bars(panels: Sequence[BarPanel], columns: Sequence[str]) -> Image.Image:
    """Horizontal bars, a panel per direction, two panels side by side."""
    font = ImageFont.load_default(12)
    across = min(2, len(panels))
    heights = [_height(panel, len(columns)) for panel in panels]
    rows = [max(heights[i : i + across]) for i in range(0, len(heights), across)]
    names = [name for panel in panels for name, _ in panel.rows]
    side = max([_SIDE, *(10 + int(font.getlength(name)) for name in names)])
    cell = side + _WIDTH + 50
    page = Image.new("RGB", (cell * across, sum(rows) + 30), _PAPER)
    pen = ImageDraw.Draw(page)
    x = side
    for name, colour in zip(columns, COLOURS, strict=False):
        pen.rectangle((x, 10, x + 10, 20), fill=colour)
        pen.text((x + 14, 7), name.replace("_", " "), _INK, font)
        x += 34 + int(font.getlength(name))
    for number, panel in enumerate(panels):
        left, top = cell * (number % across), 30 + sum(rows[: number // across])
        _panel(pen, panel, len(columns), (left + side, top), font)
    return page


def _height(panel: BarPanel, columns: int) -> int:
    return _TITLES * 3 + len(panel.rows) * (columns * _BAR + _GAP)


def _panel(
    pen: ImageDraw.ImageDraw,
    panel: BarPanel,
    columns: int,
    corner: tuple[int, int],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    left, top = corner[0], corner[1] + _TITLES * 2
    bottom = top + len(panel.rows) * (columns * _BAR + _GAP)
    pen.text((left, corner[1]), panel.title, _INK, font)
    for tenth in range(0, 11, 2):
        x = left + _WIDTH * tenth // 10
        pen.line((x, top, x, bottom), fill=_FAINT)
        pen.text((x - 8, bottom + 2), f"{tenth / 10:.1f}", _INK, font)
    y = top
    for name, values in panel.rows:
        middle = y + columns * _BAR // 2 - _ROW // 2
        pen.text((left - 6 - font.getlength(name), middle), name, _INK, font)
        for number, value in enumerate(values):
            if value is not None:
                end = left + max(1, round(_WIDTH * min(1.0, value)))
                box = (left, y + number * _BAR, end, y + (number + 1) * _BAR - 2)
                pen.rectangle(box, fill=COLOURS[number % len(COLOURS)])
        y += columns * _BAR + _GAP
    free = float(pen.im.size[0])  # names of lines that lie close together stand side by side
    for name, value in sorted(panel.marks.items(), key=lambda mark: -mark[1]):
        x, long = left + round(_WIDTH * value), font.getlength(name)
        pen.line((x, top - 4, x, bottom), fill=(190, 40, 40))
        start = min(x - long / 2, free - long)
        pen.text((start, top - _ROW - 4), name, (190, 40, 40), font)
        free = start - 6
