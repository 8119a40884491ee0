"""Engines that run exported nets: they agree, are kept, and say what they cannot do."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch

import zoo
from zoo_core.catalogue.description import ModelConfig
from zoo_core.contracts.component import Component
from zoo_core.errors import UsageError, ZooError
from zoo_core.host.plugins import PluginHost
from zoo_core.translate import engines as core_engines
from zoo_core.translate.translator import Translator
from zoo_export import engines, prepared
from zoo_export.prepared import PreparedFiles
from zoo_testing.hosts import InMemoryPlugin, host_with
from zoo_testing.tiny import CODE_SPEC, SPEC

pytestmark = pytest.mark.usefixtures("one_thread", "cache")

NAMES = ["onnxruntime", "openvino"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "engines"


@pytest.fixture
def tiny_host() -> PluginHost:
    """The tiny methods beside zoo-export."""
    return host_with(
        InMemoryPlugin("tiny", [SPEC, CODE_SPEC]), installed=("images", "nn", "export")
    )


@pytest.fixture(autouse=True)
def shared(tiny_host: PluginHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo_core.translate.loading.shared_host", lambda: tiny_host)


def loaded(model: Path, name: str, precision: str = "float32") -> Translator:
    if name == "openvino":
        pytest.importorskip("openvino")
    return zoo.load(model, engine=name, precision=precision, device="cpu")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_any_batch_and_size_come_out_as_by_torch(name: str, tiny_model: Path) -> None:
    by_torch, by_graph = loaded(tiny_model, "torch"), loaded(tiny_model, name)
    for shape in ((1, 3, 16, 16), (3, 3, 18, 30)):
        x = torch.rand(shape)
        made, wanted = by_graph(x, to="noto"), by_torch(x, to="noto")
        torch.testing.assert_close(made, wanted, atol=1e-4, rtol=0)
    assert by_graph.net.name == name


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_what_was_prepared_is_used_by_the_next_process(
    name: str, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = torch.rand(2, 3, 16, 16)
    first = loaded(tiny_model, name)(x, to="noto")
    monkeypatch.delattr(engines, "onnx_of")
    assert torch.equal(loaded(tiny_model, name)(x, to="noto"), first)


def test_an_engine_that_differed_is_not_prepared_again(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for _ in range(2):
        monkeypatch.setattr(core_engines, "DIFFERENCE", -1.0)
        with pytest.raises(ZooError) as caught:
            loaded(tiny_model, "onnxruntime")(torch.rand(2, 3, 16, 16), to="noto")
        found.append(caught.value.problem)
        monkeypatch.setattr(engines, "onnx_of", None)
    assert found[1] == f"{found[0]}, as was found earlier"


def test_an_engine_that_differed_stays_refused_in_its_process(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core_engines, "DIFFERENCE", -1.0)
    translator = loaded(tiny_model, "onnxruntime")
    for _ in range(2):
        with pytest.raises(ZooError) as caught:
            translator(torch.rand(2, 3, 16, 16), to="noto")
        assert "it differs from the model" in caught.value.problem


def shortened(content: bytes) -> bytes:
    return content[:100]


def another(content: bytes) -> bytes:
    """The same graph with other weights, which the engine would run."""
    graph = onnx.load_model_from_string(content[32:])
    largest = max(graph.graph.initializer, key=lambda each: len(each.raw_data))
    largest.raw_data = bytes(len(largest.raw_data))
    return content[:32] + graph.SerializeToString()


@pytest.mark.slow
@pytest.mark.parametrize("change", [shortened, another])
def test_a_damaged_file_is_made_anew(
    change: Callable[[bytes], bytes], tiny_model: Path, cache: Path
) -> None:
    x = torch.rand(2, 3, 16, 16)
    first = loaded(tiny_model, "onnxruntime")(x, to="noto")
    (file,) = cache.glob("*/*.onnx")
    whole = file.read_bytes()
    file.write_bytes(change(whole))
    assert torch.equal(loaded(tiny_model, "onnxruntime")(x, to="noto"), first)
    assert hashlib.sha256(file.read_bytes()[32:]).digest() == file.read_bytes()[:32]


def test_what_was_written_is_read_and_nothing_else(tiny_model: Path, cache: Path) -> None:
    files = PreparedFiles(loaded(tiny_model, "onnxruntime")._engines.model)
    assert files.read("nets.onnx") is None
    files.write("nets.onnx", b"content")
    assert files.read("nets.onnx") == b"content"
    (path,) = cache.glob("*/nets.onnx")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert files.read("nets.onnx") is None
    assert not path.exists()


def test_another_version_of_any_plugin_has_files_of_its_own(
    tiny_model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = loaded(tiny_model, "onnxruntime")._engines.model
    PreparedFiles(model).write("nets.onnx", b"content")
    newer = tuple(replace(plugin, version="99") for plugin in model.host.plugins[-1:])
    monkeypatch.setattr(model.host, "_plugins", [*model.host.plugins[:-1], *newer])
    assert PreparedFiles(model).read("nets.onnx") is None


@pytest.mark.slow
def test_nets_of_each_domain_have_a_graph_for_each_route(
    write_tiny: Callable[..., Path], code_config: ModelConfig, tmp_path: Path, cache: Path
) -> None:
    model = write_tiny(tmp_path / "sky", code_config)
    x = torch.rand(2, 3, 16, 16)
    made = loaded(model, "onnxruntime").cycle(x, "night", source="day")
    wanted = loaded(model, "torch").cycle(x, "night", source="day")
    for a, b in zip(made, wanted, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=0)
    assert len(list(cache.glob("*/*.onnx"))) == 2


def test_bfloat16_is_refused_where_an_engine_has_none(tiny_model: Path) -> None:
    with pytest.raises(UsageError) as caught:
        loaded(tiny_model, "onnxruntime", "bfloat16")
    assert caught.value.problem == "it computes in float32 only"


def test_an_engine_whose_package_is_missing_says_so(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    with pytest.raises(UsageError) as caught:
        loaded(tiny_model, "onnxruntime")
    assert caught.value.hint == "pip install onnxruntime"


def test_what_was_not_used_for_longest_makes_room(
    tiny_model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "MOST", 32 + 25)
    for number in range(3):
        folder = cache / f"old{number}"
        folder.mkdir(parents=True)
        (folder / "nets.onnx").write_bytes(b"0123456789")
        os.utime(folder, (number, number))
    model = loaded(tiny_model, "onnxruntime")._engines.model
    PreparedFiles(model).write("nets.onnx", b"0123456789")
    kept = {folder.name for folder in cache.iterdir()}
    assert {"old0", "old1"}.isdisjoint(kept)
    assert "old2" in kept
    assert len(kept) == 2


def test_components_are_found_by_their_names(tiny_host: PluginHost) -> None:
    found = tiny_host.components("engine")
    assert {"onnxruntime", "openvino", "auto", "compiled"} <= set(found)
    assert all(isinstance(component, Component) for component in found.values())
