"""Judges of speech: small nets that say who speaks, or which word is said.

A judge directory is that of any judge: ``judge.safetensors`` and ``judge.yaml``, a
`zoo_evaluate.judge_card.JudgeCard` whose architecture is ``speech``.
Shapes: N batch, B mel bands, T frames of 10 ms, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo_core.contracts.signals import TensorSpec
from zoo_core.errors import UsageError, unknown
from zoo_nn.nets.judge_architecture import Changes, ClassifierOutput, JudgeArchitecture
from zoo_voice.audio import Sound, load
from zoo_voice.cepstrum import Floats
from zoo_voice.evaluate.augment import augment, inside, widely
from zoo_voice.evaluate.recipes import WIDTHS
from zoo_voice.evaluate.scene import without_silence
from zoo_voice.store import threads
from zoo_voice.world import RATE

ARCHITECTURE = "speech"
HIGHEST = 7600.0
"""Frequency (Hz) up to which a judge hears unless its card says otherwise."""
BANDS = 40
"""Mel bands."""
LOWEST = 80.0
"""Frequency (Hz) where they begin."""
QUIET = 1e-4
"""What is fainter than this part of the mean is not heard."""
_FFT, _WINDOW, _HOP = 512, 400, 160
_DEPTH = 9.0  # about -log(QUIET): scales features to a deviation of about 1


def hear(samples: Floats, highest: float) -> Tensor:
    """(B, T) log-mel energies of speech (n,) at 16 kHz, whatever its loudness.

    Args:
        samples: The speech.
        highest: Frequency (Hz) at which the bands end.
    """
    x = torch.from_numpy(np.ascontiguousarray(samples, np.float32))  # (n,)
    x = F.pad(x, (0, max(0, _FFT - len(x))))  # (n',)
    window = torch.hann_window(_WINDOW)
    spectrum = torch.stft(x, _FFT, _HOP, _WINDOW, window, return_complex=True)  # (F, T)
    energy = _filters(highest) @ spectrum.abs().square()  # (B, T)
    return torch.log(energy / energy.mean().clamp_min(1e-12) + QUIET) / _DEPTH + 0.5  # (B, T)


def together(signals: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Signals (B, T) of any lengths as one batch (N, B, T'), and their lengths (N,)."""
    lengths = torch.tensor([signal.shape[-1] for signal in signals])  # (N,)
    longest = int(lengths.max())
    padded = [F.pad(signal, (0, longest - signal.shape[-1])) for signal in signals]
    return torch.stack(padded), lengths


