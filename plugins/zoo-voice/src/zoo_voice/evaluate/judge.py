"""Judges of speech: small nets that say who speaks, or which word is said.

A judge directory is that of a judge of pictures: ``judge.safetensors`` and ``judge.yaml``, a
`zoo_core.evaluate.judge_card.JudgeCard` whose architecture is ``speech``; its ``arguments`` hold
the highest frequency that is heard, and its ``size`` the number of mel bands.
Shapes: N batch, B mel bands, T frames of 10 ms, K classes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn import functional as F

from zoo_core.errors import DataError, WeightsError
from zoo_core.evaluate.judge_card import JudgeCard
from zoo_core.files import replacing
from zoo_core.nets.classifier_card import CARD, WEIGHTS
from zoo_voice.cepstrum import Floats
from zoo_voice.evaluate.recipes import WIDTHS
from zoo_voice.world import RATE

ARCHITECTURE = "speech"
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


def inside(lengths: Tensor, frames: int) -> Tensor:
    """(N, 1, frames) 1 inside each signal, 0 beyond it."""
    within = torch.arange(frames) < lengths[:, None]  # (N, frames)
    return within[:, None].float()


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

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(N, K) logits of signals ``x`` (N, B, T) that are ``lengths`` (N,) frames long."""
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
        y: Tensor = self.head(self.dropout(torch.cat([mean, deviation], 1)))  # (N, K)
        return y  # (N, K)


class SpeechJudge:
    """A trained judge: its net and its card.

    Args:
        net: The classifier.
        card: What is known of it.
    """

    def __init__(self, net: SpeechJudgeNet, card: JudgeCard) -> None:
        self.net, self.card = net.eval(), card

    @property
    def highest(self) -> float:
        """Frequency (Hz) up to which it hears."""
        return float(self.card.arguments["highest"])

    @torch.no_grad()
    def says(self, recordings: Sequence[Floats]) -> list[str]:
        """The class of each recording (n,) at 16 kHz."""
        said = []
        for start in range(0, len(recordings), 64):
            some = [hear(samples, self.highest) for samples in recordings[start : start + 64]]
            best = self.net(*together(some)).argmax(1).tolist()  # (N,)
            said += [self.card.classes[number] for number in best]
        return said

    def share(self, recordings: Sequence[Floats], wanted: Sequence[str]) -> float:
        """The share of recordings of which it says what is wanted, 0 to 1."""
        said = self.says(recordings)
        right = sum(one == other for one, other in zip(said, wanted, strict=True))
        return right / max(1, len(said))

    def save(self, directory: Path) -> SpeechJudge:
        """Writes the judge directory, the card last; returns the judge with hash and size."""
        data = save({k: v.contiguous() for k, v in self.net.state_dict().items()})
        self.card = self.card.model_copy(
            update={"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        )
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in ((WEIGHTS, data), (CARD, self.card.to_yaml().encode())):
            with replacing(directory / name) as part:
                part.write_bytes(content)
        return self

    @classmethod
    def load(cls, directory: Path) -> SpeechJudge:
        """Reads a judge directory.

        Raises:
            DataError: If it is none, or one of another architecture.
            WeightsError: If its weights are missing, damaged or not those of its card.
        """
        card, asked = JudgeCard.read(directory), f"judge {directory}"
        if card.architecture != ARCHITECTURE or "highest" not in card.arguments:
            raise DataError(
                f"it is of architecture {card.architecture}, no judge of speech", asked=asked
            )
        path = directory / WEIGHTS
        data = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(data).hexdigest() != card.sha256:
            raise WeightsError(
                f"{WEIGHTS} is not the file that its card describes",
                asked=asked,
                hint="Restore it, or remove the directory to have the judge trained again.",
            )
        net = SpeechJudgeNet(len(card.classes), card.size, card.widths)
        try:
            net.load_state_dict(load(data))
        except (RuntimeError, SafetensorError) as error:
            raise WeightsError(
                "the weights do not fit the net that the card describes: "
                + " ".join(str(error).split()),
                asked=asked,
                hint="Remove the directory to have the judge trained again.",
            ) from error
        return cls(net, card)


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
