"""Names that are no text, or odd text, end no run and lose no model (case 15 and its kind)."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo_core.cli import run
from zoo_core.errors import printable
from zoo_core.files import restored, storable

LATIN = os.fsdecode(b"caf\xe9")
"""A name that is Latin-1, as old archives leave them, as Python holds it."""
SMALL = [
    *("--preset", "32px", "--steps", "1", "--batch", "2", "--precision", "float32"),
    *("--set", "width=4", "--set", "blocks=1", "--set", "critic_width=4"),
]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with ten pictures in each of the folders a and b."""
    monkeypatch.chdir(tmp_path)
    try:
        (tmp_path / LATIN).touch()
    except OSError as fault:
        if fault.errno == errno.EILSEQ:
            pytest.skip("this file system holds no such name")
        raise
    (tmp_path / LATIN).unlink()
    rng = np.random.default_rng(0)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for number in range(10):
            pixels = rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{number}.png")
    return tmp_path


def train(*arguments):
    return run(["train", "cyclegan", *SMALL, *arguments])


def test_case_15_an_empty_file_of_such_a_name_is_escaped_and_the_model_written(place, capsys):
    (place / "a" / f"{LATIN}.png").touch()
    assert train("--domain", "a=a", "--domain", "b=b", "--out", "run") == 0
    assert "caf\\xe9.png" in capsys.readouterr().out
    assert (place / "run" / "model" / "README.md").read_text(encoding="utf-8")


def test_a_usable_file_of_such_a_name_is_trained_on(place):
    (place / "a" / "0.png").rename(place / "a" / f"{LATIN}.png")
    assert train("--domain", "a=a", "--domain", "b=b", "--out", "run") == 0
    assert (place / "run" / "model" / "model.safetensors").is_file()


def test_a_folder_of_such_a_name_is_trained_on_and_the_run_goes_on(place, capsys):
    (place / "b").rename(place / LATIN)
    assert train("--domain", "a=a", "--domain", f"b={LATIN}", "--out", "run") == 0
    assert run(["train", "--resume", "run", "--steps", "2"]) == 0
    assert "caf\\xe9" in capsys.readouterr().out
    assert zoo.load("run", device="cpu", precision="float32").domains.names == ("a", "b")


def test_a_root_of_such_a_name_is_trained_on(place):
    (place / LATIN).mkdir()
    for folder in ("a", "b"):
        (place / folder).rename(place / LATIN / folder)
    assert train("--data", LATIN, "--out", "run") == 0
    assert (place / "run" / "model" / "model.safetensors").is_file()


def test_a_run_of_such_a_name_has_a_model_that_translates(place, capsys):
    assert train("--domain", "a=a", "--domain", "b=b", "--out", LATIN) == 0
    warnings = [line for line in capsys.readouterr().out.splitlines() if "warning" in line]
    assert len(warnings) == 1  # TensorBoard cannot write there
    assert "TensorBoard" in warnings[0]
    made = ["translate", LATIN, "a", "--to", "b", "--out", f"out-{LATIN}"]
    assert run([*made, "--precision", "float32"]) == 0
    assert len(list((place / f"out-{LATIN}").glob("*.png"))) == 10


def test_figures_of_a_model_of_such_a_name_are_written(place):
    assert train("--domain", "a=a", "--domain", "b=b", "--out", LATIN) == 0
    (place / "data").mkdir()
    for folder in ("a", "b"):
        (place / folder).rename(place / "data" / folder)
    data = ["--data", "data", "--split", "all", "--metrics", "cycle", "--json", f"{LATIN}.json"]
    assert run(["evaluate", LATIN, *data]) == 0
    report = json.loads((place / f"{LATIN}.json").read_text(encoding="utf-8"))
    assert report["model"] == LATIN


ODD = ["new\nline", "dots...", " space ", "-dash", "[x]*?", "it's", 'quo"te', "C:drive", "NUL"]
ODD += ["x" * 240, "$HOME", "100%", "\x1b[31m", "\u202egnp", "日本", "e\u0301", "=", "a=b"]


def test_odd_names_are_translated_one_by_one(place, capsys):
    assert train("--domain", "a=a", "--domain", "b=b", "--out", "run") == 0
    (place / "odd").mkdir()
    for name in ODD:
        Image.new("RGB", (16, 16)).save(place / "odd" / f"{name}.png")
    made = ["translate", "run", "odd", "--to", "b", "--out", "out", "--precision", "float32"]
    assert run(made) == 0
    assert len(list((place / "out").glob("*.png"))) == len(ODD)
    shown = capsys.readouterr().out
    assert "\x1b[31m" not in shown
    assert "\u202e" not in shown


def test_a_file_whose_name_ends_in_a_dot_is_read_by_its_content(place):
    assert train("--domain", "a=a", "--domain", "b=b", "--out", "run") == 0
    (place / "odd").mkdir()
    for name in ("trail.png.", "none"):
        Image.new("RGB", (16, 16)).save(place / "odd" / name, format="PNG")
    made = ["translate", "run", "odd", "--to", "b", "--out", "out", "--precision", "float32"]
    assert run(made) == 0
    assert len(list((place / "out").glob("*.png"))) == 2


@pytest.mark.parametrize("name", ["[x]", "[!a]", "{1..3}", "x,y", "b*", "C:", "a b", "b=c"])
def test_a_folder_of_an_odd_name_is_a_folder(name, place):
    (place / "b").rename(place / name)
    assert train("--domain", "a=a", "--domain", f"b={name}", "--out", f"run-{name}") == 0
    assert (place / f"run-{name}" / "model" / "model.safetensors").is_file()


@pytest.mark.parametrize("source", ["C:\\pictures", "D:/pictures", "c:pictures"])
def test_a_drive_is_no_data_source(source, place, capsys):
    assert train("--domain", "a=a", "--domain", f"b={source}", "--out", "run") == 1
    shown = capsys.readouterr().err
    assert source in shown
    assert "no such folder" in shown


def test_a_name_as_long_as_it_may_be_has_an_output(place):
    assert train("--domain", "a=a", "--domain", "b=b", "--out", "run") == 0
    for number, name in enumerate(("x" * 251, "日" * 83)):
        Image.new("RGB", (16, 16), (number, 0, 0)).save(place / f"{name}.png")
        made = ["translate", "run", f"{name}.png", "--to", "b", "--out", f"out{number}"]
        assert run([*made, "--precision", "float32"]) == 0
        (output,) = (place / f"out{number}").glob("*.png")
        assert len(os.fsencode(output.name)) <= 255


@pytest.mark.parametrize("name", [LATIN, os.fsdecode(bytes(range(128, 256))), "日本", "\U0010ffff"])
def test_a_path_comes_back_from_what_is_stored(name):
    storable(name).encode("utf-8")
    assert restored(storable(name)) == name
    assert printable(storable(name)) == printable(name)


def test_a_folder_s_title_with_a_line_feed_stays_one_heading(place):
    assert train("--domain", "a=a", "--domain", "b=b", "--out", "two\nlines") == 0
    lines = Path("two\nlines/model/README.md").read_text(encoding="utf-8").splitlines()
    assert "# two\\nlines" in lines
