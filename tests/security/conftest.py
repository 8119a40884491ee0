"""A run that others made, and files of the user's that it could lead to."""

import shutil
from pathlib import Path

import pytest

from zoo_testing.small_runs import train_small


@pytest.fixture(scope="session")
def made(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps."""
    out = tmp_path_factory.mktemp("made") / "run"
    return train_small(out, pictures, threads=1, trackers=["csv"])


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A copy of it, as if it had come from somewhere."""
    shutil.copytree(made, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder of the user's with files that are called as those of a run are."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("step-00000001.pt", "stats.jsonl", "000004.png", "file"):
        (folder / name).write_text("precious")
    return folder
