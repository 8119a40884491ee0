"""The least that makes pictures: the core, its networks, pictures and one method."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
EMOJI = ROOT / "examples" / "emoji"
LEAST = {"zoo-core", "zoo-nn", "zoo-images", "zoo-stargan"}
ABSENT = {
    "evaluate": "zoo-evaluate",
    "export": "zoo-export",
    "options": "zoo-runs",
    "ui": "zoo-ui",
    "audit": "zoo-evaluate",
    "judge": "zoo-evaluate",
    "bench": "zoo-evaluate",
    "import": "zoo-import",
    "publish": "zoo-publish",
    "verify": "zoo-hub",
    "registry": "zoo-publish",
    "new": "zoo-testing",
    "check": "zoo-testing",
}

pytestmark = pytest.mark.slow


def isolated() -> ModuleType:
    """The script that makes environments of what distributions declare."""
    spec = importlib.util.spec_from_file_location("isolated", ROOT / ".ci" / "isolated.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the least, and what that needs."""
    tool, folder = isolated(), tmp_path_factory.mktemp("least")
    projects = [path for path in tool.PROJECTS if path.name.replace("_", "-") in LEAST]
    built = [tool.build(project, folder) for project in projects]
    wheels = {name: wheel for name, wheel, _ in built}
    ours = {name: requires for name, _, requires in built}
    assert set(wheels) == LEAST
    held = set().union(*(tool.needed(name, frozenset(), ours) for name in LEAST))
    assert {name for name in held if name.startswith("zoo-")} == LEAST
    return Path(tool.environment(folder / "env", held, wheels))


def run(python: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "ZOO_"))}
    return subprocess.run(
        [python, *arguments],
        env=kept | {"OMP_NUM_THREADS": "1", "ZOO_STRICT": "1"},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_only_others_need_is_absent(python: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from importlib.util import find_spec\n"
        "print([name for name in sys.argv[1:] if find_spec(name)])"
    )
    others = ("timm", "torchmetrics", "tensorboard", "pytest", "huggingface_hub", "httpx")
    done = run(python, "-c", code, *others, cwd=tmp_path)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("name", ["stargan-celeba", "some/where"])
def test_a_model_of_the_hub_names_the_package_that_fetches_it(
    name: str, python: Path, tmp_path: Path
) -> None:
    code = "import sys, zoo; zoo.load(sys.argv[1])"
    done = run(python, "-c", code, name, cwd=tmp_path)
    assert "pip install zoo-hub" in done.stderr.splitlines()[-1]


def test_it_lists_and_translates(python: Path, tmp_path: Path) -> None:
    listed = run(python, "-m", "zoo_core", "list", "--json", cwd=tmp_path)
    assert "stargan-emoji" in {row["id"] for row in json.loads(listed.stdout)}
    picture = str(EMOJI / "noto" / "1f337.png")
    done = run(python, "-m", "zoo_core", "translate", "stargan-emoji", picture, "--to", "twemoji",
               cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "translated").glob("*.png"))) == 1


def test_it_trains_and_uses_what_it_trained(python: Path, tmp_path: Path) -> None:
    domains = [f"--domain={name}={EMOJI / name}" for name in ("noto", "twemoji")]
    trained = run(python, "-m", "zoo_core", "train", "stargan", "--preset", "32px", *domains,
                  "--steps", "2", "--batch", "2", "--out", "run", cwd=tmp_path)  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    code = "import sys, zoo; zoo.load('run', precision='float32')(sys.argv[1], to='noto')"
    done = run(python, "-c", code, str(EMOJI / "twemoji" / "1f33b.png"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("command", "distribution"), ABSENT.items())
def test_an_absent_command_names_its_package(
    command: str, distribution: str, python: Path, tmp_path: Path
) -> None:
    done = run(python, "-m", "zoo_core", command, cwd=tmp_path)
    assert done.returncode == 2
    assert f"pip install {distribution}" in done.stderr
    assert "Traceback" not in done.stderr
