"""What a speaker encoder would hear of mel-cepstra, without synthesis: gradients pass.

Shapes: N words, T frames of 5 ms, Q coefficients, F bins, B mel bands, K pitches.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo_voice.cepstrum import FLOOR, Floats, warped_cosines
from zoo_voice.evaluate.listeners import BANDS, FFT, HOP, LOUDNESS, PART
from zoo_voice.mel import mel_filters
from zoo_voice.world import F0_HIGH, F0_LOW, RATE
from zoo_voice.world import HOP as WORLD_HOP

_EVERY = HOP // WORLD_HOP  # frames of WORLD from one of the encoder's to the next
_RATIO = 1.01  # of one pitch to the next
_PITCHES = int(np.log(F0_HIGH / F0_LOW) / np.log(_RATIO)) + 2


def pitch_numbers(f0: npt.ArrayLike) -> Tensor:
    """(F,) numbers of the harmonics that frames have: 0 for none, else by their F0 (F,) in Hz."""
    pitches = np.asarray(f0, np.float64)  # (F,)
    voiced = np.log(np.clip(pitches, F0_LOW, F0_HIGH) / F0_LOW) / np.log(_RATIO)  # (F,)
    return torch.from_numpy(np.where(pitches > 0, 1 + np.rint(voiced), 0).astype(np.int64))


class Hearing(nn.Module):
    """Mel energies of words from their mel-cepstra, pitch and length.

    A frame of the encoder sees 25 ms, where a voice of 100 Hz has harmonics of its own in the
    lower bands: the envelope times the spectrum of pulses at that pitch.

    Args:
        order: Q, the number of the last coefficient.
    """

    basis: Tensor
    harmonics: Tensor
    filters: Tensor

    def __init__(self, order: int) -> None:
        super().__init__()
        constants = {
            "basis": warped_cosines(order, FFT // 2 + 1),  # (Q + 1, F)
            "harmonics": _harmonics(),  # (K, F)
            "filters": np.sum(np.hanning(FFT + 1) ** 2) * mel_filters(BANDS, FFT),  # (F, B)
        }
        for name, values in constants.items():
            tensor = torch.from_numpy(values.astype(np.float32))
            self.register_buffer(name, tensor, persistent=False)

    def forward(self, cepstrum: Tensor, pitch: Tensor, spoken: Tensor) -> Tensor:
        """(N, 160, B) energies, 0 after the end of a word.

        Args:
            cepstrum: (N, T, Q + 1) c0, c1 ...
            pitch: (N, T) `pitch_numbers`.
            spoken: (N, T) whether a frame belongs to the word.
        """
        own = spoken[:, ::_EVERY, None].to(cepstrum)  # (N, T', 1)
        power = torch.exp(cepstrum[:, ::_EVERY] @ self.basis) * own  # (N, T', F)
        count = own.sum((1, 2)).clamp_min(1)[:, None, None] * power.shape[2]  # (N, 1, 1)
        floor = FLOOR * power.sum((1, 2), keepdim=True) / count  # (N, 1, 1)
        power = torch.maximum(power - floor, floor / 100) * own  # (N, T', F)
        power = power * self.harmonics[pitch[:, ::_EVERY]]  # (N, T', F)
        level = power.sum((1, 2), keepdim=True) / count  # (N, 1, 1)
        power = power * (LOUDNESS**2 / level.clamp_min(1e-12)).clamp_min(1)  # (N, T', F)
        return functional.pad(power @ self.filters, (0, 0, 0, PART - power.shape[1]))  # (N, 160, B)


def _harmonics() -> Floats:
    """(K, F) power of pulses at each pitch as a frame sees it, with mean 1; flat without pitch."""
    fine, window = 1 << 14, np.hanning(FFT + 1)[:FFT]
    response = np.abs(np.fft.rfft(window, fine)) ** 2  # (fine / 2 + 1,)
    near = np.fft.rfftfreq(fine, 1 / RATE)  # (fine / 2 + 1,) Hz
    bins = np.linspace(0, RATE / 2, FFT // 2 + 1)  # (F,) Hz
    rows = [np.ones(len(bins))]
    for number in range(_PITCHES):
        f0 = F0_LOW * _RATIO**number
        apart = np.abs(bins[:, None] - f0 * np.arange(1, RATE / 2 / f0 + 1))  # (F, harmonics)
        row = np.interp(apart, near, response).sum(1)  # (F,)
        rows.append(row / row.mean())
    return np.stack(rows)
