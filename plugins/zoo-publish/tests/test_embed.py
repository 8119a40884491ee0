"""``zoo registry add``: a trained model becomes part of a plugin, smaller and still the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from zoo_core.catalogue.description import ModelConfig, read_entries
from zoo_core.cli import run
from zoo_core.contracts.signals import Batch, Condition, Domains, TensorSpec
from zoo_core.models.modeldir import build_method, read_config
from zoo_core.models.weights import loaded, read_tensors
from zoo_core.schema import write_yaml
from zoo_core.untrusted import verify
from zoo_train.card import Card
from zoo_train.golden import check_golden
from zoo_train.writing import write_model

ABOUT = {
    "task": "digits",
    "summary": "Digits in colour and back",
    "licence": "CC-BY-4.0",
    "paper": "Zhu et al. 2017",
    "provenance": "zoo train cyclegan",
    "data": "Random numbers.",
    "metrics": [{"name": "content", "value": 0.8, "protocol": "judge", "note": "first"}],
    "seconds": 0.1,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory with random weights."""
    config = ModelConfig(
        "cyclegan",
        {"width": 8, "blocks": 1, "critic_layers": 1, "critic_width": 8},
        Domains(("a", "b")),
        TensorSpec(shape=(3, 32, 32)),
        {"scale": "own"},
    )
    torch.manual_seed(0)
    method = build_method(config)
    signals = {name: torch.rand(2, 3, 32, 32) * 2 - 1 for name in "ab"}
    own = {name: Condition.of(config.domains, name, 2) for name in "ab"}
    folder = tmp_path_factory.mktemp("run") / "model"
    write_model(folder, method, config, card=Card("x"), sample_batch=Batch(signals, own))
    return folder


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """An empty plugin in a workspace."""
    package = tmp_path / "plugins" / "zoo-cyclegan" / "src" / "zoo_cyclegan"
    for folder in (package, tmp_path / "zoo_core" / "src" / "zoo_core"):
        folder.mkdir(parents=True)
    (package / "plugin.py").write_text("")
    (package.parents[1] / "pyproject.toml").write_text('[project]\nname = "zoo-cyclegan"\n')
    (tmp_path / "about.yaml").write_text(write_yaml(ABOUT))
    return package.parents[1]


def add(
    model: Path,
    plugin: Path,
    name: str = "cyclegan-digits",
    about: str = "about.yaml",
    more: Sequence[str] = (),
) -> int:
    root = plugin.parents[1]
    where = ["--plugin", str(plugin), "--id", name, "--root", str(root)]
    return run(["registry", "add", str(model), *where, "--about", str(root / about), *more])


def test_a_model_is_added_in_half_the_bytes_with_true_figures(model: Path, plugin: Path) -> None:
    assert add(model, plugin) == 0
    package = plugin / "src" / "zoo_cyclegan"
    (entry,) = read_entries(package / "registry.yaml")
    assert (entry.id, entry.task, entry.seconds) == ("cyclegan-digits", "digits", 0.1)
    assert entry.metrics[0].note == "first"
    assert entry.licence.weights == "CC-BY-4.0"
    weights, directory = entry.weights, package / "weights" / "cyclegan-digits"
    assert package / str(weights.path) == directory / "model.safetensors"
    verify(directory / "model.safetensors", sha256=weights.sha256, size=weights.bytes)
    assert (weights.bytes or 0) < 0.6 * (model / "model.safetensors").stat().st_size
    config = read_config(directory)
    assert config == read_config(model)
    method = loaded(lambda: build_method(config), directory / "model.safetensors")
    assert check_golden(method, directory) < 1e-5
    card = (package / "weights" / "cyclegan-digits" / "README.md").read_text()
    assert "# cyclegan-digits" in card
    assert "Digits in colour and back" in card
    assert not (package / "weights" / "cyclegan-digits" / "training.safetensors").exists()


def test_a_model_that_float16_changes_is_refused_and_kept_in_float32(
    model: Path, plugin: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("zoo_publish.embed.TOLERANCE", 1e-9)
    assert add(model, plugin) != 0
    assert "Add --float32" in capsys.readouterr().err
    package = plugin / "src" / "zoo_cyclegan"
    assert not (package / "weights" / "cyclegan-digits").exists()
    monkeypatch.setattr("zoo_publish.embed.TOLERANCE", 1e-5)
    assert add(model, plugin, more=("--float32",)) == 0
    stored = package / "weights" / "cyclegan-digits" / "model.safetensors"
    before, after = (read_tensors(path)[0] for path in (model / "model.safetensors", stored))
    assert after
    assert all(torch.equal(value, before[key]) for key, value in after.items())


def test_adding_again_replaces_and_the_index_follows(model: Path, plugin: Path) -> None:
    for name in ("cyclegan-digits", "cyclegan-again", "cyclegan-digits"):
        assert add(model, plugin, name) == 0
    entries = read_entries(plugin / "src" / "zoo_cyclegan" / "registry.yaml")
    assert [entry.id for entry in entries] == ["cyclegan-again", "cyclegan-digits"]
    root = plugin.parents[1]
    assert run(["registry", "check", "--root", str(root)]) == 0
    assert "cyclegan-again" in (root / "registry.yaml").read_text()


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({**ABOUT, "licens": "x"}, '(did you mean "card.licence"?)'),
        ({k: v for k, v in ABOUT.items() if k != "task"}, '"task" is missing'),
        ({**ABOUT, "metrics": [{"nam": "x"}]}, 'unknown key "card.metrics.nam"'),
        ({**ABOUT, "metrics": [3]}, "card.metrics.0"),
        ({**ABOUT, "metrics": 3}, "card.metrics"),
        ({**ABOUT, "seconds": "long"}, '"seconds"'),
        (
            {**ABOUT, "metrics": [{"name": "x", "value": "much", "protocol": "p"}]},
            "card.metrics.0.value",
        ),
    ],
)
def test_a_wrong_about_file_adds_nothing(
    about: dict[str, object], expected: str, model: Path, plugin: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (plugin.parents[1] / "about.yaml").write_text(json.dumps(about))
    assert add(model, plugin) in (1, 2)
    assert expected in capsys.readouterr().err
    assert not (plugin / "src" / "zoo_cyclegan" / "registry.yaml").exists()
    assert not list((plugin / "src" / "zoo_cyclegan" / "weights").glob("*"))


def test_a_folder_that_is_no_plugin_is_refused(
    model: Path, plugin: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (plugin / "src" / "zoo_cyclegan" / "plugin.py").unlink()
    assert add(model, plugin) == 2
    assert "0 packages with a plugin.py" in capsys.readouterr().err
