"""Third-party packages, good and bad, installed by pip into an environment of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

pytestmark = pytest.mark.slow

PACKAGES = Path(__file__).parent / "third_party"
BAD = {
    "broken": "No module named 'a_package_that_nobody_has'",
    "misspelt": "zoo_component",
    "second": "brought by both zoo-cyclegan and zoo-second",
}
Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Environment:
    """A virtual environment that also sees what is installed in this one."""

    python: Path

    def run(self, *command: str | Path, ok: bool = True, **variables: str) -> Done:
        """Runs Python in it."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("ZOO_", "PIP_"))}
        done = subprocess.run(
            [self.python, *map(str, command)],
            env=kept | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"} | variables,
            cwd=self.python.parents[2],
            capture_output=True,
            text=True,
            check=False,
        )
        assert not ok or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done

    def zoo(self, *args: str | Path, ok: bool = True, **variables: str) -> Done:
        """Runs the command line in it."""
        return self.run("-m", "zoo_core", *args, ok=ok, **variables)

    def install(self, *packages: Path) -> None:
        """Installs packages from their folders, offline."""
        offline = ("--no-index", "--no-deps", "--no-build-isolation")
        self.run("-m", "pip", "--disable-pip-version-check", "install", *offline, *packages)

    def methods(self, **variables: str) -> dict[str, str]:
        """The listed methods, with the distribution of each."""
        listed = self.zoo("list", "--methods", "--json", **variables).stdout
        return {row["name"]: row["plugin"] for row in json.loads(listed)}


def environment(folder: Path) -> Environment:
    venv.create(folder / "venv", with_pip=True, symlinks=True)
    made = Environment(folder / "venv" / "bin" / "python")
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    # An import line, since plain paths in a .pth file would not process the .pth files there,
    # by which the packages of the workspace are installed editable.
    line = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    Path(made.run("-c", code).stdout.strip(), "parent.pth").write_text(line)
    return made


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the sixty-line package and one that ``zoo new`` wrote."""
    folder = tmp_path_factory.mktemp("good")
    made = environment(folder)
    made.zoo("new", "sketch-gan", "--dir", folder / "mine")
    made.install(PACKAGES / "zoo-tiny", folder / "mine" / "zoo-sketch-gan")
    return made


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with all the bad packages, and the good one until a test uninstalls it."""
    made = environment(tmp_path_factory.mktemp("bad"))
    made.install(*(PACKAGES / f"zoo-{name}" for name in ("tiny", *BAD)))
    return made


def pictures(folder: Path, shade: int) -> Path:
    folder.mkdir()
    for number in range(4):
        Image.effect_noise((32, 32), shade + number).convert("RGB").save(folder / f"{number}.png")
    return folder


def test_the_package_has_some_sixty_lines() -> None:
    files = [
        path for path in (PACKAGES / "zoo-tiny").rglob("*.*") if path.suffix in {".py", ".toml"}
    ]
    assert len(files) == 3
    lines = [line for path in files for line in path.read_text().splitlines()]
    assert len(lines) <= 66
    assert max(map(len, lines)) <= 100


def test_installed_packages_are_listed(good: Environment) -> None:
    methods = good.methods()
    assert methods["tiny"] == "zoo-tiny"
    assert methods["sketch-gan"] == "zoo-sketch-gan"
    assert "zoo-tiny 0.1.0" in good.zoo("plugins").stdout


def test_an_installed_package_trains_and_translates(good: Environment, tmp_path: Path) -> None:
    a, b = pictures(tmp_path / "a", 20), pictures(tmp_path / "b", 90)
    run, out = tmp_path / "run", tmp_path / "out"
    domains = ("--domain", f"a={a}", "--domain", f"b={b}")
    good.zoo("train", "tiny", *domains, "--steps", "2", "--batch", "2", "--out", run)
    good.zoo("translate", run, a / "0.png", "--to", "b", "--out", out)
    outputs = list(out.rglob("*.png"))
    assert len(outputs) == 1
    with Image.open(outputs[0]) as picture:
        assert picture.size == (32, 32)


def test_an_installed_package_passes_the_check(good: Environment) -> None:
    good.zoo("check", "tiny")


def test_the_tests_of_a_new_package_pass(good: Environment) -> None:
    folder = good.python.parents[2] / "mine" / "zoo-sketch-gan"
    done = good.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", folder, folder)
    assert " passed" in done.stdout
    assert "failed" not in done.stdout


def test_an_uninstalled_package_is_gone(bad: Environment) -> None:
    assert "tiny" in bad.methods()
    bad.run("-m", "pip", "--disable-pip-version-check", "uninstall", "--yes", "zoo-tiny")
    assert "tiny" not in bad.methods()


def test_bad_packages_leave_the_catalogue_whole(bad: Environment) -> None:
    methods = bad.methods()
    assert methods["cyclegan"] == "zoo-cyclegan"
    assert methods["stargan"] == "zoo-stargan"
    assert bad.zoo("list").returncode == 0


@pytest.mark.parametrize("name", BAD)
def test_a_bad_package_is_reported_by_name(name: str, bad: Environment) -> None:
    listed = bad.zoo("list", "--json").stderr
    line = next(line for line in listed.splitlines() if f"zoo-{name}" in line)
    assert line.startswith(f"zoo: plugin {name} (zoo-{name} 0.1.0) is skipped: ")
    assert BAD[name] in line
    rows = json.loads(bad.zoo("plugins", "--json").stdout)
    assert BAD[name] in next(row["problem"] for row in rows if row["name"] == name)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_package_is_an_error_in_strict_mode(name: str, bad: Environment) -> None:
    strict = bad.zoo("list", ok=False, ZOO_STRICT="1", ZOO_PLUGINS=f"cyclegan,{name}")
    assert strict.returncode == 1
    assert f"plugin {name} (zoo-{name} 0.1.0): " in strict.stderr
    assert BAD[name] in strict.stderr
    assert "Traceback" not in strict.stderr


def test_only_the_plugins_that_are_asked_for_are_loaded(bad: Environment) -> None:
    assert bad.methods(ZOO_PLUGINS="stargan") == {"stargan": "zoo-stargan"}
    assert bad.zoo("list", ZOO_PLUGINS="stargan", ZOO_STRICT="1").stderr == ""
