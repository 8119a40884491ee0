"""Models that are not on this machine come through a component of kind model-source, or not."""

import hashlib
from pathlib import Path
from typing import ClassVar

import pytest

from zoo_core.catalogue.registry import Model, Registry
from zoo_core.contracts.component import Component
from zoo_core.contracts.model_source import FirstSeen, ModelSource
from zoo_core.errors import HubUnreachableError, PluginError, UsageError
from zoo_core.host.isolation import Plugin
from zoo_core.models.modeldir import find_model, model_source
from zoo_testing.hosts import InMemoryPlugin, host_with

ABSENT = {"repo": "someone/something", "revision": "0" * 40, "sha256": "0" * 64}


class Shelf(ModelSource):
    """Brings the files that a test puts on it, and notes what it was asked."""

    held: ClassVar[dict[str, Path]] = {}
    asked: ClassVar[list[object]] = []

    def recognises(self, reference):
        return reference.startswith("shelf/")

    def directory(self, reference):
        self.asked.append(reference)
        return self.held[reference]

    def file(self, reference, *, asked):
        return self.held[reference]

    def weights(self, weights, *, asked):
        self.asked.append(weights)
        if weights["repo"] not in self.held:
            raise HubUnreachableError("there is no network", asked=asked, hint="Check it.")
        return self.held[weights["repo"]] / weights["file"]

    def known(self, weights):
        return None, FirstSeen("0" * 64, 4)


@pytest.fixture
def shelf(monkeypatch):
    monkeypatch.setattr(Shelf, "held", {})
    monkeypatch.setattr(Shelf, "asked", [])
    source = Component("model-source", "hub", f"{__name__}:Shelf", "A shelf")
    return host_with(InMemoryPlugin("shelf", [source]))


@pytest.fixture
def without():
    """A host of the core and pictures alone."""
    return host_with()


def model(folder: Path, name: str, **weights: object) -> Model:
    data = {"id": name, "task": "t", "weights": {"file": "model.safetensors", **weights}}
    return Model(data, "zoo-tiny", folder / "registry.yaml")


def embedded(folder: Path, name: str) -> Model:
    path = folder / name / "model.safetensors"
    path.parent.mkdir()
    path.write_bytes(b"1234")
    facts = {"sha256": hashlib.sha256(b"1234").hexdigest(), "bytes": 4}
    return model(folder, name, source="embedded", path=f"{name}/{path.name}", **facts)


def test_weights_of_an_entry_come_from_the_source(tmp_path, shelf):
    Shelf.held["someone/something"] = tmp_path
    far = model(tmp_path, "far", source="hub", **ABSENT)
    assert find_model("far", Registry({"far": far}), shelf) == tmp_path
    assert Shelf.asked[0]["sha256"] == "0" * 64


def test_an_embedded_model_asks_no_source(tmp_path, shelf):
    near = embedded(tmp_path, "near")
    assert find_model("near", Registry({"near": near}), shelf) == tmp_path / "near"
    assert Shelf.asked == []


def test_a_reference_goes_to_the_source_that_recognises_it(tmp_path, shelf):
    Shelf.held["shelf/one"] = tmp_path
    assert find_model("shelf/one", Registry({}), shelf) == tmp_path


def test_a_directory_goes_before_a_reference(tmp_path, shelf, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shelf" / "one").mkdir(parents=True)
    assert find_model("shelf/one", Registry({}), shelf) == Path("shelf/one")
    assert Shelf.asked == []


def test_a_source_that_is_not_reached_names_what_works_offline(tmp_path, shelf):
    far, near = model(tmp_path, "far", source="hub", **ABSENT), embedded(tmp_path, "near")
    with pytest.raises(HubUnreachableError) as caught:
        find_model("far", Registry({"far": far, "near": near}), shelf)
    assert caught.value.problem == "there is no network"
    assert str(caught.value.hint).endswith("offline: near.")


def test_of_many_models_that_work_offline_the_nearest_are_named(tmp_path, shelf):
    models = {f"near-{i}": embedded(tmp_path, f"near-{i}") for i in range(9)}
    models["far-9"] = model(tmp_path, "far-9", source="hub", **ABSENT)
    models["far-8"] = embedded(tmp_path, "far-8")
    with pytest.raises(HubUnreachableError) as caught:
        find_model("far-9", Registry(models), shelf)
    named = str(caught.value.hint).partition("offline: ")[2]
    assert named.startswith("far-8, ")
    assert named.endswith(" and others (zoo list).")
    assert named.count("near-") == 5


def test_without_a_source_an_entry_names_the_package_that_fetches_it(tmp_path, without):
    far = model(tmp_path, "far", source="hub", **ABSENT)
    with pytest.raises(PluginError) as caught:
        find_model("far", Registry({"far": far}), without)
    assert caught.value.asked == 'model "far"'
    assert "pip install zoo-hub" in str(caught.value.hint)


def test_without_a_source_a_reference_names_the_package_that_fetches_it(without):
    with pytest.raises(UsageError) as caught:
        find_model("some/where", Registry({}), without)
    assert "pip install zoo-hub" in str(caught.value.hint)


def test_without_a_source_the_catalogue_says_what_is_lacking(tmp_path):
    registry = tmp_path / "registry.yaml"
    registry.write_text(
        "models: [{id: far, task: t, weights: {source: hub, repo: a/b, file: G.pth}}]"
    )
    host = host_with(InMemoryPlugin("shelf", [], [registry]))
    found = Registry.load(host).models["far"]
    assert not found.installed
    assert found.lacks == "zoo-hub"
    assert "pip install zoo-hub" in str(found.unavailable_reason)


def test_a_source_that_is_broken_is_not_to_be_installed_again(monkeypatch, without):
    broken = Plugin("hub", "zoo-hub", "1.0", "it is broken")
    monkeypatch.setattr(without, "_plugins", [*without.plugins, broken])
    with pytest.raises(PluginError) as caught:
        model_source("x", host=without)
    assert "zoo plugins" in str(caught.value.hint)


def test_a_source_of_another_name_names_its_package(without):
    with pytest.raises(PluginError) as caught:
        model_source("x", "attic", without)
    assert "pip install zoo-attic" in str(caught.value.hint)
