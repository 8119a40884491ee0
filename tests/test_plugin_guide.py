"""The examples of docs/plugins.md are one package from outside, of which each part is used."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zoo_core.host.plugins import host

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python zoo-outside/(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LONGEST = 20
"""Lines of an example at most."""


def examples() -> list[tuple[str, str]]:
    """File and text of each example."""
    return BLOCK.findall((ROOT / "docs" / "plugins.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the package is installed."""
    folder = tmp_path_factory.mktemp("site")
    facts = folder / "zoo_outside-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: zoo-outside\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[zoo]\noutside = zoo_outside\n")
    for name, text in examples():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two folders of small pictures."""
    rng = np.random.default_rng(0)
    for name in "ab":
        (tmp_path / name).mkdir()
        for number in range(12):
            pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    return tmp_path


def zoo(site: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the command line with the package installed; it must succeed."""
    done = subprocess.run(
        [sys.executable, "-m", "zoo_core", *arguments],
        env=os.environ | {"PYTHONPATH": str(site), "ZOO_STRICT": "1", "OMP_NUM_THREADS": "1"},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def python(site: Path, code: str) -> str:
    """What a program prints with the package installed."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(site), "ZOO_STRICT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_every_example_is_short() -> None:
    found = examples()
    assert len(found) >= 9
    for name, text in found:
        if not name.endswith("__init__.py"):  # it lists them all
            assert len(text.splitlines()) <= LONGEST, name


def test_every_kind_that_is_declared_here_is_in_the_guide() -> None:
    page = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    for kind in set(host().kinds) - {"kind"}:
        assert f"| `{kind}`" in page, f"docs/plugins.md lacks the kind {kind}"


def test_a_command_and_a_kind_of_its_own(site: Path, tmp_path: Path) -> None:
    assert zoo(site, tmp_path, "hello").stdout == "hello from outside\n"
    listed = zoo(site, tmp_path, "plugins", "--kinds").stdout
    assert "greeting" in listed


def test_a_name_of_import_zoo(site: Path) -> None:
    code = "import zoo; print(zoo.greet(), 'greet' in dir(zoo))"
    assert python(site, code) == "['hello from outside'] True"


@pytest.mark.slow
def test_loss_defence_source_events_and_runner_of_one_run(site: Path, pictures: Path) -> None:
    trained = zoo(
        site, pictures, "train", "cyclegan", "--preset", "32px", "--out", "run",
        "--domain", "a=noise:.", "--domain", "b=b", "--loss", "brightness:power=2,weight=0.5",
        "--defence", "rounding:levels=8", "--steps", "9", "--enough", "2", "--batch", "2",
        "--precision", "float32", "--set", "train.log_every=1", "--set", "train.speed=spoken",
    )  # fmt: skip
    assert "the first step moves generator, then discriminator" in trained.stdout
    assert "ended after step 2 of 9: it was enough" in trained.stdout
    assert (pictures / "run" / "counted.txt").read_text() == "2"
    large = zoo(
        site, pictures, "translate", "run/model", "a", "--to", "b", "--from", "a", "--size", "64",
        "--windows", "counted", "--max-megapixels", "0.002", "--precision", "float32",
        "--engine", "torch",
    )  # fmt: skip
    assert "windows for b" in large.stdout + large.stderr
    small = zoo(
        site, pictures, "translate", "run/model", "a/0.png", "--to", "b", "--from", "a",
        "--precision", "float32", "--engine", "told", "--out", "told.png",
    )  # fmt: skip
    assert "told to translate 1" in small.stdout
    assert "generator/brightness" in (pictures / "run" / "log" / "stats.jsonl").read_text()
    shown = zoo(
        site, pictures, "evaluate", "run/model", "--domain", "a=a", "--domain", "b=b",
        "--metrics", "change", "--precision", "float32",
    )  # fmt: skip
    assert "change" in shown.stdout


def test_an_image_format_and_its_option(site: Path, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (32, 32))
    np.savetxt(tmp_path / "x.table", values, delimiter=";")
    command = ("translate", "cyclegan-mnist-mnistm", "x.table", "--to", "mnistm")
    zoo(site, tmp_path, *command, "--comma", ";", "--range", "0,255", "--precision", "float32")
    made = np.loadtxt(tmp_path / "translated" / "x_mnistm.table", delimiter=";")
    assert made.shape == (32, 32)
    assert 0 <= made.min() < made.max() <= 255
    assert "--comma SIGN" in zoo(site, tmp_path, "translate", "--help").stdout


def test_a_runner_translates(site: Path, pictures: Path) -> None:
    done = zoo(
        site, pictures, "translate", "shallow-mnist-mnistm", "a/0.png", "--to", "mnistm",
        "--runner", "aloud:word=far", "--out", "far.png",
    )  # fmt: skip
    assert "far: shallow-mnist-mnistm" in done.stdout
    assert (pictures / "far.png").is_file()


def test_a_model_source_brings_a_model(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (embedded,) = ROOT.glob("plugins/zoo-stargan/src/zoo_stargan/weights/stargan-emoji")
    shutil.copytree(embedded, tmp_path / "shelf" / "faces")
    monkeypatch.setenv("SHELF", str(tmp_path / "shelf"))
    picture = str(ROOT / "examples" / "emoji" / "noto" / "1f337.png")
    zoo(site, tmp_path, "translate", "shelf/faces", picture, "--to", "twemoji")
    assert len(list((tmp_path / "translated").glob("*.png"))) == 1


def test_an_importer_reads_its_layout(site: Path, tmp_path: Path) -> None:
    code = (
        "from zoo_core.host.plugins import host\n"
        "importer = host().load('importer', 'tiny-old')()\n"
        "(part,) = importer.parts({'painter.conv1.weight': (16, 3, 5, 5)})\n"
        "print(part.net, part.theirs('last.bias'), importer.parts({}))"
    )
    assert python(site, code) == "to_{1} painter.conv2.bias []"


def test_a_backbone_gives_features(site: Path) -> None:
    code = (
        "import torch\n"
        "from zoo_nn.nets.backbones import open_backbone\n"
        "net = open_backbone('average')\n"
        "print(net(torch.ones(2, 3, 8, 8))['embedding'].tolist())"
    )
    assert torch.tensor(eval(python(site, code))).tolist() == [[1.0] * 3] * 2


@pytest.mark.slow
def test_extractor_architecture_and_perturbation_measure_a_model(
    site: Path, pictures: Path
) -> None:
    for name, domain in (("a", "mnist"), ("b", "mnistm")):
        (pictures / "data").mkdir(exist_ok=True)
        (pictures / name).rename(pictures / "data" / domain)
    zoo(
        site, pictures, "judge", "train", "--task", "domain", "--architecture", "colours",
        "--data", "data", "--steps", "3", "--batch", "4", "--out", "judge",
    )  # fmt: skip
    measured = zoo(
        site, pictures, "evaluate", "cyclegan-mnist-mnistm", "--data", "data", "--json",
        "--extractor", "moments", "--judge", "judge", "--metrics", "fid,domain", "--allow-few",
        "--precision", "float32",
    )  # fmt: skip
    found = json.loads(measured.stdout)
    assert found["protocol"]["extractor"]["name"] == "moments"
    assert all({"fid", "domain_accuracy"} <= set(v) for v in found["directions"].values())
    audited = zoo(
        site, pictures, "audit", "cyclegan-mnist-mnistm", "--data", "data", "--num-samples", "2",
        "--json",
    )  # fmt: skip
    assert "gap_mirror" in audited.stdout
