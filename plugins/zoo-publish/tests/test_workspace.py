"""The index of a workspace's models is built from its registries, and says when it is stale."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from zoo_core.catalogue.description import parse_entry
from zoo_core.catalogue.registry import read_index
from zoo_core.cli import run
from zoo_core.errors import PluginError, UsageError
from zoo_core.schema import write_yaml
from zoo_publish.workspace import indexed_files, stale, values_of

FACTS = {"sha256": "ab" * 32, "bytes": 2_000_000}


def entry(name: str) -> dict[str, Any]:
    """An entry of weights in a foreign format, which says itself what the model is."""
    config = {"method": "painter", "domains": {"names": ["mnist", "usps"]}}
    weights = {"source": "embedded", "path": "weights/w", "format": "of-others", **FACTS}
    return {"id": name, "task": "digits", "config": config, "weights": weights}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A repository with one plugin that has two models."""
    core = tmp_path / "zoo_core" / "src" / "zoo_core"
    package = tmp_path / "plugins" / "zoo-one" / "src" / "zoo_one"
    for folder in (core, package):
        folder.mkdir(parents=True)
    (package.parents[1] / "pyproject.toml").write_text('[project]\nname = "zoo-one"\n')
    models = [entry("painter-b"), entry("painter-a")]
    (package / "registry.yaml").write_text(write_yaml({"models": models}))
    return tmp_path


def test_an_entry_is_written_as_it_was_read() -> None:
    values = entry("painter-a")
    assert values_of(parse_entry(values, "registry x")) == values


def build(root: Path) -> None:
    for path, text in indexed_files(root).items():
        path.write_text(text)


def test_the_index_is_built_sorted_and_becomes_stale_with_a_registry(workspace: Path) -> None:
    assert len(stale(workspace)) == 3  # both copies of the index, and the list of commands
    build(workspace)
    assert stale(workspace) == []
    rows = read_index(workspace / "zoo_core" / "src" / "zoo_core" / "index.json")
    assert [(row["id"], row["distribution"]) for row in rows] == [
        ("painter-a", "zoo-one"),
        ("painter-b", "zoo-one"),
    ]
    registry = workspace / "plugins" / "zoo-one" / "src" / "zoo_one" / "registry.yaml"
    registry.write_text(write_yaml({"models": [entry("painter-c")]}))
    assert len(stale(workspace)) == 2
    build(workspace)
    assert stale(workspace) == []


def test_the_index_holds_the_configuration_of_each_directory_and_keeps_it_without_the_directory(
    workspace: Path,
) -> None:
    package = workspace / "plugins" / "zoo-one" / "src" / "zoo_one"
    weights = {"source": "embedded", "path": "weights/a/model.safetensors", **FACTS}
    native = {"id": "painter-a", "task": "digits", "weights": weights}
    (package / "registry.yaml").write_text(write_yaml({"models": [native]}))
    (package / "weights" / "a").mkdir(parents=True)
    config = {"method": "painter", "domains": {"names": ["here"]}}
    (package / "weights" / "a" / "config.yaml").write_text(write_yaml(config))
    for _ in range(2):
        build(workspace)
        rows = read_index(workspace / "zoo_core" / "src" / "zoo_core" / "index.json")
        assert rows[0]["config"]["domains"]["names"] == ["here"]
        shutil.rmtree(package / "weights", ignore_errors=True)


def test_an_index_has_the_same_text_every_time(workspace: Path) -> None:
    assert indexed_files(workspace) == indexed_files(workspace)


def test_one_id_in_two_plugins_of_a_workspace_names_both(workspace: Path) -> None:
    other = workspace / "plugins" / "zoo-two" / "src" / "zoo_two"
    other.mkdir(parents=True)
    (other.parents[1] / "pyproject.toml").write_text('[project]\nname = "zoo-two"\n')
    (other / "registry.yaml").write_text(write_yaml({"models": [entry("painter-a")]}))
    with pytest.raises(PluginError) as caught:
        indexed_files(workspace)
    assert "zoo_one" in str(caught.value)
    assert "zoo_two" in str(caught.value)


def test_a_folder_that_is_no_workspace_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        indexed_files(tmp_path)
    assert "not the workspace" in caught.value.problem


def test_a_stale_index_fails_the_check_until_it_is_built(
    workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = str(workspace)
    assert run(["registry", "check", "--root", root]) == 1
    assert "zoo registry build" in capfd.readouterr().err
    assert run(["registry", "build", "--root", root]) == 0
    assert run(["registry", "check", "--root", root]) == 0


def test_a_registry_with_an_unknown_key_fails_the_check(
    workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    registry = workspace / "plugins" / "zoo-one" / "src" / "zoo_one" / "registry.yaml"
    registry.write_text(write_yaml({"models": [entry("painter-a") | {"licens": {}}]}))
    assert run(["registry", "check", "--root", str(workspace)]) == 1
    shown = capfd.readouterr().err
    assert 'unknown key "licens" (did you mean "licence"?)' in shown
    assert str(registry) in shown
