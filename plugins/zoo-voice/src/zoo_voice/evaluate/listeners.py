"""Listeners that no model of the zoo has learnt to please: who is heard, and how natural it sounds.

Both come from packages (extra ``listeners``), with their weights; nothing is downloaded.
Shapes: n samples at 16 kHz, P parts of 1.6 s, T frames of 10 ms, B mel bands, E 256 embedding.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module, util
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo_core.errors import UsageError
from zoo_core.untrusted import verify
from zoo_voice.cepstrum import Floats
from zoo_voice.mel import mel_filters
from zoo_voice.world import RATE

INSTALL = 'pip install "zoo-voice[listeners]"'
SPEAKER_SHA256 = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
"""Of the weights in Resemblyzer 0.1.4."""
_SPEAKER_BYTES = 17_090_379
FFT, HOP, BANDS = 400, 160, 40
"""Samples that a frame of the encoder of voices sees, and from frame to frame; its mel bands."""
PART = 160
"""Frames that it embeds together: 1.6 s."""
LOUDNESS = 10 ** (-30 / 20)
"""Root mean square that fainter speech is raised to."""
_SIZE = 256
_STEP = 77  # frames from one part to the next: 1.3 parts a second
_COVERED = 0.75  # share of the last part that speech must fill


class SpeakerEncoder(nn.Module):
    """Resemblyzer's encoder of voices (Apache-2.0): GE2E, Wan et al. 2018, arXiv:1710.10467.

    Only the weights of the package are used: its own code cannot be imported where setuptools is
    new. Unlike there, pauses within speech are kept.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(BANDS, _SIZE, num_layers=3, batch_first=True)
        self.linear = nn.Linear(_SIZE, _SIZE)

    def forward(self, mel: Tensor) -> Tensor:
        """(P, E) unit vectors of mel energies (P, T, B)."""
        _, (hidden, _) = self.lstm(mel)  # (3, P, E)
        return F.normalize(F.relu(self.linear(hidden[-1])), dim=1)  # (P, E)

    @torch.inference_mode()
    def embed(self, samples: Floats) -> Floats:
        """(E,) the voice of speech (n,), a unit vector: the mean over parts that overlap."""
        level = float(np.sqrt(np.mean(np.square(samples))))
        speech = samples * max(1.0, LOUDNESS / max(level, 1e-9))  # (n,)
        starts = _starts(len(speech))
        missing = (starts[-1] + PART) * HOP - len(speech)
        mel = _mel(np.pad(speech, (0, max(0, missing))))  # (T, B)
        parts = torch.stack([mel[start : start + PART] for start in starts])  # (P, 160, B)
        mean = self(parts).mean(0)  # (E,)
        voice: Floats = F.normalize(mean, dim=0).double().numpy()  # (E,)
        return voice


def _starts(count: int) -> list[int]:
    """The first frames of the parts of so many samples."""
    frames = -(-(count + 1) // HOP)
    starts = list(range(0, max(1, frames - PART + _STEP + 1), _STEP))
    filled = (count - starts[-1] * HOP) / (PART * HOP)
    return starts[:-1] if filled < _COVERED and len(starts) > 1 else starts


def _mel(samples: Floats) -> Tensor:
    """(T, B) mel energies, not their logarithms."""
    x = torch.from_numpy(samples.astype(np.float32))  # (n,)
    spectrum = torch.stft(
        x, FFT, HOP, window=torch.hann_window(FFT), pad_mode="constant", return_complex=True
    )  # (F, T)
    energies = spectrum.abs().square().T.double() @ torch.from_numpy(mel_filters(BANDS, FFT).copy())
    return energies.float()  # (T, B)


@lru_cache(maxsize=1)
def speaker_encoder() -> SpeakerEncoder:
    """The encoder of `load_speaker_encoder`, loaded once."""
    return load_speaker_encoder()


def load_speaker_encoder() -> SpeakerEncoder:
    """The encoder with its published weights, frozen.

    Raises:
        UsageError: If the package is not installed.
        WeightsError: If its file is not the published one.
    """
    path = _package("resemblyzer", "who is heard") / "pretrained.pt"
    verify(path, sha256=SPEAKER_SHA256, size=_SPEAKER_BYTES)
    state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
    encoder = SpeakerEncoder()
    encoder.load_state_dict({name: state[name] for name in encoder.state_dict()})
    return encoder.requires_grad_(False).eval()


def naturalness(samples: Floats) -> float:
    """Opinion of speech (n,) as DNSMOS foretells it, 1 (bad) to 5 (excellent).

    "Overall" of P.835 (Reddy et al. 2022), by the package ``speechmos`` (MIT). Speech below 9 s
    is repeated, as the package does.

    Raises:
        UsageError: If the package is not installed.
    """
    needed("speechmos", "how natural it sounds")
    dnsmos = import_module("speechmos.dnsmos")
    peak = max(1.0, float(np.abs(samples).max()))
    return float(dnsmos.run(samples / peak, sr=RATE)["ovrl_mos"])


def at_hand() -> list[str]:
    """Those of the listeners' packages that are installed."""
    return [name for name in ("resemblyzer", "speechmos") if util.find_spec(name) is not None]


def needed(name: str, purpose: str) -> ModuleType:
    """A package of the extra, imported.

    Raises:
        UsageError: If it is not installed.
    """
    _package(name, purpose)
    return import_module(name)


def _package(name: str, purpose: str) -> Path:
    """Where a package is, without importing it."""
    found = util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise UsageError(
            f"the package {name}, which judges {purpose}, is not installed",
            asked=name,
            hint=f"Install it: {INSTALL}.",
        )
    return Path(next(iter(found.submodule_search_locations)))
