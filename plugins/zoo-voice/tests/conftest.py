"""Artificial voices: harmonics under formants, in syllables with pauses."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

RATE = 16_000
Samples = npt.NDArray[np.float64]
Voice = Callable[..., Samples]


@pytest.fixture(scope="session")
def voice() -> Voice:
    """Makes (n,) samples of a voice of some pitch (Hz) and length of the vocal tract."""

    def make(
        seconds: float = 0.6,
        pitch: float = 120.0,
        tract: float = 1.0,
        *,
        rate: int = RATE,
        seed: int = 0,
        pauses: bool = True,
    ) -> Samples:
        rng = np.random.default_rng(seed)
        time = np.arange(round(seconds * rate)) / rate  # (n,)
        wave = rng.uniform(0, 6, 2)
        f0 = pitch * (1 + 0.08 * np.sin(5 * time + wave[0]))  # (n,)
        phase = 2 * np.pi * np.cumsum(f0) / rate  # (n,)
        formants = np.array([500, 1500, 2500]) / tract
        formants = formants[:, None] * (1 + 0.25 * np.sin(9 * time + wave[1]))  # (3, n)
        total = np.zeros_like(time)  # (n,)
        for number in range(1, int(min(rate / 2, 7000) / (1.1 * pitch))):
            distance = (number * f0 - formants) / 180  # (3, n)
            total += (1 / (1 + distance**2)).sum(0) * np.sin(number * phase) / number**0.5
        total += 0.02 * rng.normal(size=len(time))
        if pauses:
            total *= np.clip(3 * np.sin(np.pi * time / 0.3) ** 2 - 0.2, 0, 1)
        return np.asarray(0.3 * total / np.abs(total).max())

    return make


@pytest.fixture(scope="session")
def speakers(tmp_path_factory: pytest.TempPathFactory, voice: Voice) -> dict[str, Path]:
    """Folders of five recordings each, of a low voice and of a high one."""
    root = tmp_path_factory.mktemp("speakers")
    for name, pitch, tract in (("low", 110.0, 1.1), ("high", 200.0, 0.85)):
        (root / name).mkdir()
        for take in range(5):
            samples = voice(0.5 + 0.05 * take, pitch, tract, seed=take)
            soundfile.write(root / name / f"{take}.wav", samples, RATE)
    return {name: root / name for name in ("low", "high")}
