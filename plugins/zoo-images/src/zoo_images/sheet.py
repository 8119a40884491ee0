"""A labelled grid of pictures: what training samples, evaluations and demos show."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from zoo_core.contracts.codec import Codec, Item
from zoo_core.errors import DataError
from zoo_images import windows
from zoo_images.picture import Pages
from zoo_images.preprocessing import recorded

_SMALL = 64
_MARGIN = 4
_FONT_SIZE = 13
_INK = (40, 40, 40)


def shown(codec: Codec, item: Item, column: str) -> Tensor:
    """(C, h, w) the first window of an item, at the size of the model.

    Args:
        codec: Cuts it.
        item: From its `read` or `wrap`.
        column: What is shown there; the value range of a domain of this name is the item's.
    """
    if isinstance(item.value, Pages):
        item = windows.from_picture(item.value.shown(), item.name, item.form)
    size = min(codec.spec.shape[1:]) if codec.spec.flexible >= 2 else None
    domain = column if column in recorded(codec.preprocessing) else None
    try:
        return next(iter(codec.windows(item, size=size, source=domain))).signal
    except DataError:
        from zoo_images.values import smallest_to_largest  # most pictures need none of it

        item.info["span"] = smallest_to_largest(item.value, item.info.get("gaps"))
        return next(iter(codec.windows(item, size=size))).signal


def draw(
    rows: Sequence[tuple[str, Sequence[Image.Image | None]]], columns: Sequence[str] = ()
) -> Image.Image:
    """Draws rows of pictures with a title per row and per column on white.

    Args:
        rows: (title, pictures) each; None leaves a cell empty. Pictures of at most 64 px are
            shown at twice their size, without smoothing.
        columns: Title of each column; empty for none.

    Returns:
        RGB.
    """
    font = ImageFont.load_default(_FONT_SIZE)
    drawn = [(title, [_enlarge(picture) for picture in pictures]) for title, pictures in rows]
    count = max([len(columns), *(len(pictures) for _, pictures in drawn)])
    widths = [_column_width(drawn, columns, i, font) for i in range(count)]
    heights = [max([line_height(font), *(p.height for p in row if p)]) for _, row in drawn]
    titles = [_wrap(title, 120, font) for title, _ in drawn]
    heights = [
        max(height, line_height(font) * len(lines))
        for height, lines in zip(heights, titles, strict=True)
    ]
    left = max([0, *(_width(line, font) for lines in titles for line in lines)])
    left += 2 * _MARGIN if left else _MARGIN
    top = line_height(font) + 2 * _MARGIN if any(columns) else _MARGIN
    size = left + sum(widths) + _MARGIN * count, top + sum(heights) + _MARGIN * len(drawn)
    sheet = Image.new("RGB", size, (255, 255, 255))
    pen = ImageDraw.Draw(sheet)
    x = left
    for title, width in zip(columns, widths, strict=False):
        pen.text((x + (width - _width(title, font)) // 2, _MARGIN), title, _INK, font)
        x += width + _MARGIN
    y = top
    for (_, pictures), lines, height in zip(drawn, titles, heights, strict=True):
        start = y + (height - line_height(font) * len(lines)) // 2
        for number, line in enumerate(lines):
            pen.text((_MARGIN, start + number * line_height(font)), line, _INK, font)
        x = left
        for picture, width in zip(pictures, widths, strict=False):
            if picture is not None:
                sheet.paste(picture, (x + (width - picture.width) // 2, y))
            x += width + _MARGIN
        y += height + _MARGIN
    return sheet


def line_height(font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    """Height of a line of text in pixels."""
    return int(font.getbbox("Ágpy")[3]) + 3


def _enlarge(picture: Image.Image | None) -> Image.Image | None:
    if picture is None or max(picture.size) > _SMALL:
        return picture
    return picture.resize((picture.width * 2, picture.height * 2), Image.Resampling.NEAREST)


def _column_width(
    rows: Sequence[tuple[str, Sequence[Image.Image | None]]],
    columns: Sequence[str],
    number: int,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> int:
    pictures = [row[number] for _, row in rows if number < len(row)]
    title = _width(columns[number], font) if number < len(columns) else 0
    return max([1, title, *(picture.width for picture in pictures if picture is not None)])


def _width(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    return int(font.getlength(text))


def _wrap(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    """Breaks a title into lines at spaces."""
    lines: list[str] = []
    for word in text.split():
        if lines and _width(f"{lines[-1]} {word}", font) <= width:
            lines[-1] = f"{lines[-1]} {word}"
        else:
            lines.append(word)
    return lines
