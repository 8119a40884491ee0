"""What a console cannot show, or take, ends nothing (case 20 and its kind)."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from zoo_core.cli import run

SMALL = [
    *("--preset", "32px", "--steps", "1", "--batch", "2", "--precision", "float32"),
    *("--set", "width=4", "--set", "blocks=1", "--set", "critic_width=4"),
]
TRAIN = ["train", "cyclegan", *SMALL, "--domain", "a=a", "--domain", "日本=日本", "--out", "run"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with ten pictures in each of the folders a and 日本."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for folder in ("a", "日本"):
        (tmp_path / folder).mkdir()
        for number in range(10):
            pixels = rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{number}.png")
    return tmp_path


def console(encoding):
    """A stream that refuses what its encoding lacks, as a redirected one does."""
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1", "cp437"])
def test_case_20_a_console_that_lacks_a_character_shows_an_escape(
    encoding, place, monkeypatch: pytest.MonkeyPatch
):
    stream = console(encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    assert run(TRAIN) == 0
    shown = stream.buffer.getvalue().decode(encoding)
    assert "\\u65e5\\u672c" in shown
    assert (place / "run" / "model" / "model.safetensors").is_file()


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
@pytest.mark.parametrize("command", [["list"], ["info", "stargan-emoji"], ["list", "--json"]])
def test_tables_fit_a_console_of_few_characters(command, encoding, monkeypatch):
    stream = console(encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    assert run(command) == 0
    assert stream.buffer.getvalue().decode(encoding).strip()


def test_an_error_that_names_such_a_thing_is_shown(place, monkeypatch):
    stream = console("cp1252")
    monkeypatch.setattr(sys, "stderr", stream)
    assert run(["translate", "日本", "a", "--to", "b"]) != 0
    assert b"\\u65e5" in stream.buffer.getvalue()


def test_a_posix_locale_translates_and_names_what_it_wrote(place):
    assert run(TRAIN) == 0
    environment = {
        **os.environ,
        **{"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    }
    command = ["translate", "run", "日本", "--to", "a", "--out", "出", "--precision", "float32"]
    done = subprocess.run(
        [sys.executable, "-m", "zoo_core", *command],
        env=environment, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert len(list((place / "出").glob("*.png"))) == 10


class Full(io.StringIO):
    """A stream that takes nothing more, as one on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_log_on_a_full_disk_ends_no_training(place, monkeypatch, capsys):
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", Full())
        patched.setattr("zoo_core.cli._close_stdout", lambda: None)  # pytest needs the real one
        assert run(TRAIN) == 1
    assert "No space left" in capsys.readouterr().err
    assert (place / "run" / "model" / "model.safetensors").is_file()


def test_a_console_that_is_closed_ends_no_training(place, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert run(TRAIN) == 0
    assert (place / "run" / "model" / "model.safetensors").is_file()
