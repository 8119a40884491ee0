"""The codec of pictures: what goes in comes out in kind and size."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import DataError, UsageError
from zoo_images.codec import ImageCodec

pytestmark = pytest.mark.numeric

CODEC = ImageCodec(TensorSpec(shape=(3, 32, 32), stride=4))
FIXED = ImageCodec(TensorSpec(shape=(3, 32, 32), stride=4, flexible=0))


def translate(codec, item, net=lambda x: x, **options):
    return codec.join(item, ((w, net(w.signal)) for w in codec.windows(item, **options)))


def random_pixels(height, width, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def smooth_pixels(height, width):
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], -1).astype(np.uint8)


@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([None, 16, 400, 2000]))
@settings(max_examples=60, deadline=None)
def test_an_identity_net_gives_back_any_array(height, width, limit):
    pixels = random_pixels(height, width)
    (item,) = CODEC.wrap(pixels)
    output = translate(CODEC, item, limit=limit)
    assert output.dtype == np.uint8
    assert output.shape == pixels.shape
    assert np.abs(output.astype(int) - pixels).max() <= 1


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from(["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16", "I", "F", "HSV", "YCbCr"]),
)
@settings(max_examples=60, deadline=None)
def test_pil_images_of_any_mode_come_back_in_rgb_or_deep_and_in_size(width, height, mode):
    image = Image.fromarray(random_pixels(height, width))
    if mode == "I;16":
        image = Image.fromarray(random_pixels(height, width)[..., 0].astype(np.uint16) * 257)
    else:
        image = image.convert(mode)
    (item,) = CODEC.wrap(image)
    output = translate(CODEC, item)
    expected = {"I;16": "I;16", "I": "I;16", "F": "F"}.get(mode, "RGB")
    assert (output.mode, output.size) == (expected, (width, height))


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([None, 300]))
@settings(max_examples=30, deadline=None)
def test_tensors_come_back_as_they_were(height, width, limit):
    tensor = torch.rand(3, height, width) * 2 - 1
    (item,) = CODEC.wrap(tensor)
    output = translate(CODEC, item, limit=limit)
    assert output.shape == tensor.shape
    assert (output - tensor).abs().max() <= 1e-5


def test_windows_are_multiples_of_the_stride_and_not_too_small():
    for size in ((1, 1), (5, 33), (64, 30)):
        (item,) = CODEC.wrap(random_pixels(*size))
        (window,) = CODEC.windows(item)
        channels, height, width = window.signal.shape
        assert channels == 3
        assert height % 4 == width % 4 == 0
        assert min(height, width) >= 16


def test_tiles_of_a_net_that_depends_on_the_tile_show_no_seam():
    pixels = np.full((200, 300, 3), 128, np.uint8)
    (item,) = CODEC.wrap(pixels)
    number = iter(range(1000))
    # Every tile is brightened or darkened: the worst that instance statistics could do.
    output = translate(
        CODEC, item, net=lambda x: x + (0.2 if next(number) % 2 else -0.2), limit=64 * 64
    )
    steps = np.abs(np.diff(output.astype(int), axis=1)).max()
    assert np.ptp(output) >= 20
    assert steps <= 8


def test_a_net_of_fixed_size_sees_its_size_and_the_output_has_the_inputs():
    (item,) = FIXED.wrap(smooth_pixels(50, 90))
    (window,) = FIXED.windows(item)
    assert window.signal.shape == (3, 32, 32)
    assert translate(FIXED, item).shape == (50, 90, 3)
    (item,) = FIXED.wrap(torch.zeros(3, 50, 90))
    assert translate(FIXED, item).shape == (3, 50, 90)
    with pytest.raises(UsageError, match="32×32 pixels only"):
        list(FIXED.windows(item, size=64))


def test_a_size_scales_the_shorter_side_and_the_output_keeps_it():
    (item,) = CODEC.wrap(smooth_pixels(50, 100))
    assert translate(CODEC, item, size=20).shape == (20, 40, 3)
    assert translate(CODEC, item, size=75).shape == (75, 150, 3)
    (item,) = CODEC.wrap(torch.zeros(3, 50, 100))
    assert translate(CODEC, item, size=20).shape == (3, 20, 40)


@pytest.mark.parametrize("size", [0, -3, 10**7])
def test_an_absurd_size_is_refused(size):
    (item,) = CODEC.wrap(smooth_pixels(10, 10))
    with pytest.raises(UsageError):
        list(CODEC.windows(item, size=size))


def test_a_size_gives_just_what_training_saw(tmp_path):
    codec = ImageCodec(CODEC.spec, {"crop_first": 40})
    Image.fromarray(smooth_pixels(60, 50)).save(tmp_path / "a.png")
    store = codec.open([tmp_path / "a.png"], TrainConfig(crop_first=40))
    (window,) = codec.windows(codec.read(tmp_path / "a.png"), size=32)
    assert torch.equal(window.signal, store.batch([0])[0])


def test_a_file_comes_back_as_an_image(tmp_path):
    Image.fromarray(smooth_pixels(21, 34)).save(tmp_path / "a.png")
    item = CODEC.read(tmp_path / "a.png")
    output = translate(CODEC, item)
    assert isinstance(output, Image.Image)
    assert output.size == (34, 21)
    assert item.name.endswith("a.png")


def test_an_image_with_an_exif_orientation_is_turned_upright_like_its_file(tmp_path):
    image = Image.fromarray(smooth_pixels(20, 30))
    image.getexif()[0x0112] = 6
    image.save(tmp_path / "a.png", exif=image.getexif())
    with Image.open(tmp_path / "a.png") as opened:
        (item,) = CODEC.wrap(opened)
    assert item.value.shape == (30, 20, 3)
    assert (item.value == CODEC.read(tmp_path / "a.png").value).all()


def test_a_lazily_opened_image_that_is_truncated_is_a_data_error(tmp_path):
    Image.fromarray(random_pixels(40, 40)).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[: len(data) // 2])
    with Image.open(tmp_path / "a.png") as image, pytest.raises(DataError, match="truncated"):
        CODEC.wrap(image)


def test_lists_and_batches_are_taken_apart_and_put_together():
    array = random_pixels(16, 16)
    value = [array, np.stack([array, array]), torch.zeros(3, 16, 16), torch.zeros(2, 3, 16, 16)]
    items = CODEC.wrap(value)
    assert len(items) == 6
    outputs = CODEC.unwrap(value, [translate(CODEC, item) for item in items])
    assert [np.shape(output) for output in outputs] == [np.shape(part) for part in value]
    single = CODEC.wrap(array)
    assert CODEC.unwrap(array, [translate(CODEC, single[0])]).shape == array.shape


def test_tensors_keep_their_type():
    (item,) = CODEC.wrap(torch.zeros(3, 16, 16, dtype=torch.float64))
    assert translate(CODEC, item).dtype == torch.float64


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (None, "NoneType is not a picture"),
        (3.5, "float is not a picture"),
        ([], "list is empty"),
        (np.zeros((4, 4, 3)), "black and white"),
        (np.zeros((3, 4, 5), np.uint8), "channels come last"),
        (np.zeros((0, 4, 3), np.uint8), "empty"),
        (np.zeros((4,), np.uint8), "none of"),
        (torch.zeros(3, 4, 4, dtype=torch.uint8), "floating-point"),
        (torch.zeros(4, 4, 3), "channels come first"),
        (torch.zeros(0, 3, 4, 4), "empty"),
        (torch.full((3, 4, 4), 2.0), "span"),
        (torch.full((3, 4, 4), float("nan")), "span"),
        ([np.zeros((4, 4, 3), np.uint8), "absent.png"], None),
    ],
)
def test_what_is_no_picture_is_refused_in_plain_words(value, fault):
    expected = UsageError if fault else DataError
    with pytest.raises(expected, match=fault):
        CODEC.wrap(value)


def test_grey_nets_see_one_channel_and_give_back_colour_pictures():
    codec = ImageCodec(TensorSpec(shape=(1, 16, 16)))
    (item,) = codec.wrap(np.full((16, 20), 100, np.uint8))
    (window,) = codec.windows(item)
    assert window.signal.shape == (1, 16, 20)
    assert translate(codec, item)[3, 3].tolist() == [100, 100, 100]


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "tiff", "JPEG"])
def test_pictures_are_written_in_the_format_of_the_suffix(tmp_path, suffix):
    path = tmp_path / "new" / f"a.{suffix}"
    CODEC.write(Image.fromarray(smooth_pixels(20, 30)), path)
    with Image.open(path) as image:
        assert image.size == (30, 20)
        assert image.format.lower()[:2] == suffix.lower()[:2]
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_arrays_and_tensors_are_written_too(tmp_path):
    CODEC.write(smooth_pixels(20, 30), tmp_path / "a.png")
    CODEC.write(torch.ones(3, 20, 30), tmp_path / "b")
    assert CODEC.read(tmp_path / "a.png").value.shape == (20, 30, 3)
    assert (CODEC.read(tmp_path / "b").value == 255).all()


def test_an_unknown_suffix_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no format"):
        CODEC.write(smooth_pixels(4, 4), tmp_path / "a.docx")


def test_a_failed_write_leaves_nothing_and_keeps_the_old_file(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot be written"):
        CODEC.write(smooth_pixels(4, 4), tmp_path / "file" / "a.png")
    (tmp_path / "a.png").mkdir()
    with pytest.raises(DataError, match="cannot be written"):
        CODEC.write(smooth_pixels(4, 4), tmp_path / "a.png")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "file"]


def test_a_sheet_doubles_small_pictures_and_has_room_for_titles(tmp_path):
    rows = [("noto → twemoji", [torch.ones(3, 32, 32), -torch.ones(3, 32, 32)])] * 2
    CODEC.sheet(rows, ["input", "output"], tmp_path / "sheet.png")
    sheet = CODEC.read(tmp_path / "sheet.png").value
    assert min(sheet.shape[:2]) > 128
    black = (sheet == 0).all(-1).sum()
    assert black == 2 * 64 * 64
    assert ((sheet[:, :60] < 128).all(-1)).any()  # ink of the row titles


def test_preprocessing_is_recorded():
    record = ImageCodec.preprocessing_for(CODEC.spec, TrainConfig(crop_first=178))
    assert record["crop_first"] == 178
    assert record["size"] == [32, 32]


def test_a_signal_that_is_no_picture_is_refused():
    with pytest.raises(UsageError, match="shape"):
        ImageCodec(TensorSpec(shape=(24, 128)))


@pytest.mark.parametrize(("height", "width", "seen"), [(64, 64, (32, 32)), (20, 30, (32, 48))])
def test_a_model_of_whole_things_sees_them_at_its_trained_size_and_gives_them_back_at_their_own(
    height, width, seen
):
    codec = ImageCodec(CODEC.spec, {"scale": "trained"})
    (item,) = codec.wrap(smooth_pixels(height, width))
    extents = []

    def net(x):
        extents.append(tuple(x.shape[-2:]))
        return x

    assert translate(codec, item, net).shape == (height, width, 3)
    assert extents == [seen]
    assert translate(codec, item, net, size=16).shape[0] == 16


@pytest.mark.parametrize(
    ("height", "width", "limit", "seen"),
    [(64, 64, 4096, (64, 64)), (64, 64, 1024, (32, 32)), (90, 160, 4096, (48, 84))],
)
def test_a_model_of_one_tone_sees_a_picture_as_a_whole_however_large_it_is(
    height, width, limit, seen
):
    codec = ImageCodec(CODEC.spec, {"scale": "whole"})
    (item,) = codec.wrap(smooth_pixels(height, width))
    windows = list(codec.windows(item, limit=limit))
    assert [tuple(window.signal.shape[-2:]) for window in windows] == [seen]
    assert codec.join(item, [(windows[0], windows[0].signal)]).shape == (height, width, 3)
