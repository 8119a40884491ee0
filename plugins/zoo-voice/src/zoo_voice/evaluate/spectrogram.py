"""Pictures of speech: spectrograms of inputs, conversions and real takes of the target."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from zoo_core.images.save import save
from zoo_core.images.sheet import draw as grid
from zoo_voice.cepstrum import Floats
from zoo_voice.evaluate.rows import Made
from zoo_voice.evaluate.scene import Scene
from zoo_voice.world import RATE

WORDS = 5
"""Most words that are drawn."""
DECIBELS = 60.0
"""From black (the loudest) to white."""
_FFT, _HOP, _HEIGHT = 512, 40, 150  # a frame of 2.5 ms is a pixel wide


def picture(samples: Floats, highest: float = RATE / 2, width: int | None = None) -> Image.Image:
    """A grey spectrogram of speech (n,) at 16 kHz, low frequencies below, dark where it is loud.

    Args:
        samples: The speech.
        highest: Frequency (Hz) at the upper edge.
        width: Pixels that it is padded or cut to, one for each 2.5 ms.
    """
    x = torch.from_numpy(np.ascontiguousarray(samples, np.float32))  # (n,)
    window = torch.hann_window(_FFT // 2)
    spectrum = torch.stft(
        x, _FFT, _HOP, _FFT // 2, window, pad_mode="constant", return_complex=True
    )  # (F, T)
    bins = round(highest / (RATE / 2) * (_FFT // 2)) + 1
    power = spectrum[:bins].abs().square().numpy()  # (F', T)
    decibels = 10 * np.log10(power / max(power.max(), 1e-12) + 1e-12)  # (F', T)
    grey = np.clip(-decibels / DECIBELS * 255, 0, 255).astype(np.uint8)  # (F', T)
    if width is not None:
        grey = np.pad(grey, ((0, 0), (0, max(0, width - grey.shape[1]))), constant_values=255)
        grey = grey[:, :width]  # (F', width)
    image = Image.fromarray(np.ascontiguousarray(grey[::-1]))
    return image.resize((image.width, _HEIGHT), Image.Resampling.BILINEAR).convert("RGB")


def draw(scene: Scene, made: Made, path: Path) -> None:
    """Writes a labelled grid: a column for each of some words, its first take in each row.

    Args:
        scene: The direction.
        made: What was made of its inputs.
        path: Where to.
    """
    words = sorted({one.word for one in scene.inputs} & {one.word for one in scene.real})
    words = [words[i * len(words) // min(WORDS, len(words))] for i in range(min(WORDS, len(words)))]
    at = [next(i for i, one in enumerate(scene.inputs) if one.word == word) for word in words]
    rows = {
        scene.source: [scene.inputs[i].samples for i in at],
        f"to {scene.target}": [made.samples[i] for i in at],
        scene.target: [next(o.samples for o in scene.real if o.word == w) for w in words],
    }
    width = max(len(samples) for some in rows.values() for samples in some) // _HOP + 1
    highest = scene.voices.corpus.highest
    drawn = [
        (title, [picture(samples, highest, width) for samples in some])
        for title, some in rows.items()
    ]
    save(grid(drawn, words), path, "PNG")
