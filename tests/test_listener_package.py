"""One package from outside brings a thing of each kind, and the ordinary commands use them."""

from __future__ import annotations

import itertools
import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from PIL import Image

from zoo_core import cli
from zoo_core.errors import UsageError
from zoo_core.host.plugins import host

PACKAGE = Path(__file__).parent / "third_party" / "zoo-listener"


@pytest.fixture(scope="module", autouse=True)
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The package is there for the tests of this module alone."""
    installed = tmp_path_factory.mktemp("installed")  # what an installer writes beside the code
    information = installed / "zoo_listener-0.1.0.dist-info"
    information.mkdir()
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    ((name, module),) = project["entry-points"]["zoo"].items()
    (information / "entry_points.txt").write_text(f"[zoo]\n{name} = {module}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(installed)
        patch.syspath_prepend(PACKAGE)
        host.cache_clear()
        yield
    for name in [name for name in sys.modules if name.startswith("zoo_listener")]:
        del sys.modules[name]
    host.cache_clear()


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of a loud and of a faint voice, train and test split."""
    root = tmp_path_factory.mktemp("voices")
    time = np.arange(8_000) / 16_000
    for split, (name, loud) in itertools.product(
        ("train", "test"), (("jackson", 0.4), ("nicolas", 0.05))
    ):
        place = root / split / name
        place.mkdir(parents=True)
        for take in range(4):
            wave = sum(np.sin(2 * np.pi * n * (110 + 9 * take) * time) / n for n in range(1, 20))
            samples = loud * wave / np.abs(wave).max()
            soundfile.write(place / f"1_{name}_{take}.wav", samples, 16_000)
    return root


def run(*args: str | Path) -> str:
    done = CliRunner().invoke(cli.cli, [str(arg) for arg in args], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def figures(*args: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*args, "--json"))
    return found


def test_its_command_runs() -> None:
    assert "hello from outside" in run("hello")


@pytest.mark.slow
def test_its_architecture_trains_a_judge_that_measures_a_voice_model(
    voices: Path, tmp_path: Path
) -> None:
    run(
        *("judge", "train", "--task", "domain", "--architecture", "loudness"),
        *("--data", voices, "--steps", "40", "--batch", "8", "--out", tmp_path / "judge"),
    )
    found = figures(
        *("evaluate", "cyclegan-vc-fsdd", "--data", voices, "--judge", tmp_path / "judge"),
        *("--metrics", "domain,length,mcd,variance", "--precision", "float32"),
    )
    for values in found["directions"].values():
        assert values["domain_accuracy_real"] == 1.0
        assert values["domain_accuracy_untranslated"] == 0.0
        assert values["length"] == pytest.approx(0.5)
        assert values["mcd"] > 0
        assert values["variance_ratio"] > 0


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("mnist", "mnistm"):
        place = tmp_path / "pictures" / name
        place.mkdir(parents=True)
        for number in range(4):
            pixels = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(place / f"{name}{number}.png")
    return tmp_path / "pictures"


def test_its_extractor_gives_the_features_of_fid(pictures: Path) -> None:
    found = figures(
        *("evaluate", "cyclegan-mnist-mnistm", "--data", pictures, "--extractor", "moments"),
        *("--metrics", "fid", "--allow-few", "--precision", "float32"),
    )
    assert found["protocol"]["extractor"]["name"] == "moments"
    assert all(values["fid"] > 0 for values in found["directions"].values())


def test_its_perturbation_is_part_of_an_audit(pictures: Path) -> None:
    found = figures("audit", "cyclegan-mnist-mnistm", "--data", pictures, "--num-samples", "4")
    assert all("gap_flip" in direction["values"] for direction in found["directions"].values())


def test_a_metric_of_speech_is_refused_for_pictures(pictures: Path) -> None:
    args = ["evaluate", "cyclegan-mnist-mnistm", "--data", str(pictures), "--metrics", "length"]
    with pytest.raises(UsageError) as caught:
        CliRunner().invoke(cli.cli, args, catch_exceptions=False)
    assert caught.value.asked == 'metric "length"'


def test_an_extractor_of_pictures_is_refused_for_speech(voices: Path) -> None:
    args = ["evaluate", "cyclegan-vc-fsdd", "--data", str(voices), "--extractor", "moments"]
    with pytest.raises(UsageError) as caught:
        CliRunner().invoke(cli.cli, args, catch_exceptions=False)
    assert caught.value.asked == "extractor moments"
