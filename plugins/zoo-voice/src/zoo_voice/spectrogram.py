"""Pictures of recordings: spectrograms with an axis of time and one of frequency."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from zoo_images.save import save
from zoo_images.sheet import draw as grid
from zoo_voice.audio import BLOCK, Sound, blocks
from zoo_voice.cepstrum import Floats
from zoo_voice.world import HOP, RATE

LONGEST = 8.0
"""Seconds that are drawn of a longer recording."""
RANGE = 60.0
"""Decibels from the loudest to black."""
SHADES = 192
"""Colours of a sheet: half of the bytes."""
_FFT, _SPAN = 512, 400  # samples: 32 ms, of which 25 ms are seen
_HEIGHT, _WIDEST, _SHEET = 160, 480, 1500  # pixels: a picture, a short one at most, all of a row
_LEFT, _BELOW, _ABOVE, _RIGHT = 42, 18, 7, 20  # margins of a picture, for its axes
_FONT_SIZE, _INK = 11, (70, 70, 70)
_COLOURS = np.array(  # from silent to loud
    [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]], np.float64
)
_STEPS = (0.1, 0.2, 0.5, 1.0, 2.0)  # seconds between ticks


def draw(
    rows: Iterable[tuple[str, Sequence[tuple[Path | Sound, str]]]],
    columns: Sequence[str],
    path: Path,
) -> None:
    """Writes a labelled grid of spectrograms that share one scale of time.

    Each is coloured relative to its own loudest point, over `RANGE` decibels.

    Args:
        rows: Title of each row, and its recordings with what to call each in errors.
        columns: Title of each column.
        path: Where to.
    """
    values = [
        (title, [decibels(beginning(source, name)) for source, name in sounds])
        for title, sounds in rows
    ]
    longest = max(len(part) for _, row in values for part in row)
    count = max(len(row) for _, row in values)
    scale = min(4, max(1, min(_WIDEST, _SHEET // count) // longest))
    drawn = [(title, [picture(part, scale, longest) for part in row]) for title, row in values]
    fewer = grid(drawn, columns).quantize(SHADES, dither=Image.Dither.NONE).convert("RGB")
    save(fewer, path, "PNG")


def beginning(source: Path | Sound, name: str) -> Floats:
    """(n,) the first `LONGEST` seconds at 16 kHz; no more of the recording is read."""
    count = round(LONGEST * RATE)
    parts = list(islice(blocks(source, name=name), 2 + 6 * count // BLOCK))
    return np.concatenate(parts)[:count]


def decibels(samples: npt.ArrayLike) -> Floats:
    """(T, F) levels of frames of 5 ms in dB relative to the loudest, at least -`RANGE`.

    Args:
        samples: (n,) mono at 16 kHz; frame t is centred on sample ``80 * t``.
    """
    x = np.pad(np.asarray(samples, np.float64), _SPAN // 2)  # (n + 400,)
    views = np.lib.stride_tricks.sliding_window_view(x, _SPAN)[::HOP]  # (T, 400)
    spectrum = np.fft.rfft(views * np.hanning(_SPAN), _FFT)  # (T, F)
    power = np.abs(spectrum) ** 2  # (T, F)
    floor = 10 ** (-RANGE / 10) * max(float(power.max()), 1e-20)
    result: Floats = 10 * np.log10(np.maximum(power, floor) / floor) - RANGE  # (T, F)
    return result


def picture(levels: Floats, scale: int, frames: int) -> Image.Image:
    """One spectrogram (T, F), low frequencies below, with its axes.

    Args:
        levels: What `decibels` gives.
        scale: Pixels a frame.
        frames: Frames for which there is room, at least T.
    """
    share = np.clip(1 + levels / RANGE, 0, 1)  # (T, F)
    stops = np.linspace(0, 1, len(_COLOURS))
    colours = np.stack([np.interp(share, stops, shade) for shade in _COLOURS.T], axis=-1)
    rgb = np.ascontiguousarray(colours.transpose(1, 0, 2)[::-1].round().astype(np.uint8))
    size = len(levels) * scale, _HEIGHT
    image = Image.fromarray(rgb).resize(size, Image.Resampling.BILINEAR)
    room = _LEFT + frames * scale + _RIGHT, _ABOVE + _HEIGHT + _BELOW
    whole = Image.new("RGB", room, (255, 255, 255))
    whole.paste(image, (_LEFT, _ABOVE))
    _axes(ImageDraw.Draw(whole), size[0], scale)
    return whole


def _axes(pen: Any, width: int, scale: int) -> None:
    """Ticks and labels: kHz on the left, seconds below."""
    font = ImageFont.load_default(_FONT_SIZE)
    bottom = _ABOVE + _HEIGHT
    for kilohertz in range(0, RATE // 2000 + 1, 2):
        y = bottom - round(_HEIGHT * kilohertz / (RATE / 2000))
        pen.line((_LEFT - 4, y, _LEFT - 1, y), _INK)
        label = f"{kilohertz} kHz" if kilohertz else "0"
        pen.text((_LEFT - 6, y), label, _INK, font, anchor="rm")
    second = scale * RATE / HOP  # pixels
    step = next((step for step in _STEPS if step * second >= 60), _STEPS[-1])
    for number in range(int(width / second / step) + 1):
        x = _LEFT + round(number * step * second)
        pen.line((x, bottom, x, bottom + 3), _INK)
        pen.text((x, bottom + 4), f"{number * step:g} s", _INK, font, anchor="ma")
