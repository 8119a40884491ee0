"""``zoo bench maps`` on a made miniature of which the figures are known."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo_core.cli import run
from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import DataError
from zoo_evaluate.bench.maps import MAPS
from zoo_evaluate.bench.maps_cells import median_colour
from zoo_evaluate.bench.protocol import ClassifierConfig, Override
from zoo_evaluate.cli.bench import run_benchmark
from zoo_images.decoded import open_store

pytestmark = pytest.mark.usefixtures("one_thread")

SIDE = 300
"""Side of the pictures' files: they are scaled down to 256."""
LAND, WATER = (240, 236, 230), (170, 200, 254)
TRAINED = [LAND, LAND, WATER, LAND]
TESTED = [LAND, WATER, (243, 240, 230)]
GCGAN = {"width": 2, "blocks": 1, "critic_width": 2, "critic_layers": 1}
TINY = replace(
    MAPS,
    judges=(ClassifierConfig("domain-maps", "domain", ("photo", "map"), 12, 4, widths=(4, 8)),),
    methods=("gcgan",),
    overrides={"gcgan": Override(GCGAN, train={"batch": 1, "ema": None, "precision": "float32"})},
    snapshots=1,
    held=2,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise for photographs, one colour each for maps."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for split, colours in (("train", TRAINED), ("test", TESTED)):
        for letter in "AB":
            (folder / "maps" / f"{split}{letter}").mkdir(parents=True)
        for number, colour in enumerate(colours, 1):
            noise = rng.integers(0, 120, (SIDE, SIDE, 3), dtype=np.uint8)
            flat = np.full((SIDE, SIDE, 3), colour, dtype=np.uint8)
            for letter, pixels in (("A", noise), ("B", flat)):
                path = folder / "maps" / f"{split}{letter}" / f"{number}_{letter}.png"
                Image.fromarray(pixels).save(path)
    return folder


@pytest.fixture(scope="module")
def finished(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with the cells of one method, and the table beside it."""
    place = tmp_path_factory.mktemp("bench")
    assert start(root, place) == 0
    return place


def start(root: Path, place: Path, **options: object) -> int:
    asked = {"methods": None, "tasks": None, "seeds": "0", "steps": 2, "device": "cpu"}
    asked |= {"data": root, "work": place / "work", "out": place / "out", "as_json": False}
    return run_benchmark(TINY, **{**asked, "table_only": False, **options})


def framed(place: Path, row: str, direction: str = "photo->map") -> dict:
    values = json.loads((place / "out" / "maps.json").read_text())
    (cell,) = [c for c in values["baselines"] if (c["method"], c["direction"]) == (row, direction)]
    return cell


def test_the_constant_colour_is_the_median_of_the_training_maps(finished: Path) -> None:
    found = framed(finished, "constant colour")["metrics"]
    water = np.linalg.norm(np.subtract(LAND, WATER))
    assert found["rmse"] == pytest.approx((0 + water + 5) / 3, abs=1e-4)  # 3, 4, 0 levels: 5
    assert found["acc5"] == pytest.approx(2 / 3, abs=1e-6)
    assert found["acc10"] == pytest.approx(2 / 3, abs=1e-6)


def test_the_ceiling_is_the_true_reference_itself(finished: Path) -> None:
    cell = framed(finished, "ceiling")
    assert cell["metrics"]["rmse"] == 0
    assert cell["metrics"]["acc5"] == 1
    assert cell["inputs"] == len(TESTED)
    back = framed(finished, "ceiling", "map->photo")["metrics"]
    assert back["rmse"] > 5  # noise: bicubic with averaging is not bilinear without


def test_a_random_picture_is_one_of_the_training_maps(finished: Path) -> None:
    found = framed(finished, "random picture")["metrics"]
    shares = {round(hits / 3, 6) for hits in range(4)}
    assert found["acc5"] in shares
    assert found["rmse"] >= 0


def test_untranslated_photographs_are_nowhere_near_a_map(finished: Path) -> None:
    found = framed(finished, "untranslated")["metrics"]
    assert found["acc10"] < 0.01
    assert found["rmse"] > 200


def test_a_method_has_its_figures_and_its_picture(finished: Path) -> None:
    values = json.loads((finished / "out" / "maps.json").read_text())
    assert {cell["direction"] for cell in values["cells"]} == {"photo->map", "map->photo"}
    for cell in values["cells"]:
        assert set(cell["metrics"]) == {"rmse", "acc5", "acc10", "fid"}
        assert cell["metrics"]["fid"] > 0
        assert 0 <= cell["metrics"]["acc5"] <= cell["metrics"]["acc10"] <= 1
    with Image.open(finished / "work" / "cells" / f"{cell_name('photo', 'map')}.png") as image:
        assert image.size == (3 * 256, 3 * 256)  # inputs, translations, references


def cell_name(source: str, target: str) -> str:
    return f"gcgan--maps--{source}-to-{target}--seed0--2steps"


def test_published_figures_stand_beside_in_their_columns(finished: Path) -> None:
    page = (finished / "out" / "maps.md").read_text()
    assert "| paper's row | rmse | acc5 | acc10 | mark |" in page
    assert "| CycleGAN | 28.15 | 41.8 | 63.7 | [R] | arXiv:1809.05852 |" in page
    assert (
        page.index("| *constant colour* |") < page.index("| gcgan | 2 |") < page.index("*ceiling*")
    )


def test_the_median_is_that_of_all_pixels(tmp_path: Path) -> None:
    files = []
    for number, level in enumerate((10, 200, 30)):
        pixels = np.full((8, 8, 3), (level, 255 - level, 7), dtype=np.uint8)
        files.append(tmp_path / f"{number}.png")
        Image.fromarray(pixels).save(files[-1])
    store = open_store(TensorSpec(shape=(3, 8, 8)), files, TrainConfig())
    levels = (median_colour(store) + 1) * 127.5
    assert levels.flatten().tolist() == pytest.approx([30, 225, 7], abs=1e-4)


def test_absent_data_is_said_clearly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError) as caught:
        start(tmp_path, tmp_path)
    assert caught.value.asked == "data of benchmark maps"
    assert os.fspath(tmp_path / "maps" / "trainA") in caught.value.problem
    assert "trainA and testA" in caught.value.hint
    assert not (tmp_path / "work").exists()
    monkeypatch.chdir(tmp_path)
    assert run(["bench", "maps", "--steps", "1", "--data", str(tmp_path)]) != 0
    assert "not redistributed" in " ".join(capsys.readouterr().err.split())


def test_a_photograph_without_its_map_is_refused(root: Path, tmp_path: Path) -> None:
    for folder in (root / "maps").iterdir():
        (tmp_path / "maps").mkdir(exist_ok=True)
        (tmp_path / "maps" / folder.name).mkdir()
        for path in folder.iterdir():
            (tmp_path / "maps" / folder.name / path.name).symlink_to(path)
    (tmp_path / "maps" / "testB" / "3_B.png").unlink()
    with pytest.raises(DataError) as caught:
        start(tmp_path, tmp_path)
    assert caught.value.problem == "3 photographs and 2 maps make 2 pairs"
