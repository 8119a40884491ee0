"""`zoo info` of directories."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from zoo_core.catalogue.registry import Registry
from zoo_core.cli import run
from zoo_core.host.plugins import host


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A run with its last model."""
    model = Registry.load(host()).get("stargan-emoji-64")
    assert model.embedded is not None
    shutil.copytree(model.embedded.parent, tmp_path / "run" / "model")
    return tmp_path / "run"


@pytest.mark.parametrize("name", ["", "model"])
def test_info_of_a_run_or_a_model_directory_says_how_it_was_trained(
    name: str, directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["info", str(directory / name)]) == 0
    shown = capsys.readouterr().out
    for text in ("noto, openmoji, twemoji", "3×64×64", "steps=4000", "noto: 1,413 pictures"):
        assert text in shown


def test_info_of_a_directory_as_json_is_its_configuration(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["info", str(directory), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["directory"] == str(directory / "model")
    assert shown["config"]["training"]["steps"] == 4000


def test_info_of_a_directory_that_holds_no_model_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["info", str(tmp_path)]) != 0
    assert str(tmp_path) in capsys.readouterr().err
