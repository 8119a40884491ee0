"""Fixtures of the kit, and a phantom."""

from __future__ import annotations

from pathlib import Path

import pytest
from phantoms import anatomy, save_slice

from zoo_testing.fixtures import *  # noqa: F403


@pytest.fixture
def phantom(tmp_path: Path) -> Path:
    """Folders ``ct`` and ``other`` of twelve slices each; of each the first and last are equal."""
    for name, first in (("ct", 0), ("other", 100)):
        (tmp_path / name).mkdir()
        for number in range(12):
            seed = first + number % 11
            save_slice(
                tmp_path / name / f"{number:03}.dcm",
                anatomy(32, seed),
                number,
                series=f"1.2.3.4.{first + 5}",
            )
    return tmp_path
