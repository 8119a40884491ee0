"""Nothing of a picture vanishes without a word, and no decoder starts a program."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from zoo_core.contracts.signals import TensorSpec
from zoo_core.errors import DataError
from zoo_images.codec import ImageCodec
from zoo_images.decode import decode
from zoo_images.opening import recognises

CODEC = ImageCodec(TensorSpec(shape=(3, 8, 8), stride=2))
RNG = np.random.default_rng(0)


def translated(path: Path) -> Image.Image:
    """A picture through nets that change nothing."""
    item = CODEC.read(path)
    pairs = ((window, window.signal) for window in CODEC.windows(item))
    picture: Image.Image = CODEC.join(item, pairs)
    return picture


def test_the_alpha_of_the_input_is_put_back(tmp_path: Path) -> None:
    alpha = RNG.integers(0, 256, (10, 12), dtype=np.uint8)
    pixels = np.dstack([RNG.integers(0, 256, (10, 12, 3), dtype=np.uint8), alpha])
    Image.fromarray(pixels).save(tmp_path / "sprite.png")
    output = translated(tmp_path / "sprite.png")
    CODEC.write(output, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as written:
        assert written.mode == "RGBA"
        assert np.array_equal(np.asarray(written.getchannel("A")), alpha)


def test_an_opaque_picture_stays_without_alpha(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (10, 20, 30, 255)).save(tmp_path / "x.png")
    assert translated(tmp_path / "x.png").mode == "RGB"


@pytest.mark.parametrize(("suffix", "word"), [(".tif", "3 pages"), (".gif", "3 frames")])
def test_pages_and_frames_that_are_not_used_are_said(
    suffix: str, word: str, tmp_path: Path
) -> None:
    frames = [Image.fromarray(RNG.integers(0, 256, (8, 8), dtype=np.uint8)) for _ in range(3)]
    path = tmp_path / f"many{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    (note,) = decode(path).notes
    assert word in note


def test_twelve_bits_in_sixteen_are_said_to_be_nearly_black(tmp_path: Path) -> None:
    values = RNG.integers(0, 2225, (8, 8)).astype(np.uint16)
    values.flat[0] = 2224
    Image.fromarray(values).save(tmp_path / "ct.png")
    item = CODEC.read(tmp_path / "ct.png")
    list(CODEC.windows(item))
    (note,) = item.info["notes"]
    assert "2,224 of 65,535" in note


def test_floats_of_unknown_meaning_are_refused_with_the_way_out(tmp_path: Path) -> None:
    Image.fromarray(np.linspace(-1000, 400, 64, dtype=np.float32).reshape(8, 8)).save(
        tmp_path / "ct.tif"
    )
    with pytest.raises(DataError) as caught:
        translated(tmp_path / "ct.tif")
    assert caught.value.asked == str(tmp_path / "ct.tif")
    assert "-1,000 to 400" in caught.value.problem
    assert "--range LOW,HIGH" in (caught.value.hint or "")


def test_colours_of_another_profile_are_converted_and_said(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    picture = Image.new("RGB", (8, 8), (200, 30, 30))
    picture.save(tmp_path / "plain.png")
    picture.save(tmp_path / "odd.png", icc_profile=profile)
    assert decode(tmp_path / "plain.png").notes == ()
    assert any("profile" in note for note in decode(tmp_path / "odd.png").notes)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
def test_a_picture_is_recognised_whatever_its_suffix(form: str, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "scraped", form)
    assert recognises(tmp_path / "scraped")


@pytest.mark.parametrize(
    "content",
    [b"", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"8BPS\x00\x01", b"\x00\x00\x00\x18ftypheic", b"text"],
)
def test_what_is_no_picture_for_us_is_not_recognised(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    assert not recognises(tmp_path / "file")


def test_postscript_called_png_is_refused_and_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []
    monkeypatch.setattr("subprocess.check_call", lambda *a, **k: started.append(a))
    monkeypatch.setattr("subprocess.Popen", lambda *a, **k: started.append(a))
    eps = io.BytesIO()
    Image.new("RGB", (8, 8)).save(eps, "EPS")
    (tmp_path / "x.png").write_bytes(eps.getvalue())
    with pytest.raises(DataError) as caught:
        decode(tmp_path / "x.png")
    assert caught.value.asked == str(tmp_path / "x.png")
    assert not started


def test_heic_is_read_by_its_content(tmp_path: Path) -> None:
    before = Image.new("RGB", (60, 40), (200, 120, 40))
    pillow_heif.from_pillow(before).save(tmp_path / "IMG_0001", format="HEIF", quality=90)
    codec = ImageCodec(TensorSpec(shape=(3, 16, 16), stride=4))
    assert codec.recognises(tmp_path / "IMG_0001")
    assert codec.output_suffix(tmp_path / "IMG_0001") == ".png"
    values = codec.read(tmp_path / "IMG_0001").value
    assert values.shape == (40, 60, 3)
    assert np.abs(values.astype(int) - (200, 120, 40)).max() < 8


def test_heic_names_the_package_that_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "phone.heic").write_bytes(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic")
    with pytest.raises(DataError) as caught:
        decode(tmp_path / "phone.heic")
    assert "pillow-heif" in (caught.value.hint or "")


def deep_heic(path: Path, bits: int = 10) -> np.ndarray:
    """A ramp of more than 8 bits, (H, W, 3) in 16."""
    values = np.zeros((40, 60, 3), np.uint16)
    values[..., 0] = np.linspace(0, 65535, 60).astype(np.uint16)
    heic = pillow_heif.from_bytes("RGB;16", (60, 40), values.tobytes())
    heic.save(path, format="HEIF", quality=100)
    return values


def test_heic_of_10_bits_keeps_its_depth(tmp_path: Path) -> None:
    before = deep_heic(tmp_path / "x.heic")
    values = CODEC.read(tmp_path / "x.heic").value
    assert values.dtype == np.uint16
    assert np.abs(values.astype(int) - before).mean() < 65535 / 100
    assert len(np.unique(values[..., 0])) > 50
    output = translated(tmp_path / "x.heic")
    CODEC.write(output, tmp_path / "out.png")
    assert np.abs(CODEC.read(tmp_path / "out.png").value.astype(int) - values).max() <= 1
