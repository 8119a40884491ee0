"""Engines: what computes in torch's place, and what has to hold before it may."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import zoo
from zoo_core.catalogue.description import ModelConfig
from zoo_core.contracts.component import Component
from zoo_core.errors import UsageError, ZooError
from zoo_core.host.plugins import PluginHost
from zoo_core.translate.engines import NetEngine, Route
from zoo_testing.hosts import InMemoryPlugin, host_with
from zoo_testing.tiny import CODE_SPEC, SPEC


class Near(NetEngine):
    """As torch, and one thousandth beside it."""

    beside = 1e-3

    def __init__(self, *given: object) -> None:
        super().__init__(*given)
        self.calls, self.kept = 0, False

    def is_ready(self, route: Route) -> bool:
        return self.kept

    def translate(self, x: Tensor, source: object, target: object) -> Tensor:
        self.calls += 1
        return self.model.plain.translate(x, source, target) + self.beside

    def keep(self) -> None:
        self.kept = True


class Far(Near):
    """A tenth beside torch."""

    beside = 0.1


class Single(Near):
    """In float32 only, and equal to torch."""

    precisions = ("float32",)
    beside = 0.0


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> PluginHost:
    """A host that knows the tiny methods and the engines of this file."""
    found = [
        Component("engine", cls.__name__.lower(), f"{__name__}:{cls.__name__}")
        for cls in (Near, Far, Single)
    ]
    host = host_with(InMemoryPlugin("tiny", [SPEC, CODE_SPEC, *found]))
    monkeypatch.setattr("zoo_core.translate.loading.shared_host", lambda: host)
    return host


def test_an_engine_translates_in_torchs_place(tiny_model: Path, engines: PluginHost) -> None:
    x = torch.rand(2, 3, 8, 8)
    by_torch = zoo.load(tiny_model, precision="bfloat16", engine="torch")
    by_near = zoo.load(tiny_model, precision="bfloat16", engine="near")
    made, wanted = by_near(x, to="noto"), by_torch(x, to="noto")
    torch.testing.assert_close(made, wanted + 1e-3)


def test_an_engine_is_compared_with_the_golden_file_once(
    tiny_model: Path, engines: PluginHost
) -> None:
    translator = zoo.load(tiny_model, precision="bfloat16", engine="near")
    assert translator.choose("noto") == "near"
    compared = translator.net.calls
    assert compared > 0
    translator.choose("noto")
    assert translator.net.calls == compared


@pytest.mark.parametrize(("name", "precision"), [("far", "bfloat16"), ("near", "float32")])
def test_an_engine_that_differs_by_more_than_is_allowed_is_refused(
    name: str, precision: str, tiny_model: Path, engines: PluginHost
) -> None:
    translator = zoo.load(tiny_model, precision=precision, engine=name)
    with pytest.raises(ZooError) as caught:
        translator(torch.rand(1, 3, 8, 8), to="noto")
    assert caught.value.asked == f'engine "{name}"'
    assert "differs from the model" in caught.value.problem


def test_without_a_golden_file_noise_is_compared(tiny_model: Path, engines: PluginHost) -> None:
    (tiny_model / "golden.safetensors").unlink()
    with pytest.raises(ZooError) as caught:
        zoo.load(tiny_model, precision="bfloat16", engine="far").choose("noto")
    assert "differs from the model" in caught.value.problem


def test_an_engine_decides_on_the_precision_that_nobody_asked_for(
    tiny_model: Path, engines: PluginHost
) -> None:
    assert zoo.load(tiny_model, engine="single").precision == torch.float32


def test_a_precision_that_an_engine_lacks_is_refused(tiny_model: Path, engines: PluginHost) -> None:
    with pytest.raises(UsageError) as caught:
        zoo.load(tiny_model, precision="bfloat16", engine="single")
    assert caught.value.problem == "it computes in float32 only"


def test_an_unknown_engine_is_refused(tiny_model: Path, engines: PluginHost) -> None:
    with pytest.raises(UsageError) as caught:
        zoo.load(tiny_model, engine="sinle")
    assert "single" in caught.value.hint


def test_outputs_of_another_engine_are_made_anew(tiny_model: Path, engines: PluginHost) -> None:
    by_torch = zoo.load(tiny_model, precision="float32", engine="torch")
    by_single = zoo.load(tiny_model, precision="float32", engine="single")
    by_single.choose("noto")
    assert by_single.fingerprint != by_torch.fingerprint


def test_each_of_all_targets_is_computed_by_the_engine(
    tmp_path: Path,
    write_tiny: Callable[..., Path],
    config: ModelConfig,
    engines: PluginHost,
    picture: Callable[..., Image.Image],
) -> None:
    model = write_tiny(tmp_path / "m", config)
    made = zoo.load(model, precision="float32", engine="single")(picture(), to="all")
    wanted = zoo.load(model, precision="float32", engine="torch")(picture(), to="all")
    assert list(made) == list(wanted)
    for name, image in made.items():
        assert np.array_equal(np.asarray(image), np.asarray(wanted[name]))
