"""Depth, masks and colours that formats hold in their own ways are kept, or said."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pillow_heif
import pytest
import tifffile
from PIL import Image, ImageCms

from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import DataError
from zoo_images.codec import ImageCodec
from zoo_images.decode import decode

CODEC = ImageCodec(TensorSpec(shape=(3, 8, 8), stride=2))
RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 65536, (20, 24)).astype(np.uint16)
COLOUR = RNG.integers(0, 65536, (20, 24, 3)).astype(np.uint16)
BYTES = RNG.integers(0, 256, (20, 24, 3), dtype=np.uint8)


def translated(path: Path) -> tuple[Path, tuple[str, ...]]:
    """The file that nets which change nothing make of a picture, and what is said of it."""
    item = CODEC.read(path)
    made = CODEC.join(item, ((window, window.signal) for window in CODEC.windows(item)))
    out = path.with_name(f"out{CODEC.output_suffix(path)}")
    CODEC.write(made, out)
    return out, tuple(item.info["notes"])


def png(path: Path, pixels: np.ndarray, kind: bytes, content: bytes, **options: Any) -> Path:
    """A PNG with a further chunk after its header."""
    if pixels.dtype == np.uint8:
        Image.fromarray(pixels).save(path, **options)
    else:
        path.write_bytes(imagecodecs.png_encode(pixels))
    chunk = struct.pack(">I", len(content)) + kind + content
    chunk += struct.pack(">I", zlib.crc32(kind + content))
    data = path.read_bytes()
    path.write_bytes(data[:33] + chunk + data[33:])
    return path


def profile(description: bytes, *, linear: bool) -> bytes:
    """A profile of sRGB's primaries, with a straight curve where it is to be linear."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for number in range(struct.unpack(">I", data[128:132])[0]):
        name, at, _ = struct.unpack(">4sII", data[132 + 12 * number : 144 + 12 * number])
        if name == b"rTRC" and linear:
            data[at : at + 12] = b"curv" + bytes(8)
    old = "sRGB built-in".encode("utf-16-be")
    return bytes(data).replace(old, description.decode().ljust(13).encode("utf-16-be"))


@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
def test_jpeg_2000_of_16_bits_keeps_its_depth(pixels: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "x.jp2").write_bytes(imagecodecs.jpeg2k_encode(pixels, level=0))
    out, notes = translated(tmp_path / "x.jp2")
    assert np.array_equal(imagecodecs.png_decode(out.read_bytes()), pixels)
    assert notes == ()


def test_values_of_12_bits_are_not_scaled(tmp_path: Path) -> None:
    pixels = GREY >> 4
    data = imagecodecs.jpeg2k_encode(pixels, level=0, bitspersample=12)
    (tmp_path / "x.jp2").write_bytes(data)
    (tmp_path / "x.pgm").write_bytes(b"P5\n24 20\n4095\n" + pixels.astype(">u2").tobytes())
    for name in ("x.jp2", "x.pgm"):
        assert np.array_equal(CODEC.read(tmp_path / name).value, pixels)


@pytest.mark.parametrize("kind", [b"P6", b"P3"])
def test_a_ppm_of_16_bits_keeps_its_depth(kind: bytes, tmp_path: Path) -> None:
    text = b" ".join(str(value).encode() for value in COLOUR.reshape(-1).tolist())
    body = COLOUR.astype(">u2").tobytes() if kind == b"P6" else text
    (tmp_path / "x.ppm").write_bytes(kind + b"\n# of a scanner\n24 20\n65535\n" + body)
    out, _ = translated(tmp_path / "x.ppm")
    assert np.array_equal(imagecodecs.png_decode(out.read_bytes()), COLOUR)


@pytest.mark.parametrize(("bits", "channels"), [(10, 3), (12, 4), (10, 1)])
def test_avif_of_more_than_8_bits_keeps_its_depth(bits: int, channels: int, tmp_path: Path) -> None:
    values = RNG.integers(0, 2**bits, (20, 24, channels)).astype(np.uint16)
    shaped = values[..., 0] if channels == 1 else values
    data = imagecodecs.avif_encode(shaped, level=100, bitspersample=bits)
    (tmp_path / "x.avif").write_bytes(data)
    picture = decode(tmp_path / "x.avif")
    assert picture.values is not None
    assert picture.notes == ()
    scaled = np.round(values[..., : 1 if channels == 1 else 3] * (65535 / (2**bits - 1)))
    assert np.abs(picture.values.reshape(scaled.shape) - scaled).max() <= 1
    assert (picture.transparency is not None) == (channels == 4)


def test_the_transparent_value_of_grey_of_16_bits_is_kept(tmp_path: Path) -> None:
    pixels = GREY.copy()
    pixels[:4] = 1234
    path = png(tmp_path / "x.png", pixels, b"tRNS", struct.pack(">H", 1234))
    out, _ = translated(path)
    alpha = imagecodecs.png_decode(out.read_bytes())[..., -1]
    assert np.array_equal(alpha == 0, pixels == 1234)


