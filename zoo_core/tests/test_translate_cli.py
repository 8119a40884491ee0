"""``zoo translate`` from start to end, on a tiny model."""

import os

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo_core.cli import run


@pytest.fixture
def place(tmp_path, monkeypatch, tiny_model, picture):
    """A working directory with a model and three pictures."""
    (tmp_path / "in" / "sub").mkdir(parents=True)
    picture(9, 7, seed=1).save(tmp_path / "in" / "a.png")
    picture(8, 8, seed=2).save(tmp_path / "in" / "b.png")
    picture(12, 5, seed=3).save(tmp_path / "in" / "sub" / "c.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def look(path):
    """The form, size and pixels of a written picture."""
    with Image.open(path) as image:
        return image.format, image.size, np.asarray(image)


def files(folder):
    found = (
        path for path in folder.rglob("*") if path.is_file() and path.name != "zoo-outputs.jsonl"
    )
    return sorted(str(path.relative_to(folder)) for path in found)


def test_folder_is_translated_into_a_folder(place, capsys):
    assert run(["translate", "tiny", "in", "--to", "noto", "--out", "out"]) == 0
    assert files(place / "out") == ["a_noto.png", "b_noto.png", "sub/c_noto.png"]
    assert "Wrote 3 files to out/" in capsys.readouterr().out
    assert look("out/sub/c_noto.png")[1] == (12, 5)


@pytest.mark.numeric
def test_command_and_library_give_the_same_picture(place):
    command = ["translate", "tiny", "in/a.png", "--to", "noto", "--precision", "float32"]
    assert run(command) == 0
    output = zoo.load("tiny", precision="float32")("in/a.png", to="noto")
    assert np.array_equal(look("translated/a_noto.png")[2], output)


def test_all_writes_every_domain(place):
    assert run(["translate", "tiny", "in/a.png", "--to", "all", "--out", "out"]) == 0
    assert files(place / "out") == ["a_apple.png", "a_noto.png", "a_twemoji.png"]
    assert (
        run(["translate", "tiny", "in/b.png", "--to", "all", "--from", "noto", "--out", "o2"]) == 0
    )
    assert files(place / "o2") == ["b_apple.png", "b_twemoji.png"]


def test_one_input_can_be_written_to_a_named_file(place):
    assert run(["translate", "tiny", "in/a.png", "--to", "noto", "--out", "x/y.jpg"]) == 0
    assert look("x/y.jpg")[0] == "JPEG"


def test_several_inputs_need_a_folder(place, capsys):
    assert run(["translate", "tiny", "in", "--to", "noto", "--out", "y.png"]) == 2
    assert "Give a folder" in capsys.readouterr().err


def test_broken_files_are_reported_and_the_others_done(place, capsys):
    (place / "in" / "text.png").write_text("not a picture")
    (place / "in" / "cut.png").write_bytes((place / "in" / "a.png").read_bytes()[:80])
    (place / "in" / "none.png").write_bytes(b"")
    assert run(["translate", "tiny", "in", "gone.png", "--to", "noto", "--out", "out"]) == 1
    assert files(place / "out") == ["a_noto.png", "b_noto.png", "sub/c_noto.png"]
    captured = capsys.readouterr()
    assert "4 failed:" in captured.err
    for name in ("text.png", "cut.png", "none.png", "gone.png"):
        assert name in captured.err
    assert "Traceback" not in captured.err


def test_outputs_of_the_same_are_kept_and_counted(place, capsys):
    command = ["translate", "tiny", "in", "--to", "noto", "--out", "out"]
    run(command)
    (place / "out" / "b_noto.png").unlink()
    capsys.readouterr()
    assert run(command) == 0
    text = capsys.readouterr().out
    assert "Wrote out/b_noto.png" in text
    assert "Kept 2 that were there already" in text


def test_a_file_that_was_not_made_here_is_neither_kept_as_an_output_nor_replaced(place, capsys):
    command = ["translate", "tiny", "in", "--to", "noto", "--out", "out"]
    run(command)
    (place / "out" / "a_noto.png").write_bytes(b"mine")
    capsys.readouterr()
    assert run(command) == 1
    assert (place / "out" / "a_noto.png").read_bytes() == b"mine"
    assert "in/a.png: out/a_noto.png is there already" in capsys.readouterr().err
    assert run([*command, "--overwrite"]) == 0
    assert look("out/a_noto.png")[0] == "PNG"


def test_an_output_of_another_input_of_the_same_name_is_made_anew(place, picture, capsys):
    for folder, seed in (("p", 1), ("q", 2)):
        (place / folder).mkdir()
        picture(9, 7, seed=seed).save(place / folder / "cat.png")
    run(["translate", "tiny", "q/cat.png", "--to", "noto", "--out", "out"])
    other = look("out/cat_noto.png")[2]
    capsys.readouterr()
    assert run(["translate", "tiny", "p/cat.png", "--to", "noto", "--out", "out"]) == 0
    assert "1 of them replace outputs of other inputs" in capsys.readouterr().out
    assert not np.array_equal(look("out/cat_noto.png")[2], other)
    run(["translate", "tiny", "p/cat.png", "--to", "noto", "--out", "alone"])
    assert np.array_equal(look("out/cat_noto.png")[2], look("alone/cat_noto.png")[2])


def test_another_size_is_made_anew(place, capsys):
    command = ["translate", "tiny", "in/a.png", "--to", "noto", "--out", "out"]
    run([*command, "--size", "4"])
    assert run(command) == 0
    assert look("out/a_noto.png")[1] == (9, 7)


def test_the_account_names_everything_that_was_found(place, picture, capsys):
    folder = place / "in"
    for name in ("Thumbs.db", ".DS_Store", "notes.txt", ".hidden.png"):
        (folder / name).write_bytes(b"x")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / "loop").symlink_to(folder)
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    assert run(["translate", "tiny", "in", "--to", "noto", "--out", "out"]) == 0
    text = capsys.readouterr().out
    assert "Wrote 3 files" in text
    assert "Left out 7:" in text
    for name in ("Thumbs.db", ".DS_Store", "notes.txt", ".hidden.png", ".ipynb_checkpoints",
                 "loop", "gone.png"):  # fmt: skip
        assert name in text


