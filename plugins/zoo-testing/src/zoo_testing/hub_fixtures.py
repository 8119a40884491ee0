"""Fixtures for tests of loading and publishing: a local Hub, a small model, plugins with models."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from zoo_core.schema import write_yaml
from zoo_testing.hub_server import HubServer

Entries = Callable[..., None]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A self-hosted Hub that this process and its children use, with an empty cache and no token.

    huggingface_hub reads its environment when it is imported, so what it has read is set as well.
    """
    import huggingface_hub
    from huggingface_hub import constants

    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "hf"
    with HubServer() as server:
        for name, value in {
            "HF_ENDPOINT": server.url,
            "HF_HOME": str(home),
            "HF_HUB_CACHE": str(home / "hub"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "ZOO_CACHE": str(tmp_path / "cache"),
        }.items():
            monkeypatch.setenv(name, value)
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        for name, value in {
            "ENDPOINT": server.url,
            "HUGGINGFACE_CO_URL_TEMPLATE": template,
            "HF_HUB_OFFLINE": False,
            "HF_HUB_DISABLE_XET": True,
            "HF_HUB_DISABLE_TELEMETRY": True,
            "HF_HUB_CACHE": str(home / "hub"),
            "HF_TOKEN_PATH": str(home / "token"),
        }.items():
            monkeypatch.setattr(constants, name, value)
        huggingface_hub.close_session()
        yield server
        huggingface_hub.close_session()


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory of a small CycleGAN between the domains a and b, with random weights."""
    import torch

    from zoo_core.catalogue.description import ModelConfig
    from zoo_core.contracts.signals import Batch, Condition, Domains, TensorSpec
    from zoo_core.models.modeldir import build_method
    from zoo_train.card import Card
    from zoo_train.writing import write_model

    options = {"width": 8, "blocks": 1, "critic_layers": 1, "critic_width": 8}
    config = ModelConfig("cyclegan", options, Domains(("a", "b")), TensorSpec(shape=(3, 32, 32)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        method = build_method(config)
        signals = {name: torch.rand(2, 3, 32, 32) * 2 - 1 for name in "ab"}
    own = {name: Condition.of(config.domains, name, 2) for name in "ab"}
    folder = tmp_path_factory.mktemp("small") / "model"
    write_model(folder, method, config, card=Card("small"), sample_batch=Batch(signals, own))
    return folder


@pytest.fixture
def small_entry() -> Callable[..., dict[str, Any]]:
    """Makes a registry entry of the small model; its weights as given."""

    def make(name: str, **weights: object) -> dict[str, Any]:
        return {
            "id": name,
            "task": "test",
            "weights": {"source": "hub", "file": "model.safetensors", **weights},
        }

    return make


@pytest.fixture
def install_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Entries]:
    """Installs a plugin that brings registry entries, for this process and its children."""
    from zoo_core.host.plugins import host

    site = tmp_path / "site"
    facts = site / "zoo_shelf-1.0.dist-info"

    def install(*entries: Mapping[str, Any]) -> None:
        facts.mkdir(parents=True, exist_ok=True)
        (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: zoo-shelf\nVersion: 1.0\n")
        (facts / "entry_points.txt").write_text("[zoo]\nshelf = zoo_shelf\n")
        (site / "zoo_shelf.py").write_text(
            "from pathlib import Path\n"
            "from zoo_core.host.hookspecs import hookimpl\n\n\n"
            "@hookimpl\n"
            "def zoo_models():\n"
            "    return [Path(__file__).with_name('registry.yaml')]\n"
        )
        (site / "registry.yaml").write_text(write_yaml({"models": [dict(e) for e in entries]}))
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.setenv("PYTHONPATH", str(site))
        sys.modules.pop("zoo_shelf", None)
        host.cache_clear()

    yield install
    sys.modules.pop("zoo_shelf", None)
    host.cache_clear()
