"""Shards of a folder: together they are the whole, whoever translates them and when."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo_core.cli import run

MODEL = ["shallow-mnist-mnistm", "--to", "mnistm", "--precision", "float32", "--engine", "torch"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eleven pictures, of which some have one name."""
    rng = np.random.default_rng(0)
    for number in range(8):
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(
            _made(tmp_path / "in" / f"{number % 3}") / f"{number}.png"
        )
    for suffix in ("bmp", "ppm", "webp"):
        image = Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
        image.save(tmp_path / "in" / "0" / f"0.{suffix}")
    return tmp_path / "in"


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    found = sorted(folder.rglob("*.png"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.mark.slow
def test_four_processes_give_what_one_gives_and_no_file_twice(folder: Path, tmp_path: Path) -> None:
    started = [
        subprocess.Popen(
            [
                sys.executable, "-m", "zoo_core", "translate", MODEL[0], str(folder), *MODEL[1:],
                "--shard", f"{number}/4", "--out", str(tmp_path / "shared"), "--threads", "1",
            ],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in (1, 2, 3, 4)
    ]  # fmt: skip
    said = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0] * 4, said
    counts = [int(text.split("Wrote ")[1].split()[0]) for text in said]
    assert counts == [3, 3, 3, 2]
    out = str(tmp_path / "one")
    assert (
        run(["translate", MODEL[0], str(folder), *MODEL[1:], "--out", out, "--threads", "1"]) == 0
    )
    assert files(tmp_path / "shared") == files(tmp_path / "one")
    assert len(files(tmp_path / "one")) == 11


@pytest.mark.parametrize("shard", ["0/4", "5/4", "1", "a/b", "-1/4"])
def test_what_is_no_shard_is_refused(
    shard: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["translate", MODEL[0], str(folder), *MODEL[1:], f"--shard={shard}"]
    assert run([*asked, "--out", str(tmp_path / "out")]) == 2
    assert "it is no shard" in capsys.readouterr().err
