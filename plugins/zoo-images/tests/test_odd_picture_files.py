"""Files that are rarer than photos: each comes out as what it means, or is named."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from zoo_core.contracts.signals import TensorSpec
from zoo_core.errors import DataError
from zoo_images.codec import ImageCodec
from zoo_images.opening import recognises

RNG = np.random.default_rng(0)


def codec(**wishes: str) -> ImageCodec:
    made = ImageCodec(TensorSpec(shape=(3, 16, 16), stride=4))
    made.ask(**wishes)
    return made


def through(path: Path, **wishes: str) -> tuple[Any, tuple[str, ...]]:
    """A file through nets that change nothing, and the notes of its account."""
    made = codec(**wishes)
    item = made.read(path)
    output = made.join(item, ((window, window.signal) for window in made.windows(item)))
    return output, item.info["notes"]


def refused(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        through(path)
    assert caught.value.asked == str(path)
    return caught.value


def noise(*shape: int, kind: str = "uint8") -> np.ndarray:
    return RNG.integers(0, np.iinfo(kind).max + 1, shape).astype(kind)


def test_a_colour_that_stands_for_transparency_in_16_bits_is_transparent(tmp_path: Path) -> None:
    pixels = noise(16, 16, 3, kind="uint16")
    pixels[:8] = (1000, 2000, 3000)
    data = imagecodecs.png_encode(pixels)
    body = struct.pack(">HHH", 1000, 2000, 3000)
    check = struct.pack(">I", zlib.crc32(b"tRNS" + body))
    key = struct.pack(">I", len(body)) + b"tRNS" + body + check
    (tmp_path / "x.png").write_bytes(data[:33] + key + data[33:])
    output, _ = through(tmp_path / "x.png")
    assert (output.pixels[:8, :, 3] == 0).all()
    assert (output.pixels[8:, :, 3] == 65535).all()


def test_a_palette_of_which_some_entries_are_half_transparent_keeps_them(tmp_path: Path) -> None:
    image = Image.fromarray(noise(16, 16, 3)).quantize(4)
    image.save(tmp_path / "x.png", transparency=bytes([0, 128, 255, 255]))
    output, _ = through(tmp_path / "x.png")
    wanted = np.array([0, 128, 255, 255])[np.asarray(image)]
    assert np.array_equal(np.asarray(output)[..., 3], wanted)


def test_cmyk_of_16_bits_is_said_to_be_used_by_8(tmp_path: Path) -> None:
    pixels = noise(16, 16, 4, kind="uint16")
    tifffile.imwrite(tmp_path / "x.tif", pixels, photometric="separated")
    assert through(tmp_path / "x.tif")[1] == ("16 bits per value, of which 8 are used",)


def test_signed_bytes_are_no_unsigned_ones(tmp_path: Path) -> None:
    values = RNG.integers(-100, 100, (16, 16)).astype(np.int8)
    tifffile.imwrite(tmp_path / "x.tif", values)
    assert "black and white" in refused(tmp_path / "x.tif").problem
    output, _ = through(tmp_path / "x.tif", range="-100,100")
    assert output.pixels.dtype == np.int8
    assert np.abs(output.pixels.astype(int) - values).max() <= 1


def test_a_portable_float_map_keeps_its_floats(tmp_path: Path) -> None:
    values = RNG.random((16, 16)).astype("<f4")
    (tmp_path / "x.pfm").write_bytes(b"Pf\n16 16\n-1.0\n" + values[::-1].tobytes())
    output, (note,) = through(tmp_path / "x.pfm")
    assert "1 for white" in note
    codec().write(output, tmp_path / "out.tif")
    assert codec().output_suffix(tmp_path / "x.pfm") == ".tif"
    assert np.abs(tifffile.imread(tmp_path / "out.tif") - values).max() < 1e-5


def test_an_array_of_four_channels_is_one_picture_with_transparency(tmp_path: Path) -> None:
    pixels = noise(16, 24, 4)
    np.save(tmp_path / "x.npy", pixels)
    made = codec()
    output, _ = through(tmp_path / "x.npy")
    made.write(output, tmp_path / "out.npy")
    after = np.load(tmp_path / "out.npy")
    assert after.shape == pixels.shape
    assert np.array_equal(after[..., 3], pixels[..., 3])
    flat, _ = through(tmp_path / "x.npy", alpha="black")
    assert flat.arrays[0].shape == (16, 24, 3)


def test_an_array_whose_colours_come_first_is_said_to_be_taken_for_three(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", noise(3, 16, 24))
    _, notes = through(tmp_path / "x.npy")
    assert any("3 grey pictures" in note for note in notes)


def test_the_gain_map_of_a_phone_s_photo_is_no_frame(tmp_path: Path) -> None:
    photo, gain = Image.fromarray(noise(16, 16, 3)), Image.fromarray(noise(8, 8))
    photo.save(tmp_path / "x.jpg", "MPO", save_all=True, append_images=[gain])
    output, (note,) = through(tmp_path / "x.jpg")
    assert output.size == (16, 16)
    assert "gain map" in note


@pytest.mark.parametrize("suffix", [".dng", ".nef", ".cr2"])
def test_the_preview_of_a_raw_file_is_not_taken_for_the_picture(
    suffix: str, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "preview.tif", noise(16, 16, 3), photometric="rgb")
    path = (tmp_path / "preview.tif").rename(tmp_path / f"x{suffix}")
    assert not recognises(path)
    assert "raw file" in refused(path).problem


def test_a_dng_is_told_by_its_tag_whatever_it_is_called(tmp_path: Path) -> None:
    version = (50706, 1, 4, (1, 4, 0, 0), True)
    tifffile.imwrite(tmp_path / "x.tif", noise(16, 16, 3), photometric="rgb", extratags=[version])
    assert "raw file" in refused(tmp_path / "x.tif").problem


def test_an_archive_is_named_with_what_to_do(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.png", b"")
    error = refused(tmp_path / "x.zip")
    assert "archive" in error.problem
    assert "Unpack" in (error.hint or "")


@pytest.mark.parametrize("start", [b"%PDF-1.7\n", b"8BPS\x00\x01", b"v/1\x01\x02"])
def test_documents_and_layers_are_named(start: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(start + bytes(200))
    assert "Export" in (refused(tmp_path / "x").hint or "")


def test_a_page_that_is_a_volume_is_refused(tmp_path: Path) -> None:
    values = noise(5, 16, 16, kind="uint16")
    more = {"photometric": "minisblack", "volumetric": True, "tile": (16, 16, 16)}
    tifffile.imwrite(tmp_path / "x.tif", values, **more)
    assert "volume of 5 slices" in refused(tmp_path / "x.tif").problem


def test_pages_of_different_sizes_and_depths_stay_so(tmp_path: Path) -> None:
    pages = [noise(16, 16), noise(20, 40, kind="uint16"), noise(12, 18, 3)]
    with tifffile.TiffWriter(tmp_path / "x.tif") as file:
        for page in pages:
            file.write(page, photometric="rgb" if page.ndim == 3 else "minisblack")
    output, _ = through(tmp_path / "x.tif")
    codec().write(output, tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        found = [(page.shape[:2], page.dtype.name) for page in file.pages]
    assert found == [((16, 16), "uint8"), ((20, 40), "uint16"), ((12, 18), "uint8")]


def test_a_lab_tiff_comes_out_in_its_colours(tmp_path: Path) -> None:
    srgb, lab = (ImageCms.createProfile(name) for name in ("sRGB", "LAB"))
    image = Image.new("RGB", (16, 16), (200, 80, 40))
    turned = ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
    assert turned is not None
    turned.save(tmp_path / "x.tif")
    output, _ = through(tmp_path / "x.tif")
    assert np.abs(np.asarray(output).astype(int) - (200, 80, 40)).max() <= 6


@pytest.mark.parametrize("form", ["GIF", "JPEG"])
def test_a_file_that_is_cut_off_is_named(form: str, tmp_path: Path) -> None:
    frames = [Image.fromarray(noise(64, 64)) for _ in range(4)]
    buffer = io.BytesIO()
    more = {"save_all": True, "append_images": frames[1:]} if form == "GIF" else {}
    frames[0].save(buffer, form, **more)
    path = tmp_path / "x"
    path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) * 6 // 10])
    assert "truncated" in refused(path).problem


@pytest.mark.parametrize("name", ["a\nb.png", "😀.png", "-rf.png", " x .png", "{name}.png"])
def test_a_name_of_any_characters_is_a_name(name: str, tmp_path: Path) -> None:
    Image.fromarray(noise(16, 16, 3)).save(tmp_path / name)
    output, _ = through(tmp_path / name)
    codec().write(output, tmp_path / "out" / name)
    assert (tmp_path / "out" / name).is_file()
