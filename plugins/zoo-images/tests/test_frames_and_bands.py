"""Pages, frames and bands are translated, copied or named; where a scene lies is carried over."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import DataError, UsageError
from zoo_images.codec import ImageCodec
from zoo_images.decode import decode

SPEC = TensorSpec(shape=(3, 16, 16), stride=4)
RNG = np.random.default_rng(0)


def through(path: Path, out: Path, **options):
    """A file through nets that negate it, and what is noted of it."""
    codec = ImageCodec(SPEC)
    item = codec.read(path)
    pairs = ((window, -window.signal) for window in codec.windows(item, **options))
    codec.write(codec.join(item, pairs), out)
    return item.info["notes"]


def noise(*shape: int, depth=np.uint8):
    return RNG.integers(0, np.iinfo(depth).max + 1, shape).astype(depth)


def test_every_page_of_a_tiff_is_translated(tmp_path: Path) -> None:
    pages = [noise(20 + number, 24) for number in range(6)]
    with tifffile.TiffWriter(tmp_path / "six.tif") as file:
        for page in pages:
            file.write(page, photometric="minisblack")
    assert through(tmp_path / "six.tif", tmp_path / "out.tif", limit=300) == ()
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert len(file.pages) == 6
        for before, after in zip(pages, file.pages, strict=True):
            assert np.abs(255 - after.asarray()[..., 1].astype(int) - before).max() <= 1


def test_pages_of_16_bits_keep_their_depth(tmp_path: Path) -> None:
    pages = noise(3, 16, 16, depth=np.uint16)
    tifffile.imwrite(tmp_path / "x.tif", pages, photometric="minisblack", metadata=None)
    through(tmp_path / "x.tif", tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        after = np.stack([page.asarray() for page in file.pages])
    assert after.dtype == np.uint16
    assert np.abs(65535 - after.astype(int) - pages).max() <= 1


@pytest.mark.parametrize(("suffix", "form"), [(".gif", "GIF"), (".webp", "WEBP"), (".png", "PNG")])
def test_an_animation_keeps_its_frames_and_their_timing(
    suffix: str, form: str, tmp_path: Path
) -> None:
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    frames = [Image.new("RGB", (16, 16), colour) for colour in colours]
    path, out = tmp_path / f"x{suffix}", tmp_path / f"out{suffix}"
    more = {"lossless": True} if form == "WEBP" else {}
    durations = [100, 250, 400]
    frames[0].save(
        path, form, save_all=True, append_images=frames[1:], duration=durations, loop=0, **more
    )
    through(path, out)
    with Image.open(out) as written:
        assert (written.format, written.n_frames, written.info["loop"]) == (form, 3, 0)
        for number, colour in enumerate(colours):
            written.seek(number)
            written.load()
            assert written.info["duration"] == durations[number]
            pixel = written.convert("RGB").getpixel((8, 8))
            assert pixel == pytest.approx([255 - value for value in colour], abs=8)
    assert ImageCodec(SPEC).output_suffix(path) == suffix


def test_a_picture_that_does_not_move_is_written_as_png(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "x.gif")
    assert ImageCodec(SPEC).output_suffix(tmp_path / "x.gif") == ".png"


def test_frames_do_not_fit_into_a_jpeg(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", noise(2, 16, 16), photometric="minisblack", metadata=None)
    with pytest.raises(UsageError) as caught:
        through(tmp_path / "x.tif", tmp_path / "out.jpg")
    assert caught.value.asked == str(tmp_path / "out.jpg")
    assert not (tmp_path / "out.jpg").exists()


def test_reduced_copies_within_a_tiff_are_no_pages(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "x.tif") as file:
        file.write(noise(32, 32, 3), photometric="rgb")
        file.write(noise(16, 16, 3), photometric="rgb", subfiletype=1)
    assert decode(tmp_path / "x.tif").notes == ()


def test_training_names_pages_and_bands_that_it_does_not_use(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise(6, 16, 16), photometric="minisblack", metadata=None)
    tifffile.imwrite(tmp_path / "b.tif", noise(16, 16, 5), photometric="rgb", extrasamples=[0, 0])
    store = ImageCodec(SPEC).open([tmp_path / "a.tif", tmp_path / "b.tif"], TrainConfig())
    assert "1 with 6 pages, of which only the first is used" in store.summary
    assert "1 with a TIFF of 5 bands, of which only the first three are used" in store.summary


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("bands", [4, 5])
def test_bands_beyond_the_third_are_copied_and_said(bands: int, depth, tmp_path: Path) -> None:
    pixels = noise(16, 20, bands, depth=depth)
    tifffile.imwrite(tmp_path / "x.tif", pixels, photometric="rgb", extrasamples=[0] * (bands - 3))
    (note,) = through(tmp_path / "x.tif", tmp_path / "out.tif")
    assert f"TIFF of {bands} bands" in note
    after = tifffile.imread(tmp_path / "out.tif")
    assert after.dtype == depth
    assert np.array_equal(after[..., 3:], pixels[..., 3:])
    white = np.iinfo(depth).max
    assert np.abs(white - after[..., :3].astype(int) - pixels[..., :3]).max() <= 1


def test_bands_that_do_not_fit_the_size_asked_for_are_said_to_be_left_out(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", noise(16, 20, 5), photometric="rgb", extrasamples=[0, 0])
    notes = through(tmp_path / "x.tif", tmp_path / "out.tif", size=8)
    assert any("left out" in note for note in notes)
    assert tifffile.imread(tmp_path / "out.tif").shape == (8, 10, 3)


def test_where_a_scene_lies_is_carried_over(tmp_path: Path) -> None:
    tags = {
        33550: (12, (0.5, 0.5, 0.0)),
        33922: (12, (0.0, 0.0, 0.0, 440720.0, 3751320.0, 0.0)),
        34735: (3, (1, 1, 0, 1, 1024, 0, 1, 1)),
        34737: (2, "WGS 84|"),
    }
    extra = [(tag, kind, len(value), value, True) for tag, (kind, value) in tags.items()]
    tifffile.imwrite(tmp_path / "x.tif", noise(16, 16, 3), photometric="rgb", extratags=extra)
    through(tmp_path / "x.tif", tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        for tag, (_, value) in tags.items():
            assert file.pages[0].tags[tag].value == value


def test_floats_of_64_bits_are_read(tmp_path: Path) -> None:
    values = RNG.random((16, 16))
    tifffile.imwrite(tmp_path / "x.tif", values)
    through(tmp_path / "x.tif", tmp_path / "out.tif")
    after = tifffile.imread(tmp_path / "out.tif")
    assert after.dtype == np.float64
    assert np.abs(1 - after - values).max() < 1e-6


def test_a_bomb_of_one_bit_is_refused_from_its_header(tmp_path: Path) -> None:
    Image.new("1", (14000, 14000)).save(tmp_path / "bomb.png")
    with pytest.raises(DataError) as caught:
        decode(tmp_path / "bomb.png")
    assert "bomb" in caught.value.problem
    assert "--largest" in (caught.value.hint or "")


def test_frames_count_together(tmp_path: Path) -> None:
    frames = [Image.new("1", (200, 200), number % 2) for number in range(30)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    codec = ImageCodec(SPEC)
    codec.ask(largest=1)
    with pytest.raises(DataError) as caught:
        codec.read(tmp_path / "x.gif")
    assert "30 frames of 200×200" in caught.value.problem
    codec.ask(largest=2)
    assert codec.read(tmp_path / "x.gif").info["size"] == (200, 200)


def test_a_sparse_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "x.png").open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        os.truncate(file.fileno(), 40 << 30)
    with pytest.raises(DataError) as caught:
        decode(tmp_path / "x.png")
    assert "MB" in caught.value.problem
