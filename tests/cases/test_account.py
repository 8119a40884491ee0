"""Every thing in a folder is in the account of a translation: used, or left out with its reason."""

import gzip
import io
import os
import tarfile
import wave
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from zoo_core.cli import run


def picture(path, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 255, (24, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **how)
    return path.read_bytes()


def recording(path):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(1600))


def archive():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("inner.png", b"x")
    return buffer.getvalue()


def tarred():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        file.addfile(tarfile.TarInfo("inner.png"))
    return gzip.compress(buffer.getvalue())


@pytest.fixture
def folder(tmp_path):
    """Two pictures, and one of everything else that lies about in folders of pictures."""
    place = tmp_path / "in"
    whole = picture(place / "plain.png")
    picture(place / "browser.jfif", format="JPEG")
    (place / "torn.png").write_bytes(whole[: len(whole) // 2])
    (place / "empty.png").touch()
    (place / "Thumbs.db").write_bytes(b"x")
    (place / ".DS_Store").write_bytes(b"x")
    (place / ".hidden.png").write_bytes(whole)
    (place / "notes.txt").write_text("x")
    (place / "page.png").write_text("<!DOCTYPE html><html>Not found</html>")
    (place / "pointer.png").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    (place / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    (place / "torn.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(40))
    recording(place / "voice.wav")
    (place / "pictures.zip").write_bytes(archive())
    (place / "pictures.tar.gz").write_bytes(tarred())
    torch.save({"a": torch.ones(2)}, place / "weights.pth")
    picture(place / ".ipynb_checkpoints" / "plain-checkpoint.png")
    (place / "loop").symlink_to(place)
    (place / "gone.png").symlink_to(place / "nowhere.png")
    os.mkfifo(place / "pipe.png")
    return place


LEFT_OUT = [
    "torn.png", "empty.png", "Thumbs.db", ".DS_Store", ".hidden.png", "notes.txt", "page.png",
    "pointer.png", "phone.heic", "torn.mp4", "voice.wav", "pictures.zip", "pictures.tar.gz",
    "weights.pth", ".ipynb_checkpoints", "loop", "gone.png", "pipe.png",
]  # fmt: skip


def test_every_kind_of_thing_is_in_the_account(folder, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["--to", "noto", "--out", str(out), "--precision", "float32"]
    assert run(["translate", "stargan-emoji", str(folder), *arguments]) == 1
    shown = "".join(capsys.readouterr())
    made = sorted(path.name for path in out.glob("*") if path.suffix != ".jsonl")
    assert [name.partition("_")[0] for name in made] == ["browser", "plain"]
    missing = [name for name in LEFT_OUT if name not in shown]
    assert not missing, shown


def test_what_was_left_out_by_reason_is_counted(folder, tmp_path, capsys):
    for number in range(7):
        (folder / f"more{number}.txt").write_text("x")
    arguments = ["--to", "noto", "--out", str(tmp_path / "out"), "--precision", "float32"]
    run(["translate", "stargan-emoji", str(folder), *arguments])
    shown = "".join(capsys.readouterr())
    (line,) = [line for line in shown.splitlines() if ".txt" in line]
    assert "8 " in line
    assert "and 5 more" in line
