"""Parts of files that decoders pass over in silence: each is translated, or named as not used."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from zoo_core.contracts.signals import TensorSpec
from zoo_core.errors import DataError, UsageError
from zoo_images.codec import ImageCodec
from zoo_images.picture import as_raster

RNG = np.random.default_rng(0)


def codec() -> ImageCodec:
    return ImageCodec(TensorSpec(shape=(3, 16, 16), stride=4))


def through(path: Path) -> tuple[Any, tuple[str, ...]]:
    """A file through nets that change nothing, and the notes of its account."""
    made = codec()
    item = made.read(path)
    output = made.join(item, ((window, window.signal) for window in made.windows(item)))
    return output, item.info["notes"]


def noise(*shape: int, kind: str = "uint8") -> np.ndarray:
    return RNG.integers(0, np.iinfo(kind).max + 1, shape).astype(kind)


def saved(form: str, *frames: Image.Image, **more: Any) -> bytes:
    buffer = io.BytesIO()
    frames[0].save(buffer, form, save_all=True, append_images=frames[1:], **more)
    return buffer.getvalue()


def pictures(count: int, side: int = 64) -> list[Image.Image]:
    return [Image.fromarray(noise(side, side, 3)) for _ in range(count)]


def test_frames_of_10_bits_are_all_there_and_said_to_be_used_by_8(tmp_path: Path) -> None:
    frames = noise(3, 64, 64, 3, kind="uint16") >> 6
    (tmp_path / "x.avif").write_bytes(imagecodecs.avif_encode(frames, bitspersample=10))
    output, notes = through(tmp_path / "x.avif")
    assert len(output.frames) == 3
    assert notes == ("10 bits per value, of which 8 are used",)


def test_a_gif_that_is_cut_between_two_frames_is_said_to_lack_its_end(tmp_path: Path) -> None:
    data = saved("GIF", *pictures(4), duration=100)
    third = [at for at in range(len(data)) if data[at : at + 3] == b"\x21\xf9\x04"][2]
    (tmp_path / "x.gif").write_bytes(data[:third])
    output, notes = through(tmp_path / "x.gif")
    assert len(output.frames) == 2
    assert notes == ("its end missing, so that later frames may be, too",)
    (tmp_path / "whole.gif").write_bytes(data + b"what a camera adds")
    assert through(tmp_path / "whole.gif")[1] == ()


@pytest.mark.parametrize("big", [False, True])
def test_a_tiff_whose_later_pages_are_cut_off_says_so(big: bool, tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    with tifffile.TiffWriter(path, bigtiff=big) as file:
        for picture in pictures(4):
            file.write(np.asarray(picture), photometric="rgb", metadata=None)
    assert through(path)[1] == ()
    with tifffile.TiffFile(path) as file:
        cut = file.pages[2].offset
    path.write_bytes(path.read_bytes()[:cut])
    output, notes = through(path)
    assert len(output.frames) == 2
    assert "beyond the end of the file" in notes[0]


@pytest.mark.parametrize("form", ["WEBP", "AVIF"])
def test_a_file_whose_end_is_zeros_is_doubted(form: str, tmp_path: Path) -> None:
    data = saved(form, *pictures(1, 128))
    path = tmp_path / f"x.{form.lower()}"
    path.write_bytes(data)
    assert through(path)[1] == ()
    path.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
    (note,) = through(path)[1]
    assert "not fetched in full" in note


def test_slices_of_imagej_that_have_no_page_are_counted(tmp_path: Path) -> None:
    slices, path = noise(7, 20, 24), tmp_path / "x.tif"
    words = "ImageJ=1.53t\nimages=7\nslices=7\n"
    tifffile.imwrite(path, slices[0], description=words, metadata=None, software=False)
    path.write_bytes(path.read_bytes() + slices[1:].tobytes())
    _, notes = through(path)
    assert any(note.startswith("6 further pictures that its list") for note in notes)


def test_a_second_picture_in_a_ppm_is_named(tmp_path: Path) -> None:
    one = b"P6\n4 4\n255\n" + bytes(48)
    (tmp_path / "x.ppm").write_bytes(one + b"\n")
    assert through(tmp_path / "x.ppm")[1] == ()
    (tmp_path / "x.ppm").write_bytes(one + one)
    assert through(tmp_path / "x.ppm")[1] == ("a further picture in it, which is left out",)


def test_a_second_band_that_is_no_transparency_is_kept(tmp_path: Path) -> None:
    pixels = noise(20, 24, 2)
    more = {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": [0]}
    tifffile.imwrite(tmp_path / "x.tif", pixels, **more)
    output, (note,) = through(tmp_path / "x.tif")
    assert np.array_equal(as_raster(output).pixels[..., -1], pixels[..., 1])
    assert "2 bands" in note


def test_numbers_of_colours_in_16_bits_are_no_grey(tmp_path: Path) -> None:
    colours, numbers = noise(3, 65536, kind="uint16"), noise(20, 24, kind="uint16")
    tifffile.imwrite(tmp_path / "x.tif", numbers, photometric="palette", colormap=colours)
    output, _ = through(tmp_path / "x.tif")
    difference = as_raster(output).pixels.astype(int) - colours.T[numbers]
    assert np.abs(difference).max() <= 1


def test_a_tiff_in_webp_is_read(tmp_path: Path) -> None:
    pixels = noise(32, 32, 3)
    tifffile.imwrite(tmp_path / "x.tif", pixels, photometric="rgb", compression="webp")
    with tifffile.TiffFile(tmp_path / "x.tif") as file:
        assert file.pages[0].compression.name == "WEBP"
    output, _ = through(tmp_path / "x.tif")
    assert np.array_equal(np.asarray(output), pixels)


@pytest.mark.parametrize("shape", [(20, 24, 2), (64, 40, 10)])
def test_bands_that_come_last_in_an_array_are_no_rows_of_pictures(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    np.save(tmp_path / "x.npy", noise(*shape))
    with pytest.raises(DataError) as caught:
        through(tmp_path / "x.npy")
    assert f"{shape[-1]} bands" in caught.value.problem
    assert "moveaxis" in (caught.value.hint or "")


def test_a_float_transparency_of_another_scale_is_not_taken_for_opaque(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", noise(20, 24, 4).astype("f4"))
    with pytest.raises(DataError) as caught:
        through(tmp_path / "x.npy")
    assert caught.value.asked == str(tmp_path / "x.npy")
    assert "transparency" in caught.value.problem


def test_big_endian_arrays_are_pictures_like_others() -> None:
    values, made = noise(20, 24, kind="uint16"), codec()
    (item,) = made.wrap(values.astype(">u2"))
    output = made.join(item, ((window, window.signal) for window in made.windows(item)))
    assert np.abs(output.astype(int) - values).max() <= 1


def test_a_mask_is_not_lost_in_silence() -> None:
    values = np.ma.masked_less(noise(20, 24, 3), 9)
    with pytest.raises(UsageError) as caught:
        codec().wrap(values)
    assert "mask" in caught.value.problem
    assert codec().wrap(np.ma.masked_less(noise(20, 24, 3), 0))  # of which nothing is masked
