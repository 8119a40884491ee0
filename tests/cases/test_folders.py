"""Folders of real life: one finder, and an account in which everything is."""

import os

import numpy as np
import pytest
from PIL import Image

from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import DataError
from zoo_core.finding import find_files
from zoo_images.codec import ImageCodec
from zoo_train.data.dataset import open_sources

CODEC = ImageCodec(TensorSpec(shape=(3, 8, 8)))


def picture(path, colour=(90, 0, 0), size=(8, 8), **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **how)
    return path


def opened(domains=None, **options):
    return open_sources(domains or {}, codec=CODEC, config=TrainConfig(), **options)


def test_case_21_linked_folders_are_followed_as_translation_does(tmp_path):
    picture(tmp_path / "store" / "day1" / "x.png")
    picture(tmp_path / "farm" / "y.png")
    (tmp_path / "farm" / "day1").symlink_to(tmp_path / "store" / "day1")
    data = opened({"a": str(tmp_path / "farm")})
    translated = find_files(tmp_path / "farm", CODEC.suffixes, recognises=CODEC.recognises)
    assert data.stores["a"].names == ["day1/x.png", "y.png"]
    assert data.files["a"] == translated.files


def test_case_08_every_one_of_twelve_kinds_of_things_is_in_the_account(tmp_path):
    folder = tmp_path / "a"
    picture(folder / "plain.png")
    picture(folder / "browser.jfif", format="JPEG")
    picture(folder / "nosuffix", format="PNG")
    picture(folder / "named.dat", format="BMP")
    picture(folder / "deep" / "below.webp")
    (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    (folder / "notes.txt").write_text("x")
    (folder / "Thumbs.db").write_bytes(b"x")
    (folder / ".hidden.png").write_bytes(b"x")
    picture(folder / "__MACOSX" / "ghost.png")
    (folder / "again").symlink_to(folder)
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    (folder / "torn.png").write_bytes((folder / "plain.png").read_bytes()[:40])
    data = opened({"a": str(folder)})
    assert sorted(data.stores["a"].names) == [
        "browser.jfif", "deep/below.webp", "named.dat", "nosuffix", "plain.png",
    ]  # fmt: skip
    account = "\n".join(data.describe())
    for name in ("phone.heic", "notes.txt", "Thumbs.db", ".hidden.png", "__MACOSX", "again",
                 "gone.png", "torn.png"):  # fmt: skip
        assert name in account


def test_what_is_left_out_is_counted_with_its_reason(tmp_path):
    picture(tmp_path / "0.png")
    for number in range(5):
        (tmp_path / f"{number}.txt").write_text("x")
    line = next(line for line in opened({"a": str(tmp_path)}).describe() if "left out" in line)
    assert line == (
        "  left out: 5 not a picture that can be read (.txt): 0.txt, 1.txt, 2.txt and 2 more"
    )


def test_a_folder_of_other_things_says_which(tmp_path):
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    with pytest.raises(DataError) as caught:
        opened({"a": str(tmp_path)})
    assert caught.value.problem == (
        "it holds no picture that can be read: 1 other files (1 × .heic)"
    )


@pytest.mark.skipif(os.name == "nt", reason="names on Windows are text")
def test_names_that_are_no_text_are_used_and_shown_escaped(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "x.png")
    (folder / "x.png").rename(folder / os.fsdecode(b"caf\xe9.png"))
    (folder / os.fsdecode(b"r\xe9sum\xe9.txt")).write_text("x")
    data = opened({"a": str(folder)})
    assert len(data.stores["a"]) == 1
    assert "r\\xe9sum\\xe9.txt" in "\n".join(data.describe())


def test_a_pattern_accounts_for_what_it_matched_and_did_not_use(tmp_path):
    picture(tmp_path / "0.png")
    (tmp_path / "0.txt").write_text("x")
    assert any(
        "left out: 1 not a picture" in line for line in opened({"a": f"{tmp_path}/*"}).describe()
    )


def test_the_same_folder_as_two_domains_is_warned_of_in_a_training(tmp_path, capsys):
    from zoo_core.cli import run

    folder = tmp_path / "a"
    for number in range(3):
        picture(folder / f"{number}.png", (90 * number % 256, 0, 0), (16, 16))
    small = ["--preset", "32px", "--size", "16", "--batch", "2", "--steps", "1", "--device", "cpu"]
    nets = ["--set", "width=4", "--set", "blocks=1", "--set", "critic_width=4"]
    where = ["--domain", f"a={folder}", "--domain", f"b={folder}", "--out", str(tmp_path / "run")]
    nets += ["--set", "critic_layers=1", "--precision", "float32"]
    assert run(["train", "cyclegan", *small, *nets, *where]) == 0
    said = capsys.readouterr().out
    assert "warning: 3 of 3 pictures of a are in b, too, byte for byte, such as 0.png" in said
    assert "warning: a has 3 pictures; fewer than 10 teach little" in said


def wide(folder, size=(64, 36), count=2):
    for number in range(count):
        image = Image.new("RGB", size, (number, 0, 0))
        image.putpixel((size[0] // 2, size[1] // 2), (255, 255, 255))  # one that shows something
        folder.mkdir(exist_ok=True)
        image.save(folder / f"{number}.png")
    return folder


def test_case_26_what_is_cut_from_wide_pictures_is_said_with_the_way_out(tmp_path):
    codec = ImageCodec(TensorSpec(shape=(3, 32, 32)))
    sources = {"a": str(wide(tmp_path / "a"))}
    line, advice = open_sources(sources, codec=codec, config=TrainConfig()).describe()
    assert "cut to 32×32, 44 % of each picture is not used" in line
    assert '--set "signal.shape=[3,32,56]"' in advice
    whole = ImageCodec(TensorSpec(shape=(3, 32, 56)))
    (line,) = open_sources(sources, codec=whole, config=TrainConfig()).describe()
    assert "not used" not in line


def test_tall_pictures_are_offered_a_tall_shape(tmp_path):
    codec = ImageCodec(TensorSpec(shape=(3, 32, 32)))
    sources = {"a": str(wide(tmp_path / "a", (36, 64)))}
    _, advice = open_sources(sources, codec=codec, config=TrainConfig()).describe()
    assert '--set "signal.shape=[3,56,32]"' in advice


def test_nets_of_one_size_are_offered_no_other_shape(tmp_path):
    codec = ImageCodec(TensorSpec(shape=(3, 32, 32), flexible=0))
    sources = {"a": str(wide(tmp_path / "a"))}
    (line,) = open_sources(sources, codec=codec, config=TrainConfig()).describe()
    assert "44 % of each picture is not used" in line


def test_a_crop_that_was_asked_for_is_no_remark(tmp_path):
    codec = ImageCodec(TensorSpec(shape=(3, 32, 32)))
    sources = {"a": str(wide(tmp_path / "a"))}
    (line,) = open_sources(sources, codec=codec, config=TrainConfig(crop_first=30)).describe()
    assert "not used" not in line


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
            "a Git LFS pointer",
        ),
        (b"\n<!DOCTYPE html><html><body>Too many requests</body></html>", "a web page"),
        (b"", "the file is empty"),
    ],
)
def test_case_23_what_only_claims_to_be_a_picture_is_called_what_it_is(tmp_path, content, what):
    picture(tmp_path / "a" / "good.png")
    (tmp_path / "a" / "bad.png").write_bytes(content)
    lines = opened({"a": str(tmp_path / "a")}).describe()
    assert "  warning: 1 skipped" in lines
    assert any("bad.png" in line and what in line for line in lines)
