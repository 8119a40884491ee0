"""Mel-cepstra of spectral envelopes, and back: all-pass warping of the cepstrum.

The recursion is that of Oppenheim and Johnson 1972, "Discrete representation of signals", as
linear maps; ``warping(inner, outer, alpha)`` holds it as a matrix.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

ALPHA = 0.42
"""All-pass constant that makes the frequency axis mel-like at 16 kHz."""
FLOOR = 1e-4
"""Added to a power spectrum, relative to its mean: envelopes of near-silence say nothing else."""


def mel_cepstrum(power: npt.ArrayLike, order: int, alpha: float = ALPHA) -> Floats:
    """The mel-cepstrum of spectral envelopes.

    Args:
        power: (T, F) power spectra of F = fft / 2 + 1 bins, all above 0.
        order: Number of the last coefficient.
        alpha: All-pass constant.

    Returns:
        (T, order + 1) coefficients of the log amplitude, c0 first.
    """
    logs = np.log(np.asarray(power, np.float64))  # (T, F)
    cepstrum = np.fft.irfft(logs, axis=-1)[..., : logs.shape[-1]]  # (T, F)
    cepstrum[..., 0] /= 2
    result: Floats = cepstrum @ warping(logs.shape[-1] - 1, order, alpha).T  # (T, order + 1)
    return result


def envelope(cepstrum: npt.ArrayLike, bins: int, alpha: float = ALPHA) -> Floats:
    """(T, bins) power spectra of mel-cepstra (T, order + 1): the inverse of `mel_cepstrum`.

    What lies beyond the order is lost, so that the envelope comes back smoothed.
    """
    values = np.asarray(cepstrum, np.float64)  # (T, order + 1)
    plain = values @ warping(values.shape[-1] - 1, bins - 1, -alpha).T  # (T, bins)
    plain[..., 0] *= 2
    mirrored = np.concatenate([plain, plain[..., -2:0:-1]], axis=-1)  # (T, 2 * bins - 2)
    result: Floats = np.exp(np.fft.rfft(mirrored, axis=-1).real)  # (T, bins)
    return result


def warped_cosines(order: int, bins: int, alpha: float = ALPHA) -> Floats:
    """(order + 1, bins) what one of each coefficient adds to the log power of an envelope."""
    result: Floats = np.log(envelope(np.eye(order + 1), bins, alpha))  # (order + 1, bins)
    return result


def floored(power: npt.ArrayLike) -> Floats:
    """(T, F) power spectra, raised by `FLOOR` of their mean."""
    values = np.asarray(power, np.float64)  # (T, F)
    result: Floats = values + FLOOR * values.mean()  # (T, F)
    return result


def unfloored(power: npt.ArrayLike) -> Floats:
    """(T, F) power spectra without what `floored` added, all above 0.

    Where nothing but the floor was, as above 4 kHz in recordings of 8 kHz, a hundredth of it is
    left. Speech that is analysed, synthesised and analysed again would else have the floor twice.
    """
    values = np.asarray(power, np.float64)  # (T, F)
    added = FLOOR * values.mean()
    result: Floats = np.maximum(values - added, added / 100)  # (T, F)
    return result


@lru_cache(maxsize=16)
def warping(inner: int, outer: int, alpha: float) -> Any:
    """(outer + 1, inner + 1) the matrix that warps cepstra of order ``inner``."""
    rows = np.zeros((outer + 1, inner + 1))  # (outer + 1, inner + 1)
    for column in range(inner, -1, -1):
        old = rows.copy()  # (outer + 1, inner + 1)
        rows[0] = alpha * old[0]
        rows[0, column] += 1.0
        if outer >= 1:
            rows[1] = (1 - alpha**2) * old[0] + alpha * old[1]
        for row in range(2, outer + 1):
            rows[row] = old[row - 1] + alpha * (old[row] - rows[row - 1])
    rows.setflags(write=False)
    return rows