class SpeechJudgeNet(nn.Module):
    """Three convolutions over time, mean and deviation over the frames, one linear layer.

    What a signal is padded with has no influence on what is said of it.

    Args:
        classes: Number of classes.
        bands: Mel bands.
        widths: Channels of the convolutions.
    """

    def __init__(self, classes: int, bands: int = BANDS, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        pairs = list(zip((bands, *widths), widths, strict=False))
        self.convolutions = nn.ModuleList(
            nn.Conv1d(a, b, 5, stride=1 if i == 0 else 2, padding=2, bias=False)
            for i, (a, b) in enumerate(pairs)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in widths)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(2 * widths[-1], classes)

    def forward(self, x: Tensor, lengths: Tensor) -> ClassifierOutput:
        """Judges signals ``x`` (N, B, T) that are ``lengths`` (N,) frames long."""
        within = inside(lengths, x.shape[-1])  # (N, 1, T)
        x = x * within  # (N, B, T)
        for number, (convolution, norm) in enumerate(
            zip(self.convolutions, self.norms, strict=True)
        ):
            if number:
                lengths = (lengths + 1) // 2  # (N,)
            x = F.relu(norm(convolution(x)))  # (N, C, T')
            within = inside(lengths, x.shape[-1])  # (N, 1, T')
            x = x * within  # (N, C, T')
        count = within.sum(-1)  # (N, 1)
        mean = x.sum(-1) / count  # (N, C)
        apart = (x - mean[..., None]) * within  # (N, C, T')
        deviation = (apart.square().sum(-1) / count + 1e-5).sqrt()  # (N, C)
        features = torch.cat([mean, deviation], 1)  # (N, 2 C)
        return ClassifierOutput(self.head(self.dropout(features)), features)  # (N, K), (N, 2 C)


class SpeechArchitecture(JudgeArchitecture):
    """``speech``: reads whole recordings, as log-mel energies.

    The card's ``size`` is the number of mel bands, and its argument ``highest`` the frequency (Hz)
    up to which it hears.
    """

    signal, whole = "speech", True
    size, widths, rate = BANDS, WIDTHS, 3e-3

    @classmethod
    def form(cls, size: int) -> TensorSpec:
        """Mel-cepstra, of which nothing is read: judges hear the recordings themselves."""
        return TensorSpec(cls.signal, (24, 128), None, None, 4, 1)

    @property
    def highest(self) -> float:
        """Frequency (Hz) up to which it hears.

        Raises:
            UsageError: If the card's arguments have another key, or no such frequency.
        """
        known = {"highest": HIGHEST, **self.card.arguments}
        value = known.pop("highest")
        if known:
            raise unknown("argument of a judge of speech", next(iter(known)), ["highest"])
        if not isinstance(value, int | float) or not LOWEST < value <= RATE / 2:
            raise UsageError(
                f"it is not a frequency between {LOWEST:g} and {RATE / 2:g} Hz",
                asked=f"highest={value}",
            )
        return float(value)

    def make_net(self) -> SpeechJudgeNet:
        """A `SpeechJudgeNet` of the card's widths."""
        if self.card.size != BANDS:
            raise UsageError(
                f"it hears {BANDS} mel bands",
                asked=f"judge of speech of size {self.card.size}",
                hint="Leave the size out.",
            )
        _ = self.highest  # refuses arguments before anything is trained
        return SpeechJudgeNet(len(self.card.classes), self.card.size, self.card.widths or WIDTHS)

    def prepare(self, signals: Sequence[Any]) -> list[Tensor]:
        """(B, T) log-mel energies of each recording.

        Args:
            signals: Paths or `zoo_voice.audio.Sound`, whose silent ends are cut; or samples (n,) at
                16 kHz, which are heard as they are.
        """
        highest = self.highest
        with ThreadPoolExecutor(threads()) as pool:
            samples = list(pool.map(_samples, signals))
        return [hear(one, highest) for one in samples]

    def inputs(self, prepared: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The signals as one batch (N, B, T), and their lengths (N,)."""
        return together(prepared)

    def augment(
        self, inputs: tuple[Tensor, ...], changes: Changes, rng: torch.Generator
    ) -> tuple[Tensor, ...]:
        """See `zoo_voice.evaluate.augment`; wide changes are for words that few voices say."""
        x, lengths = inputs  # (N, B, T), (N,)
        if changes.wide:
            x, lengths = widely(x, lengths, rng)
        return augment(x, lengths, rng), lengths

    @property
    def features(self) -> int:
        """Mean and deviation of each channel."""
        return 2 * (self.card.widths or WIDTHS)[-1]


def _samples(signal: Any) -> Floats:
    """(n,) at 16 kHz of a recording in any of its forms."""
    if isinstance(signal, Path | Sound):
        samples, _ = load(signal, name=str(signal) if isinstance(signal, Path) else "recording")
        return without_silence(samples)
    found: Floats = np.asarray(signal, np.float64)
    return found


@lru_cache(maxsize=8)
def _filters(highest: float) -> Tensor:
    """(B, F) triangular filters, evenly spaced in mel (2595 log10(1 + f / 700))."""
    edges = torch.linspace(_mel(LOWEST), _mel(highest), BANDS + 2)  # (B + 2,)
    edges = 700 * (10 ** (edges / 2595) - 1)  # (B + 2,) Hz
    bins = torch.linspace(0, RATE / 2, _FFT // 2 + 1)  # (F,)
    up = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]  # (B, F)
    down = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]  # (B, F)
    filters = torch.minimum(up, down).clamp_min(0)  # (B, F)
    return filters / filters.sum(1, keepdim=True).clamp_min(1e-6)


def _mel(frequency: float) -> float:
    return float(2595 * np.log10(1 + frequency / 700))
