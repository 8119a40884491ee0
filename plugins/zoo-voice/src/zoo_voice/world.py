"""WORLD analysis and synthesis (Morise et al. 2016), at 16 kHz in frames of 5 ms.

F0 by DIO and StoneMask, the envelope by CheapTrick, aperiodicity by D4C. Everything is at 16 kHz:
at 8 kHz D4C takes nearly all voiced frames for noise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyworld

from zoo_voice.cepstrum import Floats, envelope, floored, mel_cepstrum, unfloored

RATE = 16_000
"""Samples a second, inside."""
HOP = 80
"""Samples from frame to frame: 5 ms."""
F0_FLOOR, F0_CEIL = 60.0, 500.0
"""Range (Hz) in which F0 is looked for."""
F0_LOW, F0_HIGH = 50.0, 600.0
"""Range (Hz) to which a converted F0 is clipped."""
THINNED = 2
"""Aperiodicity is found in one frame of so many, and lies on straight lines in between.

D4C looks at four periods, 8 to 67 ms, and would take more than half of an analysis. Measured on
voiced frames of four speakers, what lies in between is 0.3 to 0.6 dB off on average, where the
aperiodicity itself moves by 0.6 to 1.5 dB from frame to frame.
"""
_PERIOD = 1000 * HOP / RATE  # ms
_FFT = pyworld.get_cheaptrick_fft_size(RATE)


@dataclass(frozen=True)
class Analysis:
    """Speech, taken apart; frame t is centred on sample ``t * HOP``.

    Attributes:
        f0: (T,) fundamental frequency in Hz, 0 where unvoiced.
        cepstrum: (T, order + 1) mel-cepstrum, c0 (the energy) first.
        aperiodicity: (T, B) aperiodicity of a few bands, in dB.
    """

    f0: Floats
    cepstrum: Floats
    aperiodicity: Floats

    def __len__(self) -> int:
        return len(self.f0)

    def part(self, begin: int, end: int) -> Analysis:
        """The frames from ``begin`` to ``end``."""
        span = slice(begin, end)
        return Analysis(self.f0[span], self.cepstrum[span], self.aperiodicity[span])

    def with_voice(self, f0: Floats, timbre: Floats, energy: Floats | None = None) -> Analysis:
        """The same words with another F0 (T,), c1, c2 ... (T, order) and energy c0 (T,).

        Without ``energy`` its own is kept.
        """
        level = self.cepstrum[:, 0] if energy is None else energy  # (T,)
        return replace(self, f0=f0, cepstrum=np.column_stack([level, timbre]))


def analyse(samples: npt.ArrayLike, order: int) -> Analysis:
    """Takes speech apart.

    Args:
        samples: (n,) mono at `RATE`, within [-1, 1].
        order: Number of the last mel-cepstral coefficient.

    Returns:
        ``n // HOP + 1`` frames.
    """
    x = np.ascontiguousarray(samples, np.float64)  # (n,)
    f0, times, cepstrum = _parts(x, order)
    thin = slice(None, None, THINNED)
    pitch, places = (np.ascontiguousarray(values[thin]) for values in (f0, times))  # (T',)
    found = pyworld.d4c(x, pitch, places, RATE)  # (T', F)
    coded = pyworld.code_aperiodicity(found, RATE)  # (T', B)
    bands = [np.interp(times, places, band) for band in coded.T]  # (T,) each
    return Analysis(f0, cepstrum, np.stack(bands, axis=1))


def pitch_and_timbre(samples: npt.ArrayLike, order: int) -> tuple[Floats, Floats]:
    """F0 (T,) and mel-cepstra (T, order + 1) of `analyse` alone, in half of its time."""
    f0, _, cepstra = _parts(np.ascontiguousarray(samples, np.float64), order)
    return f0, cepstra


def synthesise(analysis: Analysis) -> Floats:
    """(n,) speech at `RATE`, ``(T - 1) * HOP`` samples: frame t is centred on ``t * HOP``."""
    power = unfloored(envelope(analysis.cepstrum, _FFT // 2 + 1))  # (T, F)
    coded = np.ascontiguousarray(analysis.aperiodicity)  # (T, B)
    aperiodicity = pyworld.decode_aperiodicity(coded, RATE, _FFT)  # (T, F)
    f0 = np.ascontiguousarray(analysis.f0)  # (T,)
    whole = pyworld.synthesize(f0, power, aperiodicity, RATE, _PERIOD)  # (n',)
    count = (len(analysis) - 1) * HOP
    result: Floats = np.pad(whole, (0, max(0, count - len(whole))))[:count]  # (n,)
    return result


def _parts(x: Floats, order: int) -> tuple[Floats, Floats, Floats]:
    """F0 (T,), times in seconds (T,) and mel-cepstra (T, order + 1) of samples (n,)."""
    coarse, times = pyworld.dio(x, RATE, F0_FLOOR, F0_CEIL, frame_period=_PERIOD)
    f0 = pyworld.stonemask(x, coarse, times, RATE)  # (T,)
    power = pyworld.cheaptrick(x, f0, times, RATE)  # (T, F)
    return f0, times, mel_cepstrum(floored(power), order)
