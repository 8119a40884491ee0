"""Pictures to train on."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders ``dark`` and ``light`` of six noisy pictures each."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name, base in (("dark", 20), ("light", 150)):
        (root / name).mkdir()
        for index in range(6):
            pixels = rng.integers(0, 100, (16, 16, 3), dtype=np.uint8) + base
            Image.fromarray(pixels.astype(np.uint8)).save(root / name / f"{index}.png")
    return root
