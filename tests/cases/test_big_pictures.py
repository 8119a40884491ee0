"""Pictures that go through the nets in several windows come out as the whole would."""

import os
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from torch import Tensor, nn

import zoo
from zoo_core.catalogue.description import ModelConfig
from zoo_core.cli import run
from zoo_core.contracts.signals import Batch, Condition, Domains, TensorSpec
from zoo_core.errors import DataError, UsageError
from zoo_core.models.modeldir import build_method
from zoo_core.translate.translator import Translator
from zoo_images import large, windows
from zoo_images.codec import ImageCodec
from zoo_testing.photos import apart, photo, steps
from zoo_train.card import Card
from zoo_train.writing import write_model

pytestmark = pytest.mark.numeric
WHOLE = 1 << 40
"""A bound that no picture reaches: it goes through the nets at once."""
TRANSLATED_WITH_PEAK = """
import sys
from zoo_core.cli import run
from zoo_testing.memory import peak_memory
status = run(sys.argv[1:])
print("peak", peak_memory())
sys.exit(status)
"""


@pytest.fixture(scope="module")
def digits() -> Translator:
    return zoo.load("cyclegan-mnist-mnistm", precision="float32")


@pytest.fixture(scope="module")
def emoji() -> Translator:
    return zoo.load("combogan-emoji", precision="float32")


def made_of(net: nn.Module, **spec: Any) -> Translator:
    """A translator whose generators are all ``net``."""
    signal = TensorSpec(**{"shape": (3, 32, 32), "stride": 4, **spec})
    config = ModelConfig("cyclegan", {"width": 2, "blocks": 1}, Domains(("a", "b")), signal)
    method = build_method(config)
    for name in list(method.nets):
        if name.startswith("generator"):
            method.nets[name].layers = net
    return Translator(method, config, ImageCodec(signal), precision="float32")


def convolved(*more: nn.Module) -> nn.Sequential:
    """A small net whose output has the input's size."""
    torch.manual_seed(0)
    first, last = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)
    return nn.Sequential(first, *more, nn.ReLU(), last, nn.Tanh())


# Case 12: a photograph larger than a window.


def test_windows_that_share_statistics_give_the_whole_picture(digits: Translator) -> None:
    pixels = photo(320, 448)
    whole = digits(pixels, to="mnistm", limit=WHOLE)
    made = {w: digits(pixels, to="mnistm", limit=160**2, windows=w) for w in ("fast", "exact")}
    assert apart(made["fast"], whole) < 2.5
    assert apart(made["exact"], whole) < 0.2
    assert steps(made["fast"], whole, 8).max() < 1.1
    assert steps(made["exact"], whole, 8).max() < 1.1


@pytest.mark.slow
def test_case_12_a_large_photograph_comes_out_as_the_run_on_the_whole(digits: Translator) -> None:
    pixels = photo(1696, 2304)
    whole = digits(pixels, to="mnistm", limit=WHOLE)
    fast = digits(pixels, to="mnistm")
    assert apart(fast, whole) < 2.5
    for made, of_whole in ((fast, whole), (np.rot90(fast), np.rot90(whole))):
        assert steps(made, of_whole, 16).max() < 1.1


@pytest.fixture(scope="module")
def nine_blocks() -> Translator:
    """CycleGAN's generator, untrained, with a quarter of the channels."""
    torch.manual_seed(0)
    signal = TensorSpec(shape=(3, 256, 256), stride=4)
    config = ModelConfig("cyclegan", {"width": 16}, Domains(("a", "b")), signal)
    return Translator(build_method(config), config, ImageCodec(signal), precision="float32")


@pytest.mark.slow
def test_a_random_net_of_nine_blocks_makes_a_large_photograph_whole(nine_blocks: Translator):
    pixels = photo(1696, 2304)
    whole = nine_blocks(pixels, to="b", limit=WHOLE)
    fast = nine_blocks(pixels, to="b")
    assert apart(fast, whole) < 2.5
    assert steps(fast, whole, 16).max() < 1.1


