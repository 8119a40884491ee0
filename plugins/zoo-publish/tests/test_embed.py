"""``zoo registry add``: a trained model becomes part of a plugin, smaller and still the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from zoo_core.catalogue.manifest import parse_file
from zoo_core.cli import run
from zoo_core.contracts.signals import Batch, Condition, Domains, TensorSpec
from zoo_core.files import verify
from zoo_core.models.card import Card
from zoo_core.models.config import ModelConfig
from zoo_core.models.golden import check_golden
from zoo_core.models.modeldir import build_method, load_weights, write_model
from zoo_core.schema import write_yaml

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
        {"background": "white"},
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


def add(model: Path, plugin: Path, name: str = "cyclegan-digits", about: str = "about.yaml") -> int:
    root = plugin.parents[1]
    where = ["--plugin", str(plugin), "--id", name, "--root", str(root)]
    return run(["registry", "add", str(model), *where, "--about", str(root / about)])


def test_a_model_is_added_in_half_the_bytes_with_true_figures(model: Path, plugin: Path) -> None:
    assert add(model, plugin) == 0
    package = plugin / "src" / "zoo_cyclegan"
    (entry,) = parse_file(package / "registry.yaml")
    assert (entry.id, entry.task, entry.seconds) == ("cyclegan-digits", "digits", 0.1)
    assert entry.metrics[0].note == "first"
    assert entry.licence.weights == "CC-BY-4.0"
    assert entry.preprocessing == {"background": "white"}
    assert entry.golden is not None
    for file in (entry.weights, entry.golden):
        verify(package / str(file.path), sha256=file.sha256, size=file.bytes)
    assert (entry.weights.bytes or 0) < 0.6 * (model / "model.safetensors").stat().st_size

    config = ModelConfig(
        entry.method, dict(entry.options), entry.domains.domains, entry.signal.spec
    )
    method = build_method(config)
    load_weights(method, package / str(entry.weights.path))
    assert check_golden(method, package / entry.golden.path) < 1e-5
    counts = {name: sum(p.numel() for p in method.nets[name].parameters()) for name in entry.nets}
    assert counts == entry.nets
    card = (package / "weights" / "cyclegan-digits" / "README.md").read_text()
    assert "# cyclegan-digits" in card
    assert "Digits in colour and back" in card
    assert not (package / "weights" / "cyclegan-digits" / "training.safetensors").exists()


def test_adding_again_replaces_and_the_index_follows(model: Path, plugin: Path) -> None:
    for name in ("cyclegan-digits", "cyclegan-again", "cyclegan-digits"):
        assert add(model, plugin, name) == 0
    entries = parse_file(plugin / "src" / "zoo_cyclegan" / "registry.yaml")
    assert [entry.id for entry in entries] == ["cyclegan-again", "cyclegan-digits"]
    root = plugin.parents[1]
    assert run(["registry", "check", "--root", str(root)]) == 0
    assert "cyclegan-again" in (root / "registry.yaml").read_text()


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({**ABOUT, "licens": "x"}, 'Did you mean "licence"'),
        ({k: v for k, v in ABOUT.items() if k != "task"}, '"task" is missing'),
        ({**ABOUT, "metrics": [{"nam": "x"}]}, 'unknown key "nam"'),
        ({**ABOUT, "metrics": [3]}, "valid dictionary"),
        ({**ABOUT, "metrics": 3}, "not a list"),
        ({**ABOUT, "seconds": "long"}, '"seconds"'),
        (
            {**ABOUT, "metrics": [{"name": "x", "value": "much", "protocol": "p"}]},
            '"value"',
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
