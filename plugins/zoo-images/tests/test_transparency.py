"""Transparency is put back, or flattened on the ground that the user asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from zoo_core.contracts.signals import TensorSpec
from zoo_core.errors import UsageError
from zoo_images.codec import ImageCodec
from zoo_images.transparency import parse_alpha

SPEC = TensorSpec(shape=(3, 8, 8), stride=2)
RNG = np.random.default_rng(0)
GROUNDS = {"white": 255, "black": 0}


def codec(**wishes: str) -> ImageCodec:
    made = ImageCodec(SPEC)
    made.ask(**wishes)
    return made


def through(made: ImageCodec, item: Any, **how: Any) -> Any:
    """An item through nets that change nothing."""
    return made.join(item, ((window, window.signal) for window in made.windows(item, **how)))


def written(made: ImageCodec, path: Path, **how: Any) -> Path:
    """The output of a file through nets that change nothing, written."""
    out = path.parent / f"out{made.output_suffix(path)}"
    made.write(through(made, made.read(path), **how), out)
    return out


def sprite(depth: type = np.uint8, size: tuple[int, int] = (10, 12)) -> np.ndarray:
    """(H, W, 4) with opaque, half transparent and transparent pixels."""
    white = np.iinfo(depth).max
    pixels = RNG.integers(0, white + 1, (*size, 4)).astype(depth)
    pixels[:3, :, 3], pixels[3:6, :, 3] = 0, white
    return pixels


def over(pixels: np.ndarray, ground: float) -> np.ndarray:
    """(H, W, 3) what is seen of colours with an alpha channel over a ground."""
    share = pixels[..., 3:] / np.iinfo(pixels.dtype).max
    return pixels[..., :3] * share + ground * (1 - share)


@pytest.mark.parametrize("ground", ["white", "black"])
@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_a_picture_is_flattened_on_the_ground_that_is_asked_for(
    suffix: str, ground: str, tmp_path: Path
) -> None:
    pixels = sprite()
    how = {"lossless": True, "exact": True} if suffix == ".webp" else {}
    Image.fromarray(pixels).save(tmp_path / f"x{suffix}", **how)
    with Image.open(written(codec(alpha=ground), tmp_path / f"x{suffix}")) as image:
        assert image.mode == "RGB"
        assert np.abs(np.asarray(image) - over(pixels, GROUNDS[ground])).max() <= 1


@pytest.mark.parametrize("ground", ["white", "black"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_are_flattened_on_the_ground_that_is_asked_for(
    suffix: str, ground: str, tmp_path: Path
) -> None:
    pixels = sprite(np.uint16)
    path = tmp_path / f"x{suffix}"
    if suffix == ".png":
        path.write_bytes(imagecodecs.png_encode(pixels))
    else:
        tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=["unassalpha"])
    out = written(codec(alpha=ground), path)
    after = tifffile.imread(out) if suffix == ".tif" else imagecodecs.imread(out)
    assert after.shape == (10, 12, 3)
    assert np.abs(after - over(pixels, GROUNDS[ground] * 257)).max() <= 1


def test_sixteen_bits_are_translated_over_white_and_get_their_alpha_back(tmp_path: Path) -> None:
    pixels = sprite(np.uint16)
    tifffile.imwrite(tmp_path / "x.tif", pixels, photometric="rgb", extrasamples=["unassalpha"])
    made = codec()
    item = made.read(tmp_path / "x.tif")
    (window,) = made.windows(item)
    assert (window.signal[:, 2:5] == 1).all()  # transparent rows are white (padded by one)
    made.write(through(made, item), tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert [int(e) for e in file.pages[0].extrasamples] == [2]
        assert np.array_equal(file.pages[0].asarray()[..., 3], pixels[..., 3])
    assert item.info["notes"] == ()


def test_colours_that_were_multiplied_by_their_alpha_are_divided_by_it(tmp_path: Path) -> None:
    pixels = sprite(np.uint16)
    pixels[..., 3] = np.maximum(pixels[..., 3], 20000)
    multiplied = pixels.copy()
    multiplied[..., :3] = np.round(over(pixels, 0))
    tifffile.imwrite(tmp_path / "x.tif", multiplied, photometric="rgb", extrasamples=["assocalpha"])
    after = tifffile.imread(written(codec(), tmp_path / "x.tif"))
    assert np.abs(after[..., :3] - over(pixels, 65535)).max() <= 2


@pytest.mark.parametrize(("form", "suffix"), [("GIF", ".gif"), ("WEBP", ".webp"), ("PNG", ".png")])
def test_each_frame_of_an_animation_is_flattened(form: str, suffix: str, tmp_path: Path) -> None:
    frames = []
    for number in range(3):
        pixels = np.zeros((16, 16, 4), np.uint8)
        pixels[number * 4 : number * 4 + 4] = (200, 0, 0, 255)
        frames.append(Image.fromarray(pixels))
    more = {"lossless": True} if form == "WEBP" else {"disposal": 2} if form == "GIF" else {}
    path = tmp_path / f"x{suffix}"
    frames[0].save(path, form, save_all=True, append_images=frames[1:], duration=50, **more)
    made = codec(alpha="black")
    output = through(made, made.read(path))
    for number, frame in enumerate(output.frames):
        assert frame.mode == "RGB"
        rows = np.asarray(frame)[:, 0, 0] > 100
        assert rows.tolist() == [number * 4 <= row < number * 4 + 4 for row in range(16)]


def test_windows_of_a_large_sprite_show_the_ground(tmp_path: Path) -> None:
    pixels = sprite(size=(64, 96))
    Image.fromarray(pixels).save(tmp_path / "x.png")
    made = codec(alpha="black")
    item = made.read(tmp_path / "x.png")
    assert len(list(made.windows(item, limit=32 * 32))) > 1
    after = np.asarray(through(made, item, limit=32 * 32))
    assert np.abs(after - over(pixels, 0)).max() <= 1


def test_values_in_memory_keep_their_alpha_or_are_flattened() -> None:
    pixels = sprite()
    for value in (pixels, Image.fromarray(pixels)):
        made = codec()
        after = np.asarray(through(made, made.wrap(value)[0]))
        assert after.shape == (10, 12, 4)
        assert np.array_equal(after[..., 3], pixels[..., 3])
        made.ask(alpha="black")
        after = np.asarray(through(made, made.wrap(value)[0]))
        assert after.shape == (10, 12, 3)
        assert np.abs(after - over(pixels, 0)).max() <= 1


def test_the_bytes_of_a_file_are_flattened_as_the_file(tmp_path: Path) -> None:
    Image.fromarray(sprite()).save(tmp_path / "x.png")
    made = codec(alpha="white")
    (item,) = made.wrap((tmp_path / "x.png").read_bytes())
    assert through(made, item).mode == "RGB"


def test_the_alpha_of_a_picture_of_8_bits_fills_an_output_of_16(tmp_path: Path) -> None:
    pixels = sprite()
    Image.fromarray(pixels).save(tmp_path / "x.png")
    made = codec(range="0,1000")
    made.preprocessing["value_ranges"] = {
        "deep": {"low": 0.0, "high": 65535.0, "dtype": "uint16", "channels": 3}
    }
    del made.preprocessing["asked_range"]
    item = made.read(tmp_path / "x.png")
    pairs = ((window, window.signal) for window in made.windows(item))
    output = made.join(item, pairs, target="deep")
    assert np.array_equal(output.pixels[..., 3], pixels[..., 3].astype(int) * 257)


def test_a_centre_crop_cuts_the_alpha_too(tmp_path: Path) -> None:
    pixels = sprite(size=(16, 24))
    Image.fromarray(pixels).save(tmp_path / "x.png")
    made = ImageCodec(SPEC, {"crop_first": 8})
    after = np.asarray(through(made, made.read(tmp_path / "x.png"), size=8))
    assert np.array_equal(after[..., 3], pixels[4:12, 8:16, 3])


def test_pixels_that_are_transparent_do_not_show_in_training() -> None:
    pixels = np.zeros((8, 8, 4), np.uint16)
    picture = codec().wrap(pixels)[0]
    assert torch.equal(next(codec().windows(picture)).signal, torch.ones(3, 16, 16))


def test_a_jpeg_of_a_transparent_picture_is_refused_and_of_a_flattened_one_written(
    tmp_path: Path,
) -> None:
    Image.fromarray(sprite()).save(tmp_path / "x.png")
    made = codec()
    with pytest.raises(UsageError) as caught:
        made.write(through(made, made.read(tmp_path / "x.png")), tmp_path / "out.jpg")
    assert caught.value.asked == str(tmp_path / "out.jpg")
    assert "--alpha white" in (caught.value.hint or "")
    made.ask(alpha="white")
    made.write(through(made, made.read(tmp_path / "x.png")), tmp_path / "out.jpg")
    assert (tmp_path / "out.jpg").is_file()


def test_another_word_is_refused_with_those_that_can_be_chosen() -> None:
    with pytest.raises(UsageError) as caught:
        parse_alpha("grey")
    assert caught.value.asked == "alpha grey"
    assert "keep, white, black" in (caught.value.hint or "")
