"""Published CartoonGAN generators: restated from their arrays, imported, compared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

import zoo
from zoo_core.cli import run
from zoo_core.contracts.signals import Condition
from zoo_core.errors import WeightsError
from zoo_core.host.plugins import host
from zoo_import.files import Import, ImportRequest, import_files
from zoo_train.data.folders import data_root
from zoo_train.golden import check_golden

ROOT = data_root()
REAL = None if ROOT is None else ROOT / "cartoongan_hayao"

Arrays = Mapping[str, Tensor]


def published(a: Arrays, x: Tensor) -> Tensor:
    """What the published net makes of RGB pictures ``x`` (N, 3, H, W) in [-1, 1], line by line."""

    def convolved(y: Tensor, name: str, **how: int) -> Tensor:
        return F.conv2d(y, a[f"{name}.weight"], a[f"{name}.bias"], **how)

    def doubled(y: Tensor, name: str) -> Tensor:
        weight, bias = a[f"{name}.weight"], a[f"{name}.bias"]
        return F.conv_transpose2d(y, weight, bias, stride=2, padding=1, output_padding=1)

    def normalised(y: Tensor, name: str) -> Tensor:
        apart = y - y.mean((2, 3), keepdim=True)
        unit = apart / (apart.square().mean((2, 3), keepdim=True) + 1e-9).sqrt()
        return unit * a[f"{name}.scale"][:, None, None] + a[f"{name}.shift"][:, None, None]

    def mirrored(y: Tensor, by: int) -> Tensor:
        return F.pad(y, [by] * 4, mode="reflect")

    y = x[:, [2, 1, 0]]  # they read BGR
    y = normalised(convolved(mirrored(y, 3), "conv01_1"), "in01_1").relu()
    for stage in ("02", "03"):
        y = convolved(y, f"conv{stage}_1", stride=2, padding=1)
        y = normalised(convolved(y, f"conv{stage}_2", padding=1), f"in{stage}_1").relu()
    block = 4
    while f"conv{block:02d}_1.weight" in a:
        name = f"{block:02d}"
        z = normalised(convolved(mirrored(y, 1), f"conv{name}_1"), f"in{name}_1").relu()
        y = y + normalised(convolved(mirrored(z, 1), f"conv{name}_2"), f"in{name}_2")
        block += 1
    for stage in (1, 2):
        y = convolved(doubled(y, f"deconv{stage:02d}_1"), f"deconv{stage:02d}_2", padding=1)
        y = normalised(y, f"in{block - 1 + stage:02d}_1").relu()
    y = convolved(mirrored(y, 3), "deconv03_1").tanh()
    return y[:, [2, 1, 0]]


def made_up(width: int = 4, blocks: int = 8) -> dict[str, Tensor]:
    """Random arrays of the published names."""
    rng = torch.Generator().manual_seed(0)
    a: dict[str, Tensor] = {}

    def convolution(name: str, *shape: int, transposed: bool = False) -> None:
        a[f"{name}.weight"] = torch.randn(shape, generator=rng) * 0.2
        a[f"{name}.bias"] = torch.randn(shape[1 if transposed else 0], generator=rng) * 0.1

    def normalisation(name: str, channels: int) -> None:
        a[f"{name}.scale"] = torch.rand(channels, generator=rng)
        a[f"{name}.shift"] = torch.randn(channels, generator=rng) * 0.1

    convolution("conv01_1", width, 3, 7, 7)
    normalisation("in01_1", width)
    for stage, (inner, outer) in (("02", (width, 2 * width)), ("03", (2 * width, 4 * width))):
        convolution(f"conv{stage}_1", outer, inner, 3, 3)
        convolution(f"conv{stage}_2", outer, outer, 3, 3)
        normalisation(f"in{stage}_1", outer)
    for block in range(4, 4 + blocks):
        for half in (1, 2):
            convolution(f"conv{block:02d}_{half}", 4 * width, 4 * width, 3, 3)
            normalisation(f"in{block:02d}_{half}", 4 * width)
    for stage, (inner, outer) in ((1, (4 * width, 2 * width)), (2, (2 * width, width))):
        convolution(f"deconv{stage:02d}_1", inner, outer, 3, 3, transposed=True)
        convolution(f"deconv{stage:02d}_2", outer, outer, 3, 3)
        normalisation(f"in{3 + blocks + stage:02d}_1", outer)
    convolution("deconv03_1", 3, width, 7, 7)
    return a


def as_folder(arrays: Arrays, folder: Path) -> Path:
    folder.mkdir()
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array.numpy())
    return folder


def imported(source: Path, out: Path, **request: tuple[str, ...]) -> Import:
    return import_files(
        [str(source)], out, ImportRequest(**({"domains": ()} | request)), host=host()
    )


def pictures(height: int = 32, width: int = 40) -> Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.numeric
@pytest.mark.parametrize("form", ["folder", "pth"])
@pytest.mark.parametrize("blocks", [8, 3])
def test_an_imported_generator_computes_what_was_published(
    form: str, blocks: int, tmp_path: Path
) -> None:
    arrays, source = made_up(blocks=blocks), tmp_path / "source"
    as_folder(arrays, source) if form == "folder" else torch.save(arrays, source)
    made = imported(source, tmp_path / "model")
    assert made.layouts == ("cartoongan-official",)
    assert dict(made.config.options) == {"width": 4, "blocks": blocks}
    assert made.config.domains.names == ("photo", "cartoon")
    assert made.config.preprocessing["scale"] == "whole"
    translator = zoo.load(tmp_path / "model", device="cpu", precision="float32")
    x = pictures()
    torch.testing.assert_close(translator(x, to="cartoon"), published(arrays, x), atol=1e-5, rtol=0)
    assert check_golden(translator.method, tmp_path / "model") == 0


@pytest.mark.numeric
@pytest.mark.skipif(
    REAL is None or not REAL.is_dir(),
    reason="the published weights are not at hand: put them in cartoongan_hayao of ZOO_DATA",
)
def test_the_published_weights_compute_what_was_published(tmp_path: Path) -> None:
    assert REAL is not None
    arrays = {file.stem: torch.from_numpy(np.load(file)) for file in REAL.glob("*.npy")}
    assert len(arrays) == 94
    made = imported(REAL, tmp_path / "model")
    assert made.nets == {"generator_cartoon": 11_129_667}
    translator = zoo.load(tmp_path / "model", device="cpu", precision="float32")
    x = F.interpolate(pictures(8, 10), (64, 80), mode="bicubic").clamp(-1, 1)
    found, wanted = translator(x, to="cartoon"), published(arrays, x)
    assert float(wanted.std()) > 0.1
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)

    method = translator.method.double()
    source, target = (Condition.of(made.config.domains, n, 2) for n in ("photo", "cartoon"))
    with torch.no_grad():
        exact = method.translate(x.double(), source, target)
    wanted = published({name: array.double() for name, array in arrays.items()}, x.double())
    torch.testing.assert_close(exact, wanted, atol=1e-12, rtol=0)


def test_names_may_be_given(tmp_path: Path) -> None:
    source = as_folder(made_up(blocks=1), tmp_path / "source")
    made = imported(source, tmp_path / "model", domains=("street", "drawing"))
    assert made.config.domains.names == ("street", "drawing")
    assert set(made.nets) == {"generator_drawing"}


def test_two_commands_make_a_cartoon_of_the_photos_size(tmp_path: Path) -> None:
    source = as_folder(made_up(blocks=1), tmp_path / "source")
    photo = tmp_path / "photo.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (35, 50, 3), np.uint8)).save(photo)
    model, out = tmp_path / "model", tmp_path / "cartoons"
    for words in (["import", source, "--out", model], ["translate", model, photo, "--out", out]):
        assert run([str(word) for word in words]) == 0
    (cartoon,) = out.glob("*.png")
    with Image.open(cartoon) as made:
        assert made.size == (50, 35)


def test_what_is_missing_or_misshapen_is_told_in_the_files_own_names(tmp_path: Path) -> None:
    arrays = made_up(blocks=2)
    del arrays["in05_2.shift"]
    arrays["conv02_2.bias"] = torch.zeros(3)
    arrays["conv99.weight"] = torch.zeros(3)
    with pytest.raises(WeightsError) as caught:
        imported(as_folder(arrays, tmp_path / "source"), tmp_path / "model")
    problem = caught.value.problem
    assert "missing: in05_2.shift (16,)" in problem
    assert "misshapen: conv02_2.bias: (3,) in the file, (8,) in the net" in problem
    assert "unexpected: conv99.weight (3,)" in problem
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00"])
def test_a_damaged_array_is_named(content: bytes, tmp_path: Path) -> None:
    folder = as_folder(made_up(blocks=1), tmp_path / "source")
    (folder / "conv02_1.bias.npy").write_bytes(content)
    with pytest.raises(WeightsError) as caught:
        imported(folder, tmp_path / "model")
    assert caught.value.asked == f"checkpoint {folder / 'conv02_1.bias.npy'}"


def test_an_array_of_objects_is_not_unpickled(tmp_path: Path) -> None:
    folder = as_folder(made_up(blocks=1), tmp_path / "source")
    np.save(folder / "conv02_1.bias.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(WeightsError) as caught:
        imported(folder, tmp_path / "model")
    assert caught.value.asked == f"checkpoint {folder / 'conv02_1.bias.npy'}"


def test_a_folder_without_arrays_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        imported(tmp_path, tmp_path / "model")
    assert caught.value.problem == "the folder holds no .npy arrays"
