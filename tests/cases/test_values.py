"""Values mean something: through nets that change nothing, pictures of every kind come back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from zoo_core.catalogue.description import ModelConfig
from zoo_core.contracts.interfaces import Generator
from zoo_core.contracts.signals import Domains, TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import DataError
from zoo_core.models.modeldir import build_method
from zoo_core.translate.batch import Tally, TranslateRequest, translate_files
from zoo_core.translate.outputs import Entry, InputSource
from zoo_core.translate.translator import Translator
from zoo_images.codec import ImageCodec

SPEC = TensorSpec(shape=(3, 32, 32), stride=4)
GEO = {33550: (12, (0.5, 0.5, 0.0)), 33922: (12, (0.0,) * 6), 34735: (3, (1, 1, 0, 0))}
RNG = np.random.default_rng(0)


class Same(Generator):
    """Changes nothing."""

    def forward(self, x: torch.Tensor, condition: Any) -> torch.Tensor:
        return x  # (N, 3, H, W)


def model(trained_on: dict[str, list[Path]] | None = None, **wishes: str) -> Translator:
    """A translator between ``ct`` and ``x`` that changes nothing, with the ranges of its data."""
    config = ModelConfig("cyclegan", {"width": 2, "blocks": 1}, Domains(("ct", "x")), SPEC)
    method = build_method(config)
    for name in list(method.nets):
        if name.startswith("generator"):
            method.nets[name] = Same()
    codec = ImageCodec(SPEC)
    stores = {
        name: codec.open(files, TrainConfig(), domain=name)
        for name, files in (trained_on or {}).items()
    }
    codec.preprocessing |= codec.fit_statistics(stores)
    codec.ask(**wishes)
    return Translator(method, config, codec, device="cpu", precision="float32")


def through(made: Translator, path: Path, out: Path) -> list[str]:
    """Translates a file to ``x`` as the command line does; the notes of its account."""
    request = TranslateRequest("x", "ct", None, 8, None, True)
    tally = Tally()
    out.parent.mkdir(exist_ok=True)
    entry = Entry(InputSource(str(path)), ["x"], [str(out)])
    translate_files(made, request, [entry], out.parent, tally)
    if tally.failed:
        raise tally.failed[0]
    return list(tally.notes.reasons)


def grey(kind: str, low: float, high: float, shape: tuple[int, ...] = (20, 24)) -> np.ndarray:
    values = RNG.uniform(low, high, shape)
    values.flat[0], values.flat[1] = low, high
    return values.astype(kind)


def twelve_bits(folder: Path) -> list[Path]:
    """Case 01: CT slices of 12 bits in 16-bit PNGs, with and without bone."""
    paths = []
    for name, high in (("bone", 2224), ("soft", 1064)):
        values = np.full((32, 32), 24, np.uint16)
        values[8:24, 8:24] = 1064
        values[12:20, 12:20] = high
        paths.append(folder / f"{name}.png")
        Image.fromarray(values).save(paths[-1])
    return paths


def hounsfield(folder: Path) -> list[Path]:
    """Case 02: the same slices in Hounsfield units, float32."""
    paths = []
    for path in twelve_bits(folder):
        values = np.asarray(Image.open(path)).astype(np.float32) - 1024
        paths.append(path.with_suffix(".tif"))
        tifffile.imwrite(paths[-1], values)
    return paths


def test_case_01_twelve_bits_in_16_keep_their_contrast(tmp_path: Path) -> None:
    bone, soft = twelve_bits(tmp_path)
    made = model({"ct": [bone, soft]})
    signals = [
        next(made.codec.windows(made.codec.read(p), source="ct")).signal for p in (bone, soft)
    ]
    assert torch.equal(signals[0][:, 9, 9], signals[1][:, 9, 9])  # soft tissue in both
    assert float(signals[0].max() - signals[0].min()) > 1  # of 2: not black
    store = ImageCodec(SPEC).open([bone, soft], TrainConfig(), domain="ct")
    assert "black 0, white 4,095" in store.summary


def test_case_01_a_model_of_8_bits_says_that_it_sees_black(tmp_path: Path) -> None:
    (bone, _) = twelve_bits(tmp_path)
    (note,) = through(model(), bone, tmp_path / "out" / "x.png")
    assert "24 to 2,224 of 65,535" in note
    assert through(model(range="0,4095"), bone, tmp_path / "out" / "x.png") == []


def test_case_02_equal_tissue_is_equal_in_every_float_slice(tmp_path: Path) -> None:
    paths = hounsfield(tmp_path)
    made = model({"ct": paths, "x": paths})
    for path in paths:
        through(made, path, tmp_path / "out" / path.name)
        after = tifffile.imread(tmp_path / "out" / path.name)
        assert after.dtype == np.float32
        assert np.abs(after - tifffile.imread(path)).max() < 1
        assert after[9, 9] == pytest.approx(40, abs=1)


def test_case_02_without_a_range_it_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        through(model(), hounsfield(tmp_path)[0], tmp_path / "out" / "x.tif")
    assert "--range" in (caught.value.hint or "")


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_case_03_grey_of_16_bits_comes_out_as_such(suffix: str, tmp_path: Path) -> None:
    values = grey("uint16", 0, 65535)
    Image.fromarray(values).save(tmp_path / "x.png")
    through(model(), tmp_path / "x.png", tmp_path / "out" / f"x{suffix}")
    with Image.open(tmp_path / "out" / f"x{suffix}") as made:
        assert made.mode == "I;16"
        assert np.abs(np.asarray(made).astype(int) - values).max() <= 1


def test_case_04_every_page_is_translated(tmp_path: Path) -> None:
    pages = grey("uint16", 0, 65535, (6, 20, 24))
    tifffile.imwrite(tmp_path / "x.tif", pages, photometric="minisblack", metadata=None)
    assert through(model(), tmp_path / "x.tif", tmp_path / "out" / "x.tif") == []
    with tifffile.TiffFile(tmp_path / "out" / "x.tif") as file:
        after = np.stack([page.asarray() for page in file.pages])
    assert np.abs(after.astype(int) - pages).max() <= 1


@pytest.mark.parametrize("bands", [4, 5, 8])
def test_case_05_further_bands_are_copied_and_said(bands: int, tmp_path: Path) -> None:
    pixels = grey("uint8", 0, 255, (20, 24, bands))
    extra = [0] * (bands - 3)
    tifffile.imwrite(tmp_path / "x.tif", pixels, photometric="rgb", extrasamples=extra)
    (note,) = through(model(), tmp_path / "x.tif", tmp_path / "out" / "x.tif")
    assert f"{bands} bands" in note
    assert np.array_equal(tifffile.imread(tmp_path / "out" / "x.tif"), pixels)


def test_case_19_a_scene_stays_where_it_is_and_its_gaps_too(tmp_path: Path) -> None:
    values = grey("float32", 100, 900)
    values[4:8] = -9999
    tags = [(tag, kind, len(value), value, True) for tag, (kind, value) in GEO.items()]
    tags.append((42113, 2, 6, "-9999", True))
    tifffile.imwrite(tmp_path / "x.tif", values, extratags=tags)
    (note,) = through(model(range="100,900"), tmp_path / "x.tif", tmp_path / "out" / "x.tif")
    assert note.startswith("with 96 pixels (20.0 %) without data")
    with tifffile.TiffFile(tmp_path / "out" / "x.tif") as file:
        after = file.asarray()
        assert {tag: file.pages[0].tags[tag].value for tag in GEO} == {
            tag: value for tag, (_, value) in GEO.items()
        }
    assert (after[4:8] == -9999).all()
    assert np.abs(after - values).max() < 1e-2


def tiff(path: Path, values: np.ndarray, **options: Any) -> None:
    tifffile.imwrite(path, values, **options)


KINDS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "float64": (lambda p: tiff(p, grey("float64", 0, 1)), "0,1"),
    "float32 in colour": (
        lambda p: tiff(p, grey("float32", 0, 1, (20, 24, 3)), photometric="rgb"), "0,1"
    ),
    "int16 with negative values": (lambda p: tiff(p, grey("int16", -1000, 3000)), "-1000,3000"),
    "int32": (lambda p: tiff(p, grey("int32", -5, 60000)), "-5,60000"),
    "uint32": (lambda p: tiff(p, grey("uint32", 0, 70000)), "0,70000"),
    "big-endian": (lambda p: tiff(p, grey("uint16", 0, 65535), byteorder=">"), "0,65535"),
    "BigTIFF": (lambda p: tiff(p, grey("uint16", 0, 65535), bigtiff=True), "0,65535"),
    "tiles, deflated": (
        lambda p: tiff(p, grey("uint16", 0, 4095, (40, 40)), tile=(16, 16), compression="zlib"),
        "0,4095",
    ),
    "one plane per colour": (
        lambda p: tiff(
            p, grey("uint16", 0, 65535, (3, 20, 24)), photometric="rgb", planarconfig="separate"
        ),
        "0,65535",
    ),
    "12 bits in colour": (
        lambda p: tiff(p, grey("uint16", 0, 4095, (20, 24, 3)), photometric="rgb"), "0,4095"
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_tiffs_of_many_kinds_come_back_as_they_were(kind: str, tmp_path: Path) -> None:
    write, span = KINDS[kind]
    write(tmp_path / "x.tif")
    through(model(range=span), tmp_path / "x.tif", tmp_path / "out" / "x.tif")
    before, after = (tifffile.imread(tmp_path / part / "x.tif") for part in ("", "out"))
    if kind == "one plane per colour":
        before = before.transpose(1, 2, 0)
    assert after.dtype == before.dtype.newbyteorder("=")
    tolerance = 1 if after.dtype.kind in "iu" else 2e-6
    assert np.abs(after.astype(float) - before).max() <= tolerance


def test_grey_with_alpha_of_16_bits_gets_its_alpha_back(tmp_path: Path) -> None:
    pixels = grey("uint16", 0, 65535, (20, 24, 2))
    (tmp_path / "x.png").write_bytes(imagecodecs.png_encode(pixels))
    through(model(), tmp_path / "x.png", tmp_path / "out" / "x.png")
    after = imagecodecs.png_decode((tmp_path / "out" / "x.png").read_bytes())
    assert after.dtype == np.uint16
    assert np.array_equal(after[..., -1], pixels[..., 1])
    share = pixels[..., 1] / 65535  # of what is seen, the rest is the white ground
    seen = pixels[..., 0] * share + 65535 * (1 - share)
    assert np.abs(after[..., 0] - seen).max() <= 1


def test_a_palette_with_a_transparent_entry_keeps_both(tmp_path: Path) -> None:
    picture = Image.new("P", (24, 20), 1)
    picture.putpalette([255, 255, 255, 200, 30, 90])
    picture.paste(0, (0, 0, 8, 8))
    picture.save(tmp_path / "x.png", transparency=0)
    through(model(), tmp_path / "x.png", tmp_path / "out" / "x.png")
    with Image.open(tmp_path / "out" / "x.png") as made:
        assert made.mode == "RGBA"
        assert made.getpixel((2, 2))[3] == 0
        assert made.getpixel((20, 15)) == (200, 30, 90, 255)


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    picture = Image.new("1", (24, 20), 1)
    picture.paste(0, (0, 0, 8, 8))
    for name in ("x.png", "x.tif"):
        picture.save(tmp_path / name)
        through(model(), tmp_path / name, tmp_path / "out" / name)
        with Image.open(tmp_path / "out" / name) as made:
            assert made.getpixel((2, 2)) == (0, 0, 0)
            assert made.getpixel((20, 15)) == (255, 255, 255)


def test_white_is_zero_in_some_tiffs(tmp_path: Path) -> None:
    values = grey("uint16", 0, 65535)
    tifffile.imwrite(tmp_path / "x.tif", values, photometric="miniswhite")
    through(model(), tmp_path / "x.tif", tmp_path / "out" / "x.tif")
    after = tifffile.imread(tmp_path / "out" / "x.tif")
    assert np.abs(65535 - after.astype(int) - values).max() <= 1  # the same look


def test_a_cmyk_jpeg_becomes_rgb(tmp_path: Path) -> None:
    Image.new("CMYK", (24, 20), (0, 255, 255, 0)).save(tmp_path / "x.jpg", quality=95)
    through(model(), tmp_path / "x.jpg", tmp_path / "out" / "x.png")
    with Image.open(tmp_path / "out" / "x.png") as made:
        assert made.mode == "RGB"
        red, green, blue = made.getpixel((12, 10))
    assert red > 240
    assert max(green, blue) < 20


def test_arrays_in_files_come_back_with_their_shape_type_and_gaps(tmp_path: Path) -> None:
    values = grey("float32", -2, 7, (4, 20, 24))
    values[1, :3] = np.nan
    np.save(tmp_path / "x.npy", values)
    made = model(range="-2,7")
    assert made.codec.output_suffix(tmp_path / "x.npy") == ".npy"
    through(made, tmp_path / "x.npy", tmp_path / "out" / "x.npy")
    after = np.load(tmp_path / "out" / "x.npy")
    assert (after.dtype, after.shape) == (values.dtype, values.shape)
    assert np.isnan(after[1, :3]).all()
    assert np.nanmax(np.abs(after - values)) < 1e-5


@pytest.mark.parametrize("shape", [(20, 24), (3, 20, 24), (20, 24, 3), (20, 24, 1)])
def test_arrays_of_8_bits_keep_their_shape_grey_or_colour(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    values = grey("uint8", 0, 255, shape)
    np.save(tmp_path / "x.npy", values)
    through(model(), tmp_path / "x.npy", tmp_path / "out" / "x.npy")
    assert np.array_equal(np.load(tmp_path / "out" / "x.npy"), values)


@pytest.mark.parametrize(
    "values", [np.zeros(5), np.zeros((4, 4), complex), np.zeros((2, 2, 2, 2, 2)), np.zeros((0, 4))]
)
def test_arrays_that_are_no_pictures_are_refused(values: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", values)
    with pytest.raises(DataError) as caught:
        through(model(), tmp_path / "x.npy", tmp_path / "out" / "x.npy")
    assert caught.value.asked == str(tmp_path / "x.npy")


def test_nothing_in_an_array_file_is_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[Path("a")]], object), allow_pickle=True)
    with pytest.raises(DataError) as caught:
        through(model(), tmp_path / "x.npy", tmp_path / "out" / "x.npy")
    assert caught.value.asked == str(tmp_path / "x.npy")
