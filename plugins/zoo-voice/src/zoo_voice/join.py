"""Puts overlapping stretches of synthetic speech together so that nobody hears the joins.

Two syntheses of the same frames differ in the phase of their pulses. A join is made where it is
quietest; where that is no pause, the later stretch is moved by at most `SHIFT` samples to where
the waves agree.
"""

from __future__ import annotations

import tempfile
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from zoo_voice.cepstrum import Floats

SHIFT = 160
"""Most samples by which a stretch is moved: 10 ms. Both ways: a whole period of 50 Hz and more."""
FADE = 160
"""Samples in which one stretch gives way to the next."""
_CONTEXT = 320  # samples that must agree
_FAR = 0.1  # what a shift of SHIFT costs, in correlation
_PAUSE = 1e-2  # power, relative to the loudest, below which phases do not matter: -20 dB
IN_MEMORY = 1 << 20
"""Samples of an output that are kept in memory; a longer one goes to a file that has no name."""


class Joiner:
    """Takes stretches in order of time; `finish` gives the whole.

    Only the latest stretch is in memory, and the output as far as it is short.
    """

    def __init__(self) -> None:
        self._held: Floats = np.zeros(0)
        self._start = 0  # of what is held, in samples of the output
        self._parts: list[npt.NDArray[np.float32]] = []
        self._count = 0
        self._file: BinaryIO | None = None

    def add(self, wave: Floats, begin: int) -> None:
        """Adds a stretch (n,) that begins at sample ``begin``, ahead of the end of the last."""
        offset = begin - self._start
        overlap = min(len(self._held) - offset, len(wave))
        if not len(self._held) or overlap < FADE + 2 * SHIFT + _CONTEXT:
            self._append(begin)
            self._held, self._start = wave, begin
            return
        at, shift = seam(self._held[offset : offset + overlap], wave[:overlap])
        fade = 0.5 - 0.5 * np.cos(np.pi * (np.arange(FADE) + 0.5) / FADE)  # (FADE,)
        first = offset + at - FADE // 2  # in what is held
        second = at + shift - FADE // 2  # in the new stretch
        mixed = (1 - fade) * self._held[first : first + FADE] + fade * wave[second : second + FADE]
        self._write(self._held[:first])
        self._write(mixed)
        self._held = wave[second + FADE :]
        self._start = begin + at + FADE // 2

    def finish(self, count: int) -> npt.NDArray[np.float32]:
        """(count,) all of it, cut or filled up with silence."""
        self._append(count)
        if self._file is None:
            return np.concatenate(self._parts) if self._parts else np.zeros(0, np.float32)
        self._file.flush()
        return np.memmap(cast("Any", self._file), np.float32, "r", shape=(count,))

    def close(self) -> None:
        """Lets go of the file; what `finish` gave stays readable."""
        if self._file is not None:
            self._file.close()

    def _append(self, end: int) -> None:
        """Writes what is held, so that the output ends at sample ``end``."""
        wanted = max(0, end - self._start)
        self._write(self._held[:wanted])
        self._write(np.zeros(max(0, wanted - len(self._held))))

    def _write(self, part: Floats) -> None:
        self._parts.append(part.astype(np.float32))
        self._count += len(part)
        if self._count > IN_MEMORY:
            if self._file is None:
                self._file = cast("BinaryIO", tempfile.TemporaryFile(prefix="zoo-voice-"))  # noqa: SIM115
            for kept in self._parts:
                self._file.write(kept.tobytes())
            self._parts.clear()


def seam(before: Floats, after: Floats) -> tuple[int, int]:
    """Where and how two stretches of the same time are best joined.

    Args:
        before: (n,) the earlier stretch's version.
        after: (n,) the later one's.

    Returns:
        The sample at which to go over, and by how many samples later ``after`` is read there.
    """
    count, margin = len(before), SHIFT + max(FADE, _CONTEXT) // 2
    loudness = np.convolve(before**2 + after**2, np.ones(_CONTEXT) / _CONTEXT, "same")  # (n,)
    low = max(margin, count // 4)
    high = max(low + 1, min(count - margin, 2 * count // 4))
    at = low + int(np.argmin(loudness[low:high]))
    if loudness[at] < _PAUSE * loudness.max():
        return at, 0
    half = _CONTEXT // 2
    wanted = before[at - half : at + half]  # (_CONTEXT,)
    region = after[at - half - SHIFT : at + half + SHIFT]  # (_CONTEXT + 2 * SHIFT,)
    views = np.lib.stride_tricks.sliding_window_view(region, _CONTEXT)  # (2 * SHIFT + 1, _CONTEXT)
    norms = np.linalg.norm(views, axis=1) * np.linalg.norm(wanted) + 1e-9  # (2 * SHIFT + 1,)
    shifts = np.arange(-SHIFT, SHIFT + 1)  # (2 * SHIFT + 1,)
    agreement = views @ wanted / norms - _FAR * np.abs(shifts) / SHIFT  # (2 * SHIFT + 1,)
    return at, int(shifts[int(np.argmax(agreement))])
