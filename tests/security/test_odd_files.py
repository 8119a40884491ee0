"""Odd files among ordinary ones: a sentence, never a traceback, and the others are done."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from zoo_core.cli import run

EXACT = ("--precision", "float32", "--device", "cpu")


@pytest.mark.parametrize(
    "tensor",
    [torch.eye(3).to_sparse(), torch.empty(3, 3, device="meta")],
    ids=["sparse", "meta"],
)
def test_tensors_that_are_no_plain_numbers_are_refused(
    tensor: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"model.1.weight": tensor}, tmp_path / "odd.pth")
    assert run(["import", str(tmp_path / "odd.pth"), "--out", str(tmp_path / "made")]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("zoo: checkpoint ")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("length", [240, 251, 255])
def test_a_long_name_is_translated_or_named(
    length: int, small_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    picture = Image.fromarray(np.full((32, 32, 3), 99, np.uint8))
    picture.save(tmp_path / "in/short.png")
    shutil.copyfile(tmp_path / "in/short.png", tmp_path / "in" / ("x" * (length - 4) + ".png"))
    command = ["translate", str(small_model), str(tmp_path / "in"), "--to", "b", "--out"]
    code = run([*command, str(tmp_path / "out"), *EXACT])
    made = [path.name for path in (tmp_path / "out").iterdir() if path.suffix == ".png"]
    assert "short_b.png" in made
    assert len(made) == (2 if code == 0 else 1)
    assert code == 0 or "xxx" in capsys.readouterr().err


def test_a_raw_file_among_recordings_harms_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    recording = sorted((Path(__file__).parents[2] / "examples/voice/jackson").glob("*.wav"))[0]
    shutil.copyfile(recording, folder / "good.wav")
    (folder / "odd.raw").write_bytes(bytes(4_000))
    command = ["translate", "cyclegan-vc-fsdd", str(folder), "--to", "nicolas", "--out"]
    code = run([*command, str(tmp_path / "out"), *EXACT])
    assert len(list((tmp_path / "out").glob("good*.wav"))) == 1
    shown = capsys.readouterr()
    assert code == 0 or "odd.raw" in shown.err
