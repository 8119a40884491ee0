"""Mel bands as published nets for speech know them: triangles on Slaney's scale."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from zoo_voice.cepstrum import Floats
from zoo_voice.world import RATE


@lru_cache(maxsize=8)
def mel_filters(bands: int, fft: int, low: float = 0.0, high: float = RATE / 2) -> Floats:
    """(fft // 2 + 1, bands) triangles of area 1, from ``low`` to ``high`` Hz."""
    ends = np.linspace(*(_mel(np.array(hertz)) for hertz in (low, high)), bands + 2)  # (bands + 2,)
    corners = np.where(ends < 15, ends * 200 / 3, 1000 * 6.4 ** ((ends - 15) / 27))  # in Hz
    hertz = np.linspace(0, RATE / 2, fft // 2 + 1)[:, None]  # (F, 1)
    below, middle, above = corners[:-2], corners[1:-1], corners[2:]  # (bands,)
    rising = (hertz - below) / (middle - below)  # (F, bands)
    falling = (above - hertz) / (above - middle)  # (F, bands)
    filters: Floats = np.maximum(0, np.minimum(rising, falling)) * 2 / (above - below)  # (F, bands)
    filters.setflags(write=False)
    return filters


def _mel(hertz: Floats) -> Floats:
    """Slaney's mel scale: linear below 1,000 Hz, which is 15, then logarithmic."""
    logs = 15 + 27 * np.log(np.maximum(hertz, 1) / 1000) / np.log(6.4)
    result: Floats = np.where(hertz < 1000, hertz * 3 / 200, logs)
    return result
