"""Case 01 as it is typed: a model is trained on 12 bits in 16-bit PNGs, and translates them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo_core.cli import run


def slices(folder: Path, bone: int) -> None:
    """Ten slices of 12 bits, with bone at another place in each."""
    folder.mkdir()
    for number in range(10):
        values = np.full((32, 32), 24, np.uint16)
        values[4:28, 4:28] = 1064
        values[8:14, 6 + number : 12 + number] = bone
        Image.fromarray(values).save(folder / f"{number}.png")


def test_case_01_a_training_says_the_scale_and_its_model_keeps_the_depth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    slices(tmp_path / "ct", 2224)
    slices(tmp_path / "mr", 3900)
    small = ["--preset", "32px", "--set", "width=4", "--set", "blocks=1", "--set", "critic_width=4"]
    domains = ["--domain", "ct=ct", "--domain", "mr=mr"]
    short = ["--steps", "1", "--batch", "1", "--precision", "float32", "--out", "run"]
    assert run(["train", "cyclegan", *domains, *small, *short]) == 0
    told = capsys.readouterr().out
    assert "uint16, 24 to 2,224 of 65,535 used: black 0, white 4,095" in told
    there = ["translate", "run", "ct/0.png", "ct/9.png", "--to", "mr", "--out", "made"]
    assert run([*there, "--precision", "float32"]) == 0
    account = capsys.readouterr().out
    assert "nearly black" not in account
    for name in ("0_mr.png", "9_mr.png"):
        with Image.open(tmp_path / "made" / name) as picture:
            made = np.asarray(picture)
        assert made.dtype == np.uint16
        assert made.max() <= 4095
        assert int(made.max()) - int(made.min()) > 200  # it is not black
