"""Values mean something: one range per domain, chosen once, kept in the model, used both ways."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import DataError, UsageError
from zoo_images.codec import ImageCodec
from zoo_images.picture import Raster
from zoo_images.preprocessing import ValueRange
from zoo_images.scan import deep_range
from zoo_images.values import choose, measure

SPEC = TensorSpec(shape=(3, 16, 16), stride=4)
RNG = np.random.default_rng(0)


def codec(**preprocessing) -> ImageCodec:
    return ImageCodec(SPEC, preprocessing)


def trained_on(folder: Path, config: TrainConfig | None = None, cache: Path | None = None):
    """A codec as a model has it whose domain ``ct`` was trained on a folder, and its store."""
    made = codec()
    store = made.open(sorted(folder.iterdir()), config or TrainConfig(), domain="ct", cache=cache)
    made.preprocessing |= made.fit_statistics({"ct": store})
    return made, store


def through(made: ImageCodec, path: Path, source="ct", target="ct", **options):
    """A file through nets that change nothing, and what is noted of it."""
    item = made.read(path)
    pairs = [(window, window.signal) for window in made.windows(item, source=source, **options)]
    return made.join(item, pairs, target=target), item.info["notes"]


def twelve_bits(folder: Path, highest: tuple[int, ...] = (2224, 1700)) -> list[Path]:
    """Slices of 12 bits in 16-bit PNGs, each with another largest value."""
    folder.mkdir()
    paths = []
    for number, high in enumerate(highest):
        values = RNG.integers(24, high, (16, 16)).astype(np.uint16)
        values[0, 0], values[0, 1] = high, 24
        paths.append(folder / f"slice-{number}.png")
        Image.fromarray(values).save(paths[-1])
    return paths


def hounsfield(folder: Path) -> list[Path]:
    """Two float slices, with and without bone; the corner is soft tissue of 40 HU in both."""
    folder.mkdir()
    paths = []
    for name, high in (("bone", 1200.0), ("soft", 80.0)):
        values = np.full((16, 16), -1000.0, np.float32)
        values[4:12, 4:12] = high
        values[:3, :3] = 40.0
        paths.append(folder / f"{name}.tif")
        Image.fromarray(values).save(paths[-1])
    return paths


def test_twelve_bits_in_16_are_scaled_alike_in_every_slice(tmp_path: Path) -> None:
    paths = twelve_bits(tmp_path / "ct")
    made, store = trained_on(tmp_path / "ct")
    for number, path in enumerate(paths):
        values = np.asarray(Image.open(path)).astype(np.float64)
        expected = torch.from_numpy(values / 4095 * 2 - 1).float()
        assert torch.allclose(store.batch([number])[0, 0], expected, atol=1e-4)
        (window,) = made.windows(made.read(path), source="ct")
        assert torch.allclose(window.signal[2], expected, atol=1e-6)


def test_the_training_summary_says_the_range_and_why(tmp_path: Path) -> None:
    twelve_bits(tmp_path / "ct")
    _, store = trained_on(tmp_path / "ct")
    assert (
        "uint16, 24 to 2,224 of 65,535 used: black 0, white 4,095, because all values fit 12 bits"
        in store.summary
    )


def test_sixteen_bits_of_grey_come_back_as_they_were(tmp_path: Path) -> None:
    (first, _) = twelve_bits(tmp_path / "ct")
    made, _ = trained_on(tmp_path / "ct")
    output, notes = through(made, first)
    made.write(output, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as written, Image.open(first) as before:
        assert written.mode == "I;16"
        assert np.array_equal(np.asarray(written), np.asarray(before))
    assert notes == ()


def test_equal_tissue_is_equal_in_every_float_slice_and_comes_back(tmp_path: Path) -> None:
    bone, soft = hounsfield(tmp_path / "ct")
    made, _ = trained_on(tmp_path / "ct")
    windows = [next(made.windows(made.read(path), source="ct")).signal for path in (bone, soft)]
    assert windows[0][0, 0, 0] == windows[1][0, 0, 0]
    assert windows[0][0, 0, 0] == pytest.approx((40 + 1000) / 2200 * 2 - 1, abs=1e-6)
    assert made.output_suffix(soft) == ".tif"
    output, _ = through(made, soft)
    made.write(output, tmp_path / "out.tif")
    with Image.open(tmp_path / "out.tif") as written:
        assert written.mode == "F"
        assert np.abs(np.asarray(written) - np.asarray(Image.open(soft))).max() < 1e-3


def test_values_beyond_the_range_are_counted(tmp_path: Path) -> None:
    hounsfield(tmp_path / "ct")
    made, _ = trained_on(tmp_path / "ct")
    values = np.full((16, 16), 0.0, np.float32)
    values[0, :4] = 3000
    Image.fromarray(values).save(tmp_path / "metal.tif")
    output, (note,) = through(made, tmp_path / "metal.tif")
    assert note.startswith("4 values (1.6 %) beyond -1,000 to 1,200")
    assert np.asarray(output).max() == 1200


def test_a_range_that_is_asked_for_outweighs_the_files(tmp_path: Path) -> None:
    twelve_bits(tmp_path / "ct")
    made, store = trained_on(tmp_path / "ct", TrainConfig(ranges={"ct": "0,1000"}))
    assert made.preprocessing["value_ranges"]["ct"]["high"] == 1000
    assert "black 0, white 1,000, as asked" in store.summary


def test_a_range_asked_for_at_translation_holds_for_inputs_and_outputs(tmp_path: Path) -> None:
    (bone, _) = hounsfield(tmp_path / "ct")
    made = codec()
    made.ask(range="-1000,1000")
    (window,) = made.windows(made.read(bone))
    assert window.signal[0, 0, 0] == pytest.approx(0.04, abs=1e-6)
    output, (note,) = through(made, bone, None, None)
    assert "64 values" in note
    assert np.asarray(output)[0, 0] == pytest.approx(40, abs=1e-3)


@pytest.mark.parametrize("text", ["5", "5,5", "9,1", "a,b", "0,inf", "1,2,3"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        codec().ask(range=text)
    assert caught.value.asked == f"range {text}"


def test_each_domain_has_its_own_range_and_the_output_that_of_its_target(tmp_path: Path) -> None:
    (first, _) = twelve_bits(tmp_path / "ct")
    made, store = trained_on(tmp_path / "ct")
    hounsfield(tmp_path / "hu")
    other = made.open(sorted((tmp_path / "hu").iterdir()), TrainConfig(), domain="hu")
    made.preprocessing |= made.fit_statistics({"ct": store, "hu": other})
    output, _ = through(made, first, "ct", "hu")
    before = np.asarray(Image.open(first)).astype(np.float64)
    assert np.asarray(output).dtype == np.float32
    assert np.abs(np.asarray(output) - (before / 4095 * 2200 - 1000)).max() < 1e-2
    with pytest.raises(DataError) as caught:
        through(made, first, None, "hu")
    assert "--from ct or hu" in (caught.value.hint or "")


def test_a_domain_of_8_bits_gets_8_bits_from_a_deep_one(tmp_path: Path) -> None:
    (first, _) = twelve_bits(tmp_path / "ct")
    made, store = trained_on(tmp_path / "ct")
    Image.fromarray(RNG.integers(0, 256, (16, 16, 3), np.uint8)).save(tmp_path / "x.png")
    drawn = made.open([tmp_path / "x.png"], TrainConfig(), domain="drawn")
    made.preprocessing |= made.fit_statistics({"ct": store, "drawn": drawn})
    assert set(made.preprocessing["value_ranges"]) == {"ct"}
    output, _ = through(made, first, "ct", "drawn")
    assert output.mode == "RGB"
    back, _ = through(made, tmp_path / "x.png", "drawn", "ct")
    assert back.mode == "I;16"


def test_a_model_of_a_range_opens_other_pictures_by_it(tmp_path: Path) -> None:
    twelve_bits(tmp_path / "ct")
    made, _ = trained_on(tmp_path / "ct")
    (dark,) = twelve_bits(tmp_path / "test", (200,))
    store = made.open([dark], TrainConfig(), domain="ct")
    assert store.batch([0]).max() == pytest.approx(200 / 4095 * 2 - 1, abs=1e-4)


def test_a_store_of_16_bits_is_the_same_from_its_cache(tmp_path: Path) -> None:
    twelve_bits(tmp_path / "ct")
    first, again = (trained_on(tmp_path / "ct", cache=tmp_path / "cache")[1] for _ in range(2))
    assert torch.equal(first.batch([0, 1]), again.batch([0, 1]))
    assert first.summary == again.summary
    flipped = TrainConfig(flip=True, shift=2)
    _, store = trained_on(tmp_path / "ct", flipped, tmp_path / "cache")
    assert store.batch([0, 1], torch.Generator().manual_seed(0)).shape == (2, 3, 16, 16)


def test_colour_of_16_bits_keeps_its_depth_in_png_and_tiff(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 65536, (20, 24, 3)).astype(np.uint16)
    (tmp_path / "x.png").write_bytes(imagecodecs.png_encode(pixels))
    made = codec()
    output, _ = through(made, tmp_path / "x.png", None, None)
    for name in ("out.png", "out.tif"):
        made.write(output, tmp_path / name)
        again = made.read(tmp_path / name).value
        assert again.dtype == np.uint16
        assert np.abs(again.astype(int) - pixels).max() <= 1


def test_alpha_of_16_bits_is_put_back(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 65536, (8, 8, 4)).astype(np.uint16)
    (tmp_path / "x.png").write_bytes(imagecodecs.png_encode(pixels))
    output, _ = through(codec(), tmp_path / "x.png", None, None)
    assert isinstance(output, Raster)
    assert np.array_equal(output.pixels[..., 3], pixels[..., 3])


def test_arrays_of_16_bits_come_back_in_16_bits() -> None:
    values = RNG.integers(0, 65536, (20, 24)).astype(np.uint16)
    made = codec()
    (item,) = made.wrap(values)
    output = made.join(item, [(w, w.signal) for w in made.windows(item)])
    assert output.dtype == np.uint16
    assert np.abs(output.astype(int) - values).max() <= 1


def test_float_arrays_need_a_range() -> None:
    values = RNG.random((16, 16)).astype(np.float32)
    with pytest.raises(UsageError) as caught:
        codec().wrap(values)
    assert "float32" in caught.value.asked
    assert "range" in (caught.value.hint or "")
    made = codec()
    made.ask(range="0,1")
    (item,) = made.wrap(values)
    output = made.join(item, [(w, w.signal) for w in made.windows(item)])
    assert np.abs(output - values).max() < 1e-6


def test_the_bytes_of_a_file_are_a_picture(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8), (9, 8, 7)).save(tmp_path / "x.png")
    (item,) = codec().wrap((tmp_path / "x.png").read_bytes())
    assert item.value[0, 0].tolist() == [9, 8, 7]


@pytest.mark.parametrize(
    ("high", "white"), [(255, 255), (256, 1023), (4096, 16383), (65535, 65535)]
)
def test_the_fewest_bits_that_hold_all_values_are_white(high: int, white: int) -> None:
    used = measure([(np.array([[3, high]], np.uint16), None)])
    assert used is not None
    span, _ = choose(used)
    assert span == ValueRange(0.0, float(white), "uint16")


def test_a_format_that_cannot_hold_the_depth_is_refused(tmp_path: Path) -> None:
    (bone, _) = hounsfield(tmp_path / "ct")
    made, _ = trained_on(tmp_path / "ct")
    output, _ = through(made, bone)
    with pytest.raises(UsageError) as caught:
        made.write(output, tmp_path / "out.png")
    assert caught.value.asked == str(tmp_path / "out.png")
    assert ".tif" in (caught.value.hint or "")


def test_a_few_deep_pictures_among_others_are_said_and_so_are_their_types(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for number in range(3):
        Image.new("RGB", (16, 16)).save(tmp_path / "a" / f"{number}.png")
    ramp = np.arange(256).reshape(16, 16)
    tifffile.imwrite(tmp_path / "a" / "x.tif", ramp.astype(np.float32))
    tifffile.imwrite(tmp_path / "a" / "y.tif", ramp.astype(np.uint16))
    files = sorted((tmp_path / "a").iterdir())
    span, words = deep_range(files, None)
    assert span is not None
    assert "of several types (float32, uint16)" in words
    assert "only 2 of 5 pictures have more than 8 bits" in words
