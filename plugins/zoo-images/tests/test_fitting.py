"""How training pictures are brought to size, beside torchvision, Pillow and OpenCV themselves."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms as T
from torchvision.transforms import InterpolationMode

from zoo_core.contracts.codec import InMemorySignal
from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import UsageError
from zoo_images.codec import ImageCodec
from zoo_images.pixels import Fitting, fit
from zoo_testing.photos import photo

SPEC = TensorSpec(shape=(3, 16, 16))
CODEC = ImageCodec(SPEC)
SHAPES = [(30, 41), (41, 30), (24, 24), (16, 61), (13, 11)]
FILTERS = {"bicubic": InterpolationMode.BICUBIC, "bilinear": InterpolationMode.BILINEAR}


def picture(height: int, width: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(photo(height, width, seed=seed))


def store_of(images: list[Image.Image], **config) -> object:
    files = [InMemorySignal(f"{i}", image) for i, image in enumerate(images)]
    return CODEC.open(files, TrainConfig(**config))


@pytest.mark.parametrize("resample", FILTERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_squash_is_torchvisions_resize_to_both_sides(shape, resample):
    image = picture(*shape)
    expected = np.asarray(T.Resize([20, 20], FILTERS[resample])(image))
    assert (fit(image, (20, 20), Fitting(None, "squash", resample)) == expected).all()


@pytest.mark.parametrize("resample", FILTERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_shorter_is_torchvisions_resize_of_the_shorter_side(shape, resample):
    image = picture(*shape)
    expected = np.asarray(T.Resize(20, FILTERS[resample])(image))
    assert (fit(image, (20, 20), Fitting(None, "shorter", resample)) == expected).all()


@pytest.mark.parametrize("resample", FILTERS)
def test_a_centre_crop_ahead_is_torchvisions(resample):
    image = picture(41, 31)
    expected = T.Compose([T.CenterCrop(29), T.Resize(20, FILTERS[resample])])(image)
    assert (fit(image, (20, 20), Fitting(29, "cover", resample)) == np.asarray(expected)).all()


@pytest.mark.parametrize(("side", "filter_"), [(40, cv2.INTER_LANCZOS4), (20, cv2.INTER_AREA)])
def test_lanczos4_is_opencvs(side, filter_):
    image = picture(29, 29)
    expected = cv2.resize(np.asarray(image), (side, side), interpolation=filter_)
    assert (fit(image, (side, side), Fitting(None, "cover", "lanczos4")) == expected).all()


def test_lanczos4_says_what_to_install_where_opencv_is_absent(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(UsageError) as caught:
        store_of([picture(30, 41)], resample="lanczos4")
    assert "zoo-images[opencv]" in caught.value.hint


def test_cover_keeps_the_centre_and_squash_the_edges():
    pixels = np.zeros((16, 48, 3), np.uint8)
    pixels[:, 16:32] = 255
    image = Image.fromarray(pixels)
    assert (store_of([image]).batch([0]) == 1).all()
    squashed = store_of([image], resize="squash").batch([0])
    assert (squashed[..., 0] == -1).all()
    assert (squashed[..., -1] == -1).all()


def test_crops_of_shorter_come_from_every_place_along_the_longer_side():
    columns = np.repeat(np.arange(20, dtype=np.uint8)[None, :, None], 16, 0).repeat(3, -1) * 10
    store = store_of([Image.fromarray(columns)], resize="shorter")
    rng = torch.Generator().manual_seed(0)
    first = {round((float(v) + 1) * 12.75) for v in store.batch([0] * 200, rng)[:, 0, 0, 0]}
    assert first == {0, 1, 2, 3, 4}


def test_pictures_of_many_shapes_share_a_batch_of_crops():
    images = [picture(*shape, seed=i) for i, shape in enumerate(SHAPES)]
    store = store_of(images, resize="shorter", load_size=20)
    rng = torch.Generator().manual_seed(3)
    crops = store.batch(range(len(images)), rng)  # (N, 3, 16, 16)
    for image, crop in zip(images, crops, strict=True):
        whole = torch.from_numpy(np.asarray(T.Resize(20, FILTERS["bicubic"])(image)).copy())
        windows = (whole.float() / 127.5 - 1).unfold(0, 16, 1).unfold(1, 16, 1)
        assert (windows - crop).abs().amax((2, 3, 4)).min() < 1e-6


def test_what_evaluation_sees_of_shorter_is_the_centre():
    image = picture(30, 41)
    shorter, cover = store_of([image], resize="shorter"), store_of([image])
    assert torch.equal(shorter.batch([0]), cover.batch([0]))


def test_nothing_is_told_to_be_cut_away_where_nothing_is():
    images = [picture(16, 61)]
    assert "not used" in store_of(images).summary
    for resize in ("squash", "shorter"):
        assert "not used" not in store_of(images, resize=resize).summary


def test_pictures_of_many_shapes_are_read_from_the_cache(tmp_path: Path):
    files = []
    for i, shape in enumerate(SHAPES):
        files.append(tmp_path / f"{i}.png")
        picture(*shape, seed=i).save(files[-1])
    files.insert(2, tmp_path / "broken.png")
    files[2].write_bytes(b"no picture")
    config = TrainConfig(resize="shorter", load_size=20)
    stores = [
        CODEC.open(files, config),
        CODEC.open(files, config, cache=tmp_path / "cache"),
        CODEC.open(files, config, cache=tmp_path / "cache"),
    ]
    batches = [s.batch(range(5), torch.Generator().manual_seed(1)) for s in stores]
    assert [len(store.skipped) for store in stores] == [1, 1, 1]
    assert all(torch.equal(batches[0], other) for other in batches[1:])


def test_a_damaged_cache_of_many_shapes_is_made_anew(tmp_path: Path):
    file = tmp_path / "a.png"
    picture(30, 41).save(file)
    config = TrainConfig(resize="shorter")
    before = CODEC.open([file], config, cache=tmp_path / "cache")
    seen = before.batch([0], torch.Generator().manual_seed(1))
    (strip,) = (tmp_path / "cache").rglob("strip.bin")
    strip.write_bytes(strip.read_bytes()[:-6])
    after = CODEC.open([file], config, cache=tmp_path / "cache")
    assert torch.equal(seen, after.batch([0], torch.Generator().manual_seed(1)))


def test_deep_pictures_keep_their_shape_too():
    values = np.tile(np.arange(20, dtype=np.uint16) * 3000, (16, 1))
    files = [InMemorySignal("deep", values)]
    store = CODEC.open(files, TrainConfig(resize="shorter", ranges={"d": "0,65535"}), domain="d")
    crops = store.batch([0] * 100, torch.Generator().manual_seed(0))
    assert len(crops[:, 0, 0, 0].unique()) == 5


@pytest.mark.parametrize(("mirror", "both"), [("each", True), ("batch", False)])
def test_a_mirror_is_for_each_picture_or_for_the_batch(mirror, both):
    image = picture(16, 16)
    store = store_of([image], flip=True, mirror=mirror)
    plain, rng = store.batch([0])[0], torch.Generator().manual_seed(0)
    states = set()
    for _ in range(20):
        mirrored = [torch.equal(crop, plain.flip(-1)) for crop in store.batch([0] * 8, rng)]
        states.add((any(mirrored), all(mirrored)))
    assert ((True, False) in states) == both
    assert both or states == {(True, True), (False, False)}


@pytest.mark.parametrize(
    ("resample", "filter_"),
    [
        ("bicubic", Image.Resampling.BICUBIC),
        ("bilinear", Image.Resampling.BILINEAR),
        ("lanczos4", Image.Resampling.LANCZOS),
    ],
)
def test_nets_see_an_input_scaled_by_the_filter_they_were_trained_with(resample, filter_):
    image = picture(30, 40)
    codec = ImageCodec(SPEC, {"resample": resample})
    (window,) = codec.windows(codec.wrap(image)[0], size=24)
    expected = np.asarray(image.resize((32, 24), filter_)) / 127.5 - 1
    shown = window.signal.permute(1, 2, 0).numpy()
    assert np.abs(shown - expected).max() < 1e-6


def test_float_pictures_are_scaled_by_it_too():
    values = torch.rand(3, 30, 40, generator=torch.Generator().manual_seed(0)) * 2 - 1
    codec = ImageCodec(SPEC, {"resample": "lanczos4"})
    (window,) = codec.windows(codec.wrap(values)[0], size=24)
    plane = Image.fromarray(values[0].numpy()).resize((32, 24), Image.Resampling.LANCZOS)
    bounded = np.asarray(plane).clip(float(values.min()), float(values.max()))
    assert np.abs(window.signal[0].numpy() - bounded).max() < 1e-5


def test_a_model_that_says_nothing_is_bicubic():
    image = picture(30, 40)
    old, new = ImageCodec(SPEC, {}), ImageCodec(SPEC, {"resample": "bicubic", "resize": "cover"})
    shown = [next(iter(c.windows(c.wrap(image)[0], size=24))).signal for c in (old, new)]
    assert torch.equal(*shown)


def test_a_run_records_how_its_pictures_were_brought_to_size():
    config = TrainConfig(resize="squash", resample="bilinear")
    recorded = ImageCodec.preprocessing_for(SPEC, config)
    assert (recorded["resize"], recorded["resample"]) == ("squash", "bilinear")
