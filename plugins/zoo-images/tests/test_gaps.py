"""Pixels without data: NaN and declared values are hidden from nets and ranges, and put back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_images.codec import ImageCodec

SPEC = TensorSpec(shape=(3, 16, 16), stride=4)
NO_DATA = 42113
RNG = np.random.default_rng(0)


def save(path: Path, values, declared: str | None = None, **options) -> Path:
    tags = [] if declared is None else [(NO_DATA, 2, len(declared) + 1, declared, True)]
    tifffile.imwrite(path, values, extratags=tags, metadata=None, **options)
    return path


def through(codec: ImageCodec, path: Path, out: Path, **options):
    """A file through nets that negate it: what was written, and what is noted."""
    item = codec.read(path)
    pairs = [(window, -window.signal) for window in codec.windows(item, **options)]
    target = options.get("source")
    codec.write(codec.join(item, pairs, target=target), out)
    return tifffile.imread(out), item.info["notes"]


def heights() -> np.ndarray:
    """(20, 24) float32 from 100 to 900, with a hole."""
    values = RNG.uniform(100, 900, (20, 24)).astype(np.float32)
    values[0, 0], values[0, 1] = 100, 900
    return values


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_stay_and_nets_see_black(hole: float, tmp_path: Path) -> None:
    values = heights()
    values[5:9, 6:9] = hole
    codec = ImageCodec(SPEC)
    codec.ask(range="100,900")
    path = save(tmp_path / "x.tif", values)
    (window,) = codec.windows(codec.read(path))
    assert (window.signal[:, 5:9, 6:9] == -1).all()
    after, (note,) = through(codec, path, tmp_path / "out.tif")
    assert np.array_equal(after[5:9, 6:9], values[5:9, 6:9], equal_nan=True)
    there = np.isfinite(values)
    assert np.abs(after[there] - (1000 - values[there])).max() < 1e-3
    assert note.startswith("12 pixels (2.5 %) without data")


def test_the_value_that_a_file_declares_stays_and_its_tag_with_it(tmp_path: Path) -> None:
    values = heights()
    values[:2, 2:] = -9999
    codec = ImageCodec(SPEC)
    codec.ask(range="100,900")
    path = save(tmp_path / "x.tif", values, "-9999")
    after, (note,) = through(codec, path, tmp_path / "out.tif")
    assert (after[:2, 2:] == -9999).all()
    assert after[2:].min() >= 100
    assert "44 pixels (9.2 %) without data (-9,999)" in note
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.pages[0].tags[NO_DATA].value.strip("\0") == "-9999"


def test_a_declared_value_of_8_bits_stays_in_colour(tmp_path: Path) -> None:
    pixels = RNG.integers(1, 256, (16, 16, 3)).astype(np.uint8)
    pixels[:3] = 0
    pixels[5, 5] = 0, 9, 9  # one channel alone is dark, not without data
    path = save(tmp_path / "x.tif", pixels, "0", photometric="rgb")
    after, _ = through(ImageCodec(SPEC), path, tmp_path / "out.tif")
    assert (after[:3] == 0).all()
    assert after[5, 5].tolist() == [255, 246, 246]


def test_an_output_of_another_size_has_its_gaps_in_the_nearest_pixels(tmp_path: Path) -> None:
    values = heights()
    values[:10] = np.nan
    codec = ImageCodec(SPEC)
    codec.ask(range="100,900")
    path = save(tmp_path / "x.tif", values)
    after, _ = through(codec, path, tmp_path / "out.tif", size=10)
    assert after.shape == (10, 12)
    assert np.isnan(after[:5]).all()
    assert np.isfinite(after[5:]).all()


def test_the_range_of_a_domain_does_not_count_pixels_without_data(tmp_path: Path) -> None:
    first, second = heights(), heights()
    first[3, :] = np.nan
    second[:, 4] = -3.4e38
    paths = [save(tmp_path / "a.tif", first), save(tmp_path / "b.tif", second, "-3.4e+38")]
    codec = ImageCodec(SPEC)
    store = codec.open(paths, TrainConfig(), domain="dem")
    span = codec.fit_statistics({"dem": store})["value_ranges"]["dem"]
    assert (span["low"], span["high"]) == (100, 900)
    assert "44 pixels without data, which do not count" in store.summary
    assert store.batch([0, 1]).isfinite().all()


def test_a_picture_without_any_data_comes_back_as_it_was(tmp_path: Path) -> None:
    path = save(tmp_path / "x.tif", np.full((16, 16), np.nan, np.float32))
    after, _ = through(ImageCodec(SPEC), path, tmp_path / "out.tif")
    assert np.isnan(after).all()


def test_what_the_output_cannot_hold_is_said(tmp_path: Path) -> None:
    values = heights()
    values[0, 3] = np.nan
    deep = save(tmp_path / "x.tif", values)
    codec = ImageCodec(SPEC)
    counts = save(tmp_path / "y.tif", RNG.integers(0, 4000, (16, 16)).astype(np.uint16))
    stores = {
        name: codec.open([path], TrainConfig(), domain=name)
        for name, path in (("dem", deep), ("counts", counts))
    }
    codec.preprocessing |= codec.fit_statistics(stores)
    item = codec.read(deep)
    pairs = [(window, window.signal) for window in codec.windows(item, source="dem")]
    output = codec.join(item, pairs, target="counts")
    assert np.asarray(output).dtype == np.uint16
    assert "pixels without data, which outputs of uint16 cannot hold" in item.info["notes"]


def test_nan_in_an_array_comes_back() -> None:
    values = heights()
    values[4, 4] = np.nan
    codec = ImageCodec(SPEC)
    codec.ask(range="100,900")
    (item,) = codec.wrap(values)
    output = codec.join(item, [(w, w.signal) for w in codec.windows(item)])
    assert np.isnan(output[4, 4])
    assert np.nanmax(np.abs(output - values)) < 1e-3


def test_pages_without_data_are_one_line_of_the_account(tmp_path: Path) -> None:
    pages = np.stack([heights() for _ in range(3)])
    pages[1, 5, 5:7] = np.nan
    pages[2, 5:8] = np.nan
    path = save(tmp_path / "x.tif", pages, photometric="minisblack")
    codec = ImageCodec(SPEC)
    codec.ask(range="100,900")
    for limit in (None, 300):
        _, notes = through(codec, path, tmp_path / "out.tif", limit=limit)
        assert notes == ("74 pixels without data (NaN), which stay as they are",)
