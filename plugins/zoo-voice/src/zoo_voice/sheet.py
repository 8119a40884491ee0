"""Pictures of samples: the spectral envelope of each, as the nets see it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from zoo_images.save import save
from zoo_images.sheet import draw as grid
from zoo_voice.cepstrum import envelope

_BINS = 129
_SCALE = 2  # pixels a frame, and for each bin of a picture half as high


def draw(rows: Sequence[tuple[str, Sequence[Tensor]]], columns: Sequence[str], path: Path) -> None:
    """Writes a labelled grid of spectral envelopes, low frequencies below, time to the right.

    What is drawn is the deviation from the mean of the voice, so that inputs and translations can
    be compared: a grey frame sounds like the voice on average.

    Args:
        rows: Title and signals (order, T) of each row.
        columns: Title of each column.
        path: Where to.
    """
    drawn = [(title, [picture(signal) for signal in signals]) for title, signals in rows]
    save(grid(drawn, columns), path, "PNG")


def picture(signal: Tensor) -> Image.Image:
    """One signal (order, T) as a grey picture: 40 dB from black to white."""
    timbre = signal.detach().cpu().double().numpy().T  # (T, order)
    whole = np.pad(0.1 * timbre, ((0, 0), (1, 0)))  # (T, 1 + order), a typical deviation is 0.1
    decibels = 10 * np.log10(envelope(whole, _BINS))  # (T, bins)
    grey = np.clip((decibels + 20) / 40 * 255, 0, 255).astype(np.uint8)  # (T, bins)
    image = Image.fromarray(np.ascontiguousarray(grey.T[::-1]))
    size = (_SCALE * image.width, image.height)
    return image.resize(size, Image.Resampling.BILINEAR).convert("RGB")
