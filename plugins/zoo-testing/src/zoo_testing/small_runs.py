"""Small runs for tests: a CycleGAN of a few thousand parameters on noisy pictures of 16 px."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import zoo

NAMES = ("dark", "light")
NETS = {"width": 4, "blocks": 1, "critic_width": 4, "critic_layers": 1}
SETTINGS: Mapping[str, Any] = {**NETS, "train.batch": 2, "train.precision": "float32"}
"""Settings of a small run, the same on every CPU."""


def draw_pictures(root: Path, count: int, seed: int = 0) -> Path:
    """Draws folders ``dark`` and ``light`` of noisy pictures, which differ in their brightness.

    Args:
        root: Where the folders shall be; made where there is none.
        count: Pictures of each.
        seed: Of the noise.

    Returns:
        ``root``.
    """
    rng = np.random.default_rng(seed)
    for name, base in zip(NAMES, (20, 150), strict=True):
        (root / name).mkdir(parents=True)
        for index in range(count):
            pixels = rng.integers(0, 100, (16, 16, 3)) + base
            Image.fromarray(pixels.astype(np.uint8)).save(root / name / f"{index}.png")
    return root


def train_small(
    out: Path,
    data: Path | Mapping[str, Any],
    *,
    settings: Mapping[str, Any] | None = None,
    **given: Any,
) -> Path:
    """Trains a small CycleGAN, two steps unless it is told otherwise.

    Args:
        out: Directory of the run.
        data: The folder that holds ``dark`` and ``light``, or the data of each domain by name.
        settings: Further settings, or others than `SETTINGS`.
        **given: What else `zoo.train` takes.

    Returns:
        ``out``.
    """
    if isinstance(data, Path):
        data = {name: data / name for name in NAMES}
    defaults = {"preset": "32px", "size": 16, "steps": 2, "device": "cpu", "quiet": True}
    settings = {**SETTINGS, **(settings or {})}
    zoo.train("cyclegan", data=data, out=out, settings=settings, **{**defaults, **given})
    return out
