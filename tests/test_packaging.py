"""Every distribution of the workspace builds offline, alone, with all that it needs inside."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from zoo_core.catalogue.description import read_entries
from zoo_core.catalogue.registry import Registry, index_path, read_index
from zoo_core.host.plugins import host
from zoo_publish.workspace import stale

ROOT = Path(__file__).parents[1]
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
PROJECTS = [ROOT / "zoo_core", *PLUGINS]


@pytest.fixture(scope="module", params=PROJECTS, ids=lambda project: project.name)
def wheel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of one project, built by way of its source distribution."""
    out = tmp_path_factory.mktemp(request.param.name)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, request.param]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


def test_a_wheel_holds_its_whole_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    project = next(p for p in PROJECTS if p.name.replace("-", "_") == wheel.name.split("-")[0])
    for package in (path for path in (project / "src").iterdir() if path.is_dir()):
        expected = {
            path.relative_to(project / "src").as_posix()
            for path in package.rglob("*")
            if path.is_file() and not {"__pycache__", "templates"} & set(path.parts)
        }
        assert f"{package.name}/py.typed" in names
        assert expected <= names
    assert not [
        name
        for name in names
        if "__pycache__" in name or ("/tests/" in name and "templates" not in name)
    ]


def test_a_wheel_works_without_the_workspace(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    packages = {path.name for path in (tmp_path / "site").iterdir() if path.suffix != ".dist-info"}

    def run(*args: str) -> str:
        code = (
            f"import importlib, sys; names = {sorted(packages)!r}\n"
            "files = [importlib.import_module(name).__file__ for name in names]\n"
            f"assert all(file.startswith({str(tmp_path)!r}) for file in files), files\n"
            f"from zoo_core.cli import run; sys.exit(run({list(args)!r}))"
        )
        environment = os.environ | {"PYTHONPATH": str(tmp_path / "site"), "ZOO_STRICT": "1"}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    methods = {row["name"]: row["plugin"] for row in json.loads(run("list", "--methods", "--json"))}
    assert {"cyclegan", "stargan"} <= set(methods)
    assert isinstance(json.loads(run("list", "--json")), list)
    if "zoo_core" in packages:
        run("new", "my-own", "--dir", str(tmp_path / "new"))
        assert (tmp_path / "new" / "zoo-my-own" / "src" / "zoo_my_own" / "plugin.py").is_file()


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_a_registry_names_files_that_are_there(plugin: Path) -> None:
    for path in plugin.glob("src/*/registry.yaml"):
        for entry in read_entries(path):
            if entry.weights.repo is not None:
                continue  # a release may leave these weights to the Hub
            if entry.weights.path is not None:
                directory = (path.parent / entry.weights.path).parent
                there = {file.name for file in directory.iterdir()}
                assert {"model.safetensors", "config.yaml", "README.md"} <= there


def test_the_index_of_all_models_is_up_to_date() -> None:
    assert stale(ROOT) == []
    rows = read_index(index_path())
    with_models = {plugin.name for plugin in PLUGINS if any(plugin.glob("src/*/registry.yaml"))}
    assert {row["distribution"] for row in rows} == with_models
    assert {row["id"] for row in rows} <= set(Registry.load(host()).models)
    assert all(row["config"]["method"] in host().methods() for row in rows)


def test_every_plugin_is_a_part_of_the_workspace() -> None:
    root = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = {"zoo-core"} | {plugin.name for plugin in PLUGINS}
    assert names == set(root["tool"]["uv"]["sources"])
    references = [text for text in root["project"]["dependencies"] if "{root:uri}" in text]
    assert {re.split(r"[\[ ]", text)[0] for text in references} == names


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_every_dependency_has_bounds(project: Path) -> None:
    data = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    assert data["requires-python"] == ">=3.11,<3.14"
    assert data["license"] == "Apache-2.0"
    for dependency in data["dependencies"]:
        assert re.fullmatch(r"[a-z-]+(\[[a-z,]+\])?>=[\d.]+(post\d+)?,<[\d.]+", dependency), (
            dependency
        )
