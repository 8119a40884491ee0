"""Draws twelve emoji in the styles of four vendors, offline: ``make demo``.

    python examples/demo.py out/demo/emoji.png

Each emoji is read from one vendor's drawing; the others are translations by `stargan-emoji`, which
has not seen any of the twelve.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

EMOJI = Path(__file__).with_name("emoji")
VENDORS = {"noto": "Noto", "twemoji": "Twemoji", "openmoji": "OpenMoji", "fluent": "Fluent"}
INPUTS = (
    "noto/1f36a", "noto/1f62d", "noto/1f345", "noto/1f337",
    "twemoji/1f601", "twemoji/1f44d", "twemoji/1f33b",
    "fluent/1f433", "fluent/1f349", "fluent/1f5fc",
    "openmoji/1f3c0", "openmoji/1f682",
)  # fmt: skip
TITLE = "One network, four ways to draw an emoji"
ABOUT = "The drawing on blue is the input; zoo's stargan-emoji makes the other three of it."
CREDIT = (
    "Inputs: Noto Emoji (Apache-2.0), Twemoji (CC BY 4.0), OpenMoji (CC BY-SA 4.0), "
    "Fluent Emoji (MIT). None of these twelve was in the training data."
)
PAGE, CARD, TINT, INK, PALE = "#eef1f5", "#ffffff", "#d9e6fb", "#1f2733", "#66707d"
SIDE, GAP, MARGIN, ROWS = 128, 14, 48, 6
CELL = SIDE + GAP


def main(path: Path) -> None:
    """Translates and writes the sheet."""
    print("Loading stargan-emoji …", flush=True)
    import zoo  # here, so that the line above is there at once: it takes some seconds

    translator = zoo.load("stargan-emoji")
    rows = []
    for number, name in enumerate(INPUTS, 1):
        source, code = name.split("/")
        targets = [vendor for vendor in VENDORS if vendor != source]
        print(f"{number:2} of {len(INPUTS)}: {code} {source} → {', '.join(targets)}", flush=True)
        picture = EMOJI / f"{name}.png"
        made = {vendor: translator(str(picture), to=vendor) for vendor in targets}
        rows.append({source: original(picture), **made})
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet(rows).save(path, optimize=True)
    print(f"Wrote {path}")


def original(path: Path) -> Image.Image:
    """An input on a tinted tile, (SIDE, SIDE)."""
    picture = Image.open(path).convert("RGBA").resize((SIDE, SIDE))
    return Image.alpha_composite(Image.new("RGBA", picture.size, TINT), picture)


def sheet(rows: list[dict[str, Image.Image]]) -> Image.Image:
    """A card per emoji, with a picture per vendor; ROWS cards under one another."""
    blocks = [rows[start : start + ROWS] for start in range(0, len(rows), ROWS)]
    wide, top = len(VENDORS) * CELL + GAP, 170
    width = 2 * MARGIN + len(blocks) * wide + (len(blocks) - 1) * 2 * GAP
    page = Image.new("RGB", (width, top + ROWS * (CELL + 2 * GAP) + MARGIN), PAGE)
    pen = ImageDraw.Draw(page)
    pen.text((MARGIN, 36), TITLE, INK, ImageFont.load_default(40))
    pen.text((MARGIN, 90), ABOUT, PALE, ImageFont.load_default(21))
    pen.text((MARGIN, page.height - 38), CREDIT, PALE, ImageFont.load_default(15))
    for number, block in enumerate(blocks):
        left = MARGIN + number * (wide + 2 * GAP)
        for column, label in enumerate(VENDORS.values()):
            middle = left + GAP + column * CELL + SIDE // 2
            pen.text((middle, top - 24), label, INK, ImageFont.load_default(20), anchor="mm")
        for row, pictures in enumerate(block):
            y = top + row * (CELL + 2 * GAP)
            pen.rounded_rectangle((left, y, left + wide, y + CELL + GAP), 20, CARD)
            for column, vendor in enumerate(VENDORS):
                place = left + GAP + column * CELL, y + GAP
                page.paste(pictures[vendor].resize((SIDE, SIDE)), place, corners())
    return page


def corners() -> Image.Image:
    """What is shown of a picture: all but its corners."""
    mask = Image.new("L", (4 * SIDE, 4 * SIDE))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, 4 * SIDE - 1, 4 * SIDE - 1), 72, 255)
    return mask.resize((SIDE, SIDE))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
