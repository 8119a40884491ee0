"""What a file says beside its pixels is carried on wherever the output's format can hold it."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, PngImagePlugin

from zoo_core.contracts.signals import TensorSpec
from zoo_images.codec import ImageCodec

CODEC = ImageCodec(TensorSpec(shape=(3, 8, 8), stride=2))
RNG = np.random.default_rng(0)
EXIF, GPS = 0x8769, 0x8825
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'></x:xmpmeta>"


def written(path: Path, name: str) -> Path:
    """The output of a file through nets that change nothing, under a name beside it."""
    item = CODEC.read(path)
    value = CODEC.join(item, ((window, window.signal) for window in CODEC.windows(item)))
    CODEC.write(value, path.with_name(name))
    return path.with_name(name)


def photo(path: Path, **more: Any) -> None:
    """A photo of a camera, lying on its side."""
    exif = Image.Exif()
    exif[0x0112], exif[315], exif[33432] = 6, "An artist", "CC0"
    exif[EXIF] = {0x9003: "2020:01:02 03:04:05", 0x829A: 0.01, 0xA002: 12}
    exif[GPS] = {1: "N", 2: (52.0, 30.0, 0.0)}
    pixels = RNG.integers(0, 256, (10, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, exif=exif, **more)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_what_a_camera_noted_is_kept(suffix: str, tmp_path: Path) -> None:
    photo(tmp_path / "x.jpg", dpi=(300, 300), xmp=XMP)
    with Image.open(written(tmp_path / "x.jpg", f"out{suffix}")) as image:
        image.load()
        exif = image.getexif()
        assert (exif[315], exif[33432]) == ("An artist", "CC0")
        assert exif.get_ifd(EXIF)[0x9003] == "2020:01:02 03:04:05"
        assert exif.get_ifd(GPS)[2] == (52.0, 30.0, 0.0)
        xmp = image.tag_v2[700] if suffix == ".tif" else image.info["xmp"]
        assert xmp in (XMP, XMP.decode())
        if suffix != ".webp":
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.05)


def test_what_is_no_longer_true_is_not_kept(tmp_path: Path) -> None:
    photo(tmp_path / "x.jpg")
    with Image.open(written(tmp_path / "x.jpg", "out.png")) as image:
        assert image.size == (10, 12)  # it was turned upright
        assert 0x0112 not in image.getexif()
        assert 0xA002 not in image.getexif().get_ifd(EXIF)


def test_the_texts_of_a_png_are_kept(tmp_path: Path) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "A meadow")
    texts.add_itxt("Author", "Zoë")
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png", pnginfo=texts)
    with Image.open(written(tmp_path / "x.png", "out.png")) as image:
        assert image.text == {"Title": "A meadow", "Author": "Zoë"}


def test_the_comment_of_a_jpeg_is_kept(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "x.jpg", comment=b"a comment")
    with Image.open(written(tmp_path / "x.jpg", "out.jpg")) as image:
        assert image.info["comment"] == b"a comment"


@pytest.mark.parametrize("depth", ["uint8", "uint16"])
def test_who_made_a_tiff_and_its_resolution_are_kept(depth: str, tmp_path: Path) -> None:
    pixels = RNG.integers(0, 256, (10, 12, 3)).astype(depth)
    tifffile.imwrite(
        tmp_path / "x.tif",
        pixels,
        photometric="rgb",
        description="a field",
        metadata=None,
        software="A camera",
        resolution=(300, 300),
        resolutionunit=2,
        extratags=[(315, 2, 0, "An artist", True)],
    )
    with Image.open(written(tmp_path / "x.tif", "out.tif")) as image:
        tags = image.tag_v2
        assert (tags[270], tags[305], tags[315]) == ("a field", "A camera", "An artist")
        assert image.info["dpi"] == pytest.approx((300, 300))


def test_a_description_of_how_a_tiff_is_laid_out_is_not_kept(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 256, (2, 10, 12)).astype("uint8")
    tifffile.imwrite(tmp_path / "x.tif", pixels, imagej=True)
    item = CODEC.read(tmp_path / "x.tif")
    list(CODEC.windows(item))
    assert any("ImageJ" in note for note in item.info["notes"])
    with tifffile.TiffFile(written(tmp_path / "x.tif", "out.tif")) as file:
        assert not file.is_imagej
        assert len(file.pages) == 2


def test_deep_colour_carries_on_what_its_png_says(tmp_path: Path) -> None:
    from zoo_images.metadata import Metadata

    pixels = RNG.integers(0, 65536, (8, 8, 3)).astype(np.uint16)
    said = Metadata(dpi=(150, 150), text={"Title": "deep"})
    (tmp_path / "x.png").write_bytes(said.in_png(imagecodecs.png_encode(pixels)))
    out = written(tmp_path / "x.png", "out.png")
    with Image.open(out) as image:
        image.load()
        assert image.text == {"Title": "deep"}
        assert image.info["dpi"] == pytest.approx((150, 150), abs=0.05)
    assert np.abs(imagecodecs.imread(out).astype(int) - pixels).max() <= 1


def adobe() -> bytes:
    """The profile of a space with wider colours than sRGB."""
    profile: bytes = imagecodecs.cms_profile("adobergb")
    return profile


@pytest.mark.parametrize("depth", ["uint8", "uint16"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_colours_are_converted_to_srgb_and_the_output_says_so(
    depth: str, suffix: str, tmp_path: Path
) -> None:
    white = np.iinfo(depth).max
    pixels = np.full((8, 8, 3), white // 3, depth)
    pixels[..., 1] = white // 2
    path = tmp_path / f"x{suffix}"
    if suffix == ".tif":
        tifffile.imwrite(path, pixels, photometric="rgb", iccprofile=adobe())
    elif depth == "uint8":
        Image.fromarray(pixels).save(path, icc_profile=adobe())
    else:
        from zoo_images.metadata import Metadata

        path.write_bytes(Metadata(icc=adobe()).in_png(imagecodecs.png_encode(pixels)))
    (note,) = CODEC.read(path).info["notes"]
    assert "to sRGB" in note
    seen = np.asarray(CODEC.read(path).value)[0, 0] / white
    expected = imagecodecs.cms_transform(
        np.full((1, 1, 3), (21845, 32767, 21845), np.uint16),
        adobe(),
        imagecodecs.cms_profile("srgb"),
        colorspace="rgb",
        outcolorspace="rgb",
    )
    assert seen == pytest.approx(expected[0, 0] / 65535, abs=0.02)
    with Image.open(written(path, f"out{suffix}")) as image:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        assert "srgb" in ImageCms.getProfileDescription(profile).lower()


def test_a_profile_that_is_not_used_is_said(tmp_path: Path) -> None:
    pixels = RNG.random((8, 8, 3)).astype(np.float32)
    tifffile.imwrite(tmp_path / "x.tif", pixels, photometric="rgb", iccprofile=adobe())
    (note,) = CODEC.read(tmp_path / "x.tif").info["notes"]
    assert "profile" in note
    assert "not used" in note


IPTC = b"\x1c\x02\x78\x00\x09A caption\x1c\x02\x19\x00\x05night"


def with_iptc(path: Path) -> Path:
    """A JPEG of a news agency."""
    part = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC + bytes(len(IPTC) % 2)
    block = b"Photoshop 3.0\0" + part
    segment = b"\xff\xed" + struct.pack(">H", len(block) + 2) + block
    Image.new("RGB", (8, 8)).save(path, extra=segment)
    return path


def rewritten(path: Path, name: str) -> tuple[Path, Any]:
    """The output of a file through nets that change nothing, and what of it got lost."""
    item = CODEC.read(path)
    value = CODEC.join(item, ((window, window.signal) for window in CODEC.windows(item)))
    return path.with_name(name), CODEC.write(value, path.with_name(name))


def test_the_iptc_of_a_jpeg_is_kept_in_a_jpeg_and_a_tiff(tmp_path: Path) -> None:
    path = with_iptc(tmp_path / "x.jpg")
    jpeg, lost = rewritten(path, "out.jpg")
    assert not lost
    with Image.open(jpeg) as image:
        assert image.info["photoshop"] == {0x0404: IPTC}
    tiff, lost = rewritten(path, "out.tif")
    assert not lost
    with Image.open(tiff) as image:
        assert image.tag_v2[33723] == IPTC


@pytest.mark.parametrize("suffix", [".png", ".webp", ".bmp"])
def test_iptc_that_a_format_does_not_hold_is_said(suffix: str, tmp_path: Path) -> None:
    _, (lost,) = rewritten(with_iptc(tmp_path / "x.jpg"), f"out{suffix}")
    assert lost.startswith("IPTC, which the ")


def test_all_that_a_format_does_not_hold_is_said(tmp_path: Path) -> None:
    photo(tmp_path / "x.jpg", xmp=XMP, comment=b"a comment")
    _, (lost,) = rewritten(tmp_path / "x.jpg", "out.ppm")
    assert lost == "EXIF, XMP, a comment, which the PPM does not hold"


def test_what_is_too_long_for_a_jpeg_is_said(tmp_path: Path) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", XMP.decode() + 70_000 * " ")
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png", pnginfo=texts)
    _, (lost,) = rewritten(tmp_path / "x.png", "out.jpg")
    assert lost == "XMP, which the JPEG does not hold"
    _, lost = rewritten(tmp_path / "x.png", "out.png")
    assert not lost


def test_the_comment_of_a_jpeg_becomes_a_text_of_a_png(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "x.jpg", comment=b"a comment")
    with Image.open(written(tmp_path / "x.jpg", "out.png")) as image:
        image.load()
        assert image.text == {"Comment": "a comment"}


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_a_damaged_exif_block_is_said(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "x.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    (note,) = CODEC.read(tmp_path / "x.jpg").info["notes"]
    assert note == "a damaged EXIF block, which was not used in full"
    photo(tmp_path / "whole.jpg")
    assert not CODEC.read(tmp_path / "whole.jpg").info["notes"]