def test_an_escape_sequence_in_a_file_name_is_shown_and_not_obeyed(place, picture, capsys):
    picture(9, 7).save(place / "in" / "\x1b[2Jevil.png")
    run(["translate", "tiny", "in/\x1b[2Jevil.png", "--to", "noto", "--out", "out"])
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "\\x1b[2Jevil" in text


def test_overwrite_replaces_outputs(place):
    command = ["translate", "tiny", "in", "--to", "noto", "--out", "out"]
    run(command)
    (place / "out" / "a_noto.png").write_bytes(b"mine")
    assert run([*command, "--overwrite"]) == 0
    assert look("out/a_noto.png")[1] == (9, 7)


def test_second_run_over_its_own_outputs_writes_nothing_new(place):
    command = ["translate", "tiny", "in", "--to", "noto", "--out", "in", "--grid", "in/sheet.png"]
    assert run(command) == 0
    before = files(place / "in")
    assert "sheet.png" in before
    assert run(command) == 0
    assert files(place / "in") == before


def test_links_in_the_output_folder_are_not_followed(place, capsys):
    (place / "out").mkdir()
    (place / "elsewhere").mkdir()
    (place / "out" / "sub").symlink_to(place / "elsewhere", target_is_directory=True)
    (place / "victim").write_bytes(b"mine")
    (place / "out" / "a_noto.png").symlink_to(place / "victim")
    command = ["translate", "tiny", "in", "--to", "noto", "--out", "out", "--overwrite"]
    assert run(command) == 1
    assert files(place / "elsewhere") == []
    assert (place / "victim").read_bytes() == b"mine"
    assert "leads out of it" in capsys.readouterr().err


def test_sheet_shows_inputs_and_outputs(place, capsys):
    command = ["translate", "tiny", "in", "--to", "all", "--out", "out", "--grid", "sheet.png"]
    assert run(command) == 0
    _, size, pixels = look("sheet.png")
    assert size[0] > 4 * 8
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50
    capsys.readouterr()
    assert run(command) == 0
    assert "Kept sheet.png" in capsys.readouterr().out


def test_inputs_are_never_replaced(place, capsys):
    before = (place / "in" / "a.png").read_bytes()
    for extra in (["--out", "in/a.png", "--overwrite"], ["--grid", "in/a.png", "--overwrite"]):
        assert run(["translate", "tiny", "in/a.png", "--to", "noto", *extra]) == 2
        assert "inputs are never replaced" in capsys.readouterr().err
    assert (place / "in" / "a.png").read_bytes() == before


def test_attributes_are_given_with_values(
    tmp_path, monkeypatch, write_tiny, attribute_config, picture
):
    write_tiny(tmp_path / "faces", attribute_config)
    picture().save(tmp_path / "x.png")
    monkeypatch.chdir(tmp_path)
    assert run(["translate", "faces", "x.png", "--to", "Male=1,Blond=0", "--out", "out"]) == 0
    assert files(tmp_path / "out") == ["x_Male+no-Blond.png"]


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["tiny", "in", "--to", "notto"], 2, 'Did you mean "noto"? Known: apple, noto, twemoji'),
        (["tiny", "in"], 2, "Choose one of apple, noto, twemoji"),
        (["tiny", "in", "--to", "noto=x"], 2, "is not a number"),
        (["tiny", "in", "--to", "noto", "--from", "aple"], 2, 'Did you mean "apple"'),
        (["tini", "in", "--to", "noto"], 2, "no model of this name"),
        (["./tini", "in", "--to", "noto"], 2, "no such directory"),
        (["tiny", "gone.png", "--to", "noto"], 1, "no such file"),
        (["tiny", "gone*.png", "--to", "noto"], 2, "no file fits"),
        (["tiny", "empty", "--to", "noto"], 1, "holds no picture"),
        (["tiny", "in", "--to", "noto", "--size", "0"], 2, "--size"),
        (["tiny", "in", "--to", "noto", "--batch", "x"], 2, "--batch"),
        (["tiny", "in", "--to", "noto", "--max-megapixels", "0"], 2, "--max-megapixels"),
        (["tiny", "in", "--to", "noto", "--device", "gpu"], 2, "no device of this name"),
        (["tiny", "in", "--to", "noto", "--device", "cuda:99"], 2, "not available here"),
        (["tiny", "in", "--to", "noto", "--precision", "int4"], 2, "no precision of this name"),
        (["tiny", "in", "--to", "noto", "--out", "in/a.png/x"], 2, "cannot be made"),
        (["tiny"], 2, "INPUTS"),
        (["in", "in", "--to", "noto"], 1, "no model directory"),
    ],
)
def test_wrong_requests_say_what_to_do(place, capfd, arguments, code, part):
    (place / "empty").mkdir()
    assert run(["translate", *arguments]) == code
    error = capfd.readouterr().err
    assert part in error
    assert "Traceback" not in error


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_that_may_not_be_written_to_is_an_error(place, capsys):
    (place / "out").mkdir(mode=0o500)
    assert run(["translate", "tiny", "in", "--to", "noto", "--out", "out"]) == 2
    assert "may not be written to" in capsys.readouterr().err