def test_sixteen_bits_are_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(GREY).save(tmp_path / "x.png", exif=exif)
    assert np.array_equal(CODEC.read(tmp_path / "x.png").value, np.rot90(GREY, -1))


@pytest.mark.parametrize("form", ["heic", "avif"])
def test_photos_of_10_bits_count_as_deep_in_training(form: str, tmp_path: Path) -> None:
    for number in range(2):
        ramp = np.zeros((40, 60, 3), np.uint16)
        ramp[..., number] = np.linspace(0, 65535, 60).astype(np.uint16)
        path = tmp_path / f"{number}.{form}"
        if form == "heic":
            heic = pillow_heif.from_bytes("RGB;16", (60, 40), ramp.tobytes())
            heic.save(path, format="HEIF", quality=100)
        else:
            path.write_bytes(imagecodecs.avif_encode(ramp >> 6, level=100, bitspersample=10))
    store = CODEC.open(sorted(tmp_path.iterdir()), TrainConfig(), domain="a")
    span = store.span  # type: ignore[attr-defined]
    assert (span.dtype, span.high) == ("uint16", 65535)


def test_the_mask_of_a_geotiff_becomes_its_transparency(tmp_path: Path) -> None:
    there = np.zeros((20, 24), bool)
    there[5:15] = True
    for name, pixels in (("bytes", BYTES), ("deep", COLOUR)):
        with tifffile.TiffWriter(tmp_path / f"{name}.tif") as file:
            file.write(pixels, photometric="rgb", metadata=None)
            file.write(there, photometric="mask", subfiletype=4, metadata=None)
        out, notes = translated(tmp_path / f"{name}.tif")
        made = tifffile.imread(out)
        assert made.shape == (20, 24, 4)
        assert made.dtype == pixels.dtype
        assert np.array_equal(made[..., 3] > 0, there)
        assert np.array_equal(made[there][:, :3], pixels[there])
        assert any("mask" in note for note in notes)


def test_cmyk_with_transparency_is_refused_by_name(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 256, (20, 24, 5), dtype=np.uint8)
    tifffile.imwrite(
        tmp_path / "x.tif", pixels, photometric="separated", extrasamples=[2], planarconfig="contig"
    )
    with pytest.raises(DataError) as caught:
        decode(tmp_path / "x.tif")
    assert "CMYK" in caught.value.problem


@pytest.mark.parametrize("mode", ["RGB", "P", "LA", "RGBA"])
def test_the_profile_of_any_mode_is_converted(mode: str, tmp_path: Path) -> None:
    icc = profile(b"straight", linear=True)
    picture = Image.fromarray(BYTES).convert("RGBA" if mode == "RGBA" else "RGB").convert(mode)
    picture.save(tmp_path / "x.png", icc_profile=icc)
    (note,) = decode(tmp_path / "x.png").notes
    assert "straight" in note


def test_a_profile_that_is_only_called_srgb_is_converted(tmp_path: Path) -> None:
    for name, linear in (("true", False), ("false", True)):
        icc = profile(b"sRGB built-in", linear=linear)
        Image.fromarray(BYTES).save(tmp_path / f"{name}.png", icc_profile=icc)
    assert decode(tmp_path / "true.png").notes == ()
    assert len(decode(tmp_path / "false.png").notes) == 1


@pytest.mark.parametrize(
    ("kind", "content", "word"),
    [
        (b"gAMA", struct.pack(">I", 100000), "gamma 1"),
        (b"cICP", bytes([9, 16, 0, 1]), "PQ"),
        (b"gAMA", struct.pack(">I", 45455), None),
        (b"cICP", bytes([1, 13, 0, 1]), None),
    ],
)
def test_colours_that_are_declared_without_a_profile_are_said(
    kind: bytes, content: bytes, word: str | None, tmp_path: Path
) -> None:
    notes = decode(png(tmp_path / "x.png", BYTES, kind, content)).notes
    assert len(notes) == (0 if word is None else 1)
    assert all(word in note for note in notes if word)


def test_a_still_picture_ahead_of_an_animation_is_no_frame(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.roll(BYTES, number, 1)) for number in range(3)]
    path = tmp_path / "x.png"
    frames[0].save(
        path, save_all=True, append_images=frames[1:], default_image=True, duration=[100, 200]
    )
    out, notes = translated(path)
    with Image.open(out) as made:
        assert made.n_frames == 2
        durations = []
        for number in range(2):
            made.seek(number)
            durations.append(made.info["duration"])
    assert durations == [100, 200]
    assert any("still picture" in note for note in notes)


def test_a_jpeg_of_12_bits_is_named(tmp_path: Path) -> None:
    data = imagecodecs.jpeg8_encode(GREY >> 4, bitspersample=12)
    (tmp_path / "x.jpg").write_bytes(data)
    with pytest.raises(DataError) as caught:
        decode(tmp_path / "x.jpg")
    assert "more than 8 bits" in caught.value.problem
