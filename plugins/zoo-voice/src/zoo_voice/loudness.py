"""Which frames of a recording are speech: by their energy, against the loudest of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from zoo_voice.cepstrum import Floats

LOUD_DB = 30.0
"""Frames quieter than the loudest by more than this are no part of a voice: nothing is learnt from
them, and nothing is compared."""
TRIM_DB = 35.0
"""Frames quieter than the loudest by more than this are silence at the ends of a recording."""
MARGIN = 6
"""Frames of such silence that are kept at either end: 30 ms."""


def loud(energy: Floats, within: float = LOUD_DB) -> npt.NDArray[np.bool_]:
    """(T,) whether each frame is within so many dB of the loudest.

    Args:
        energy: (T,) c0, the mean of the log amplitude.
        within: Decibels.
    """
    decibels = 20 / np.log(10) * energy  # (T,)
    result: npt.NDArray[np.bool_] = decibels > decibels.max() - within  # (T,)
    return result


def trimmed(energy: Floats) -> slice:
    """The frames of a recording between silence at its ends; ``energy`` (T,) as for `loud`."""
    frames = np.flatnonzero(loud(energy, TRIM_DB))
    return slice(max(0, int(frames[0]) - MARGIN), int(frames[-1]) + 1 + MARGIN)