@pytest.mark.slow
def test_a_random_net_of_nine_blocks_is_exact_in_windows_that_overlap_enough(
    nine_blocks: Translator,
) -> None:
    pixels = photo(480, 720)
    whole = nine_blocks(pixels, to="b", limit=WHOLE)
    exact = nine_blocks(pixels, to="b", limit=480**2, windows="exact")
    assert apart(exact, whole) < 0.2
    assert steps(exact, whole, 16).max() < 1.1


def test_windows_left_to_themselves_show(digits: Translator) -> None:
    pixels = photo(320, 448)
    whole = digits(pixels, to="mnistm", limit=WHOLE)
    own = digits(pixels, to="mnistm", limit=160**2, windows="own")
    assert apart(own, whole) > 10
    assert steps(own, whole, 8).max() > 1.2


def test_case_12_the_account_says_how_windows_were_normalised(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(photo(120, 180)).save("photo.png")
    command = ["translate", "cyclegan-mnist-mnistm", "photo.png", "--to", "mnistm"]
    command += ["--max-megapixels", "0.01", "--precision", "float32"]
    said = {}
    for way in ("fast", "exact", "own"):
        assert run([*command, "--windows", way, "--out", way]) == 0
        said[way] = capsys.readouterr().out
    assert (
        "with 6 windows, normalised by the statistics of a copy at 1/2: photo.png" in said["fast"]
    )
    exact = (
        "with 6 windows, normalised by the statistics of the whole, with 4 MB in a temporary file"
    )
    assert f"{exact}: photo.png" in said["exact"]
    assert "with 6 windows, each normalised by itself: photo.png" in said["own"]
    whole = digits_of("photo.png")
    assert apart(Image.open("exact/photo_mnistm.png"), whole) < 0.5
    own = apart(Image.open("own/photo_mnistm.png"), whole)
    assert apart(Image.open("fast/photo_mnistm.png"), whole) < own / 3


def test_without_zoo_nn_the_account_says_that_each_window_is_normalised_by_itself(
    tmp_path: Path, digits: Translator
) -> None:
    pixels = photo(120, 180)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    command = ["translate", "cyclegan-mnist-mnistm", "photo.png", "--to", "mnistm"]
    command += ["--max-megapixels", "0.01", "--precision", "float32"]
    done = subprocess.run(
        [sys.executable, "-m", "zoo_core", *command],
        env=os.environ | {"ZOO_PLUGINS": "images,cyclegan"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "with 6 windows, each normalised by itself: photo.png" in done.stdout
    made = np.asarray(Image.open(tmp_path / "translated" / "photo_mnistm.png"))
    own = digits(pixels, to="mnistm", limit=10_000, windows="own")
    assert apart(made, own) < 0.1
    assert apart(made, digits(pixels, to="mnistm", limit=10_000)) > 1


def digits_of(path: str) -> Any:
    return zoo.load("cyclegan-mnist-mnistm", precision="float32")(path, to="mnistm")


def test_outputs_made_in_another_way_are_made_anew(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(photo(64, 96)).save("photo.png")
    command = ["translate", "cyclegan-mnist-mnistm", "photo.png", "--to", "mnistm"]
    command += ["--max-megapixels", "0.003", "--precision", "float32"]
    assert run([*command, "--windows", "own"]) == 0
    own = np.asarray(Image.open("translated/photo_mnistm.png"))
    assert run(command) == 0
    assert apart(np.asarray(Image.open("translated/photo_mnistm.png")), own) > 1
    assert run(command) == 0
    assert "Kept 1" in capsys.readouterr().out


def test_an_unknown_way_is_refused(digits: Translator) -> None:
    with pytest.raises(UsageError) as caught:
        digits(photo(16, 16), to="mnistm", windows="exactly")
    assert "exactly" in caught.value.asked
    assert "exact" in str(caught.value)


# The same of other nets.


@pytest.mark.parametrize(
    ("model", "source", "target", "bound"),
    [("combogan-emoji", "noto", "twemoji", 0.5), ("unit-mnist-usps", "mnist", "usps", 2.0)],
)
def test_models_that_translate_through_a_code_share_statistics(model, source, target, bound):
    translator = zoo.load(model, precision="float32")
    pixels = photo(160, 224)
    whole = translator(pixels, to=target, source=source, limit=WHOLE)
    made = {
        way: translator(pixels, to=target, source=source, limit=112**2, windows=way)
        for way in ("own", "fast", "exact")
    }
    assert apart(made["exact"], whole) < bound
    assert apart(made["fast"], whole) < apart(made["own"], whole) / 2.5
    assert steps(made["fast"], whole, 8).max() < 1.1


@pytest.mark.parametrize(
    "normalisation",
    [
        nn.InstanceNorm2d(8),
        nn.InstanceNorm2d(8, affine=True),
        nn.GroupNorm(1, 8),  # as UNIT's layer normalisation over channels and places
        nn.GroupNorm(4, 8),
        nn.Sequential(nn.InstanceNorm2d(8), nn.Conv2d(8, 8, 1), nn.GroupNorm(2, 8)),
    ],
)
def test_normalisations_of_torch_share_statistics_whoever_calls_them(normalisation):
    translator = made_of(convolved(normalisation))
    pixels = photo(96, 128)
    whole = translator(pixels, to="b", limit=WHOLE)
    own = translator(pixels, to="b", limit=64**2, windows="own")
    exact = translator(pixels, to="b", limit=64**2, windows="exact")
    assert apart(exact, whole) < 0.1 < 0.5 < apart(own, whole)


def test_a_normalisation_by_fixed_statistics_is_left_alone() -> None:
    translator = made_of(convolved(nn.BatchNorm2d(8).eval()))
    pixels = photo(96, 128)
    whole = translator(pixels, to="b", limit=WHOLE)
    assert apart(translator(pixels, to="b", limit=64**2), whole) < 0.1


class Global(nn.Module):
    """Adds the mean over all places, as attention and squeeze-and-excitation look at them all."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H, W)."""
        return x + x.mean((2, 3), keepdim=True)  # (N, C, H, W)


def test_a_net_that_looks_further_than_a_window_is_named(tmp_path) -> None:
    translator = made_of(convolved(nn.InstanceNorm2d(8), Global()))
    Image.fromarray(photo(96, 128)).save(tmp_path / "photo.png")
    (result,) = translator.stream([tmp_path / "photo.png"], "b", limit=64**2)
    (note,) = result.notes
    assert "each normalised by itself" in note
    with pytest.warns(UserWarning, match="look further than a window"):
        translator(photo(96, 128), to="b", limit=64**2)


def test_statistics_are_shared_whatever_engine_is_asked_for(digits, monkeypatch) -> None:
    compile_net = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda net: compile_net(net, backend="eager"))
    compiled = zoo.load("cyclegan-mnist-mnistm", precision="float32", engine="compiled")
    pixels = photo(96, 128)
    wanted = digits(pixels, to="mnistm", limit=64**2)
    assert (compiled(pixels, to="mnistm", limit=64**2) == wanted).all()


# Pictures of all shapes and kinds.


@pytest.mark.parametrize(
    ("height", "width"),
    [(20, 900), (900, 20), (1, 2000), (2000, 1), (64, 128), (65, 64), (129, 127)],
)
def test_any_shape_comes_out_as_the_whole_would(height: int, width: int) -> None:
    translator = made_of(convolved(nn.InstanceNorm2d(8)))
    pixels = photo(max(height, 8), max(width, 8))[:height, :width]
    whole = translator(pixels, to="b", limit=WHOLE)
    exact = translator(pixels, to="b", limit=64**2, windows="exact")
    fast = translator(pixels, to="b", limit=64**2)
    assert exact.shape == fast.shape == (height, width, 3)
    assert apart(exact, whole) < 0.2


def test_a_wide_panorama_shares_statistics() -> None:
    translator = made_of(convolved(nn.InstanceNorm2d(8)))
    pixels = photo(160, 1600)
    whole = translator(pixels, to="b", limit=WHOLE)
    fast = translator(pixels, to="b", limit=160**2)
    assert apart(fast, whole) < 2.5
    assert steps(fast, whole, 8).max() < 1.1


def test_a_picture_that_just_fits_is_one_window() -> None:
    translator = made_of(convolved(nn.InstanceNorm2d(8)))
    pixels = photo(64, 64)
    own = translator(pixels, to="b", limit=64**2, windows="own")
    assert np.array_equal(translator(pixels, to="b", limit=64**2), own)
    assert apart(translator(photo(64, 68), to="b", limit=64**2, windows="exact"),
                 translator(photo(64, 68), to="b", limit=WHOLE)) < 0.1  # fmt: skip


def test_statistics_are_those_of_each_picture_of_a_folder(tmp_path) -> None:
    translator = made_of(convolved(nn.InstanceNorm2d(8)))
    pictures = [photo(96, 128, seed=1), photo(96, 128, seed=2) // 3, photo(48, 48, seed=3)]
    for number, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    outputs = translator(tmp_path, to="b", limit=64**2, windows="exact")
    for pixels, output in zip(pictures, outputs, strict=True):
        assert apart(output, translator(pixels, to="b", limit=WHOLE)) < 0.1


def test_statistics_are_those_of_each_page(tmp_path) -> None:
    translator = made_of(convolved(nn.InstanceNorm2d(8)))
    pages = [Image.fromarray(photo(96, 128, seed=n) // (1 + 2 * n)) for n in range(3)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    made = translator(tmp_path / "pages.tif", to="b", limit=64**2, windows="exact")
    for page, output in zip(pages, made.frames, strict=True):
        assert apart(output, translator(page, to="b", limit=WHOLE)) < 0.1


def test_statistics_are_those_of_each_target(emoji: Translator) -> None:
    pixels = photo(96, 128)
    together = emoji(pixels, to="all", source="noto", limit=64**2)
    for target, output in together.items():
        assert apart(output, emoji(pixels, to=target, source="noto", limit=64**2)) < 0.1


def test_the_way_back_shares_statistics(digits: Translator) -> None:
    pixels = photo(96, 128)
    whole = digits.cycle(pixels, to="mnistm", limit=WHOLE)
    exact = digits.cycle(pixels, to="mnistm", limit=64**2, windows="exact")
    own = digits.cycle(pixels, to="mnistm", limit=64**2, windows="own")
    for of_whole, of_exact, of_own in zip(whole, exact, own, strict=True):
        assert apart(of_exact, of_whole) < apart(of_own, of_whole) / 5


def test_grey_of_16_bits_keeps_its_depth(tmp_path) -> None:
    translator = made_of(convolved(nn.InstanceNorm2d(8)))
    values = photo(96, 128)[..., 0].astype(np.uint16) * 257
    Image.fromarray(values).save(tmp_path / "deep.png")
    made, whole = (
        np.asarray(translator(tmp_path / "deep.png", to="b", limit=limit, windows="exact"), float)
        for limit in (64**2, WHOLE)
    )
    assert made.max() > 255
    assert np.abs(made - whole).mean() < 0.1 * 257


def test_alpha_is_kept(tmp_path) -> None:
    translator = made_of(convolved(nn.InstanceNorm2d(8)))
    alpha = np.tile(np.arange(128, dtype=np.uint8) * 2, (96, 1))[..., None]
    Image.fromarray(np.concatenate([photo(96, 128), alpha], -1)).save(tmp_path / "clear.png")
    made, whole = (
        np.asarray(translator(tmp_path / "clear.png", to="b", limit=limit, windows="exact"))
        for limit in (64**2, WHOLE)
    )
    assert np.array_equal(made[..., 3:], alpha)
    assert apart(made[..., :3], whole[..., :3]) < 0.1


# Case 29: pictures that are not held in memory.


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Pictures count as large from 5,000 pixels on; the heights of what is decoded of them."""
    monkeypatch.setattr(windows, "LARGE", 5000)
    heights: list[int] = []
    decoded = large.StripedTiff._decoded

    def counted(tiff: large.StripedTiff, first: int, last: int) -> Any:
        heights.append(last - first)
        return decoded(tiff, first, last)

    monkeypatch.setattr(large.StripedTiff, "_decoded", counted)
    return heights


LAYOUTS = {
    "strips": {"rowsperstrip": 37},
    "tiles": {"tile": (64, 48)},
    "packed": {"tile": (64, 64), "compression": "zlib", "predictor": True},
    "jpeg": {"tile": (64, 64), "compression": "jpeg"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_case_29_a_large_tiff_is_read_and_written_in_parts(tmp_path, parts, layout):
    translator = made_of(convolved(nn.InstanceNorm2d(8)))
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, photo(900, 100), photometric="rgb", **LAYOUTS[layout])
    whole = translator(Image.open(path), to="b", limit=WHOLE)
    (result,) = translator.stream(
        [path],
        "b",
        limit=64**2,
        windows="exact",
        finish=lambda done: translator.codec.write(done.output, tmp_path / "out.tif"),
    )
    assert result.error is None
    made = tifffile.imread(tmp_path / "out.tif")
    assert made.shape == (900, 100, 3)
    assert apart(made, whole) < 0.1
    assert parts
    assert max(parts) <= 256
    assert apart(translator(path, to="b", limit=64**2, windows="exact"), made) == 0


def test_grey_and_geographic_tags_of_a_large_tiff_are_kept(tmp_path, parts):
    translator = made_of(convolved(nn.InstanceNorm2d(8)))
    path, out = tmp_path / "map.tif", tmp_path / "out.tif"
    place = (33550, 12, 3, (2.0, 2.0, 0.0), True)
    grey = photo(200, 150)[..., 0]
    tifffile.imwrite(path, grey, photometric="minisblack", rowsperstrip=16, extratags=[place])
    item = translator.codec.read(path)
    assert np.array_equal(item.value[:][..., 1], grey)
    pairs = ((window, window.signal) for window in translator.codec.windows(item, limit=64**2))
    translator.codec.write(translator.codec.join(item, pairs), out)
    with tifffile.TiffFile(out) as file:
        assert file.pages[0].tags[33550].value == place[3]
        assert apart(file.asarray(), np.stack([grey] * 3, -1)) < 0.01


def test_a_large_picture_of_another_format_is_decoded_at_once_and_joined_in_parts(tmp_path, parts):
    translator = made_of(convolved(nn.InstanceNorm2d(8)))
    pixels = photo(200, 150)
    Image.fromarray(pixels).save(tmp_path / "slide.png")
    item = translator.codec.read(tmp_path / "slide.png")
    pairs = ((window, window.signal) for window in translator.codec.windows(item, limit=64**2))
    output = translator.codec.join(item, pairs)
    assert isinstance(output, large.Spool)
    translator.codec.write(output, tmp_path / "out.png")
    assert apart(Image.open(tmp_path / "out.png"), pixels) < 0.01
    assert not parts


def test_a_model_of_one_tone_sees_a_large_tiff_reduced(tmp_path, parts):
    tifffile.imwrite(tmp_path / "slide.tif", photo(400, 300), photometric="rgb", rowsperstrip=20)
    codec = ImageCodec(TensorSpec(shape=(3, 32, 32), stride=4), {"scale": "whole"})
    item = codec.read(tmp_path / "slide.tif")
    (window,) = codec.windows(item, limit=64**2)
    output = codec.unwrap("slide.tif", [codec.join(item, [(window, window.signal)])])
    assert output.size == (300, 400)
    expected = Image.fromarray(photo(400, 300)).resize((52, 72), Image.Resampling.BICUBIC)
    assert apart(output, expected.resize((300, 400), Image.Resampling.BICUBIC)) < 4
    assert max(parts) < 400


@pytest.mark.parametrize(
    "more",
    [
        {"extratags": [(274, 3, 1, 6, True)]},  # it lies on its side
        {"extratags": [(42113, 2, 2, "0", True)]},  # a value stands for no data
        {"planarconfig": "separate"},
    ],
)
def test_a_large_tiff_that_is_more_than_its_strips_is_read_as_a_whole(tmp_path, parts, more):
    translator = made_of(convolved(nn.InstanceNorm2d(8)))
    pixels = photo(200, 150)
    if "planarconfig" in more:
        pixels = np.moveaxis(pixels, -1, 0)
    tifffile.imwrite(tmp_path / "slide.tif", pixels, photometric="rgb", rowsperstrip=16, **more)
    output = translator(tmp_path / "slide.tif", to="b", limit=64**2)
    sideways = more.get("extratags", [(0,)])[0][0] == 274
    assert output.size == ((200, 150) if sideways else (150, 200))
    assert not parts


def test_a_large_tiff_that_is_cut_short_is_named(tmp_path, parts):
    translator = made_of(convolved(nn.InstanceNorm2d(8)))
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, photo(200, 150), photometric="rgb", tile=(64, 64), compression="zlib")
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    path.write_bytes(data)
    (result,) = translator.stream([path], "b", limit=64**2)
    assert isinstance(result.error, DataError)
    assert result.error.asked == str(path)
    assert "damaged" in result.error.problem


def test_case_29_the_bound_says_what_is_decoded_at_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(photo(200, 150)).save("slide.png")
    command = ["translate", "cyclegan-mnist-mnistm", "slide.png", "--to", "mnistm"]
    assert run([*command, "--largest", "0.02"]) == 1
    said = capsys.readouterr().err
    assert "--largest" in said
    assert "in strips or tiles" in said


@pytest.mark.slow
def test_case_29_210_megapixels_take_less_than_3_gib(tmp_path):
    """Windows of a megapixel, statistics of a copy, and a TIFF that is written in strips."""
    height, width, rows = 14_000, 15_000, 100
    band = np.repeat(photo(rows, width // 50 + 1), 50, 1)[:, :width]
    packed = [
        zlib.compress(np.ascontiguousarray(np.roll(band, n, 2)).tobytes(), 1) for n in range(3)
    ]
    tifffile.imwrite(
        tmp_path / "slide.tif",
        (packed[n % 3] for n in range(height // rows)),
        shape=(height, width, 3),
        dtype=np.uint8,
        photometric="rgb",
        rowsperstrip=rows,
        compression="zlib",
    )
    signal = TensorSpec(shape=(3, 32, 32), stride=4)
    config = ModelConfig("cyclegan", {"width": 2, "blocks": 1}, Domains(("a", "b")), signal)
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    labels = {name: Condition.of(config.domains, name, 1) for name in config.domains}
    write_model(
        tmp_path / "model",
        build_method(config),
        config,
        card=Card("narrow", "A narrow model."),
        sample_batch=Batch({"a": x, "b": x}, labels),
    )
    command = [sys.executable, "-c", TRANSLATED_WITH_PEAK, "translate", "model", "slide.tif"]
    options = ["--to", "b", "--largest", "300", "--out", "out"]
    done = subprocess.run(
        [*command, *options], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert int(done.stdout.split("peak")[1]) < 3 << 30
    with tifffile.TiffFile(tmp_path / "out" / "slide_b.tif") as file:
        assert file.pages[0].shape == (height, width, 3)
