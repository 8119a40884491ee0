"""Fixtures of the kit, and a clip."""

from __future__ import annotations

from pathlib import Path

import pytest
from clips import save_clip

from zoo_testing.fixtures import *  # noqa: F403


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A clip of 20 frames of 64×48 pixels with sound."""
    return save_clip(tmp_path / "clip.mp4")
