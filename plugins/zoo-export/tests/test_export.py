"""Graphs: what they take and give, what is refused, and what is kept."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

import zoo
from zoo_core.catalogue.description import ModelConfig
from zoo_core.cli import run
from zoo_core.contracts.signals import TensorSpec
from zoo_core.errors import UsageError, ZooError
from zoo_export import graph
from zoo_export.export import export_model
from zoo_export.verify import DIFFERENCE, psnr
from zoo_images import tiles
from zoo_images.pixels import to_bytes, to_tensor
from zoo_nn.nets.norm import InstanceNorm

pytestmark = pytest.mark.usefixtures("one_thread")


def pictures(count: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def opened(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.onnx*"))


@pytest.mark.parametrize("stride", [1, 2, 4, 16])
@pytest.mark.parametrize("extent", [1, 2, 5, 15, 16, 17, 33, 64])
def test_an_axis_is_mirrored_as_translations_mirror_it(extent: int, stride: int) -> None:
    plan = tiles.plan(extent, 64, stride=stride, limit=2**30)
    (span,) = plan.rows
    assert graph.reflected(extent, stride).tolist() == span.source.tolist()


@pytest.mark.slow
def test_normalisation_is_exact_where_the_mean_is_large(tmp_path: Path) -> None:
    x = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0)) + 3000
    with graph.CentredNorms(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        program = torch.onnx.export(InstanceNorm(4), (x,), dynamo=True, verbose=False)
    program.save(tmp_path / "norm.onnx")
    engine = opened(tmp_path / "norm.onnx")
    (made,) = engine.run(None, {engine.get_inputs()[0].name: x.numpy()})
    wanted = torch.nn.functional.instance_norm(x.double()).numpy()
    assert np.abs(made - wanted).max() < 1e-5


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 1.0)])
def test_bytes_become_signals_and_bytes_again_as_in_translations(
    channels: int, low: float, high: float
) -> None:
    spec = TensorSpec(shape=(channels, 8, 8), low=low, high=high)
    given = torch.from_numpy(pictures(2, 8, 8))
    signal = graph.to_signal(given, spec)
    torch.testing.assert_close(signal, to_tensor(given, spec))
    made = graph.to_picture(signal, spec)
    assert made.tolist() == [to_bytes(one, spec).tolist() for one in signal]


@pytest.mark.slow
def test_a_conditional_model_is_one_graph_that_takes_a_target_for_each_picture(
    tiny_model: Path, tmp_path: Path
) -> None:
    (made,) = export_model(tiny_model, tmp_path / "m.onnx")
    given = pictures(3, 19, 30)
    (translated,) = opened(made.path).run(None, {"picture": given, "target": np.array([2, 0, 1])})
    translator = zoo.load(tiny_model, precision="float32")
    for number, name in enumerate(["twemoji", "apple", "noto"]):
        assert psnr(translated[number], translator(given[number], to=name)) > 55
    assert made.agreement.difference <= DIFFERENCE


@pytest.mark.slow
def test_attributes_are_given_as_numbers(
    write_tiny: Callable[..., Path], attribute_config: ModelConfig, tmp_path: Path
) -> None:
    model = write_tiny(tmp_path / "faces", attribute_config)
    (made,) = export_model(model, tmp_path / "m.onnx")
    given = pictures(1, 16, 20)
    wanted = {"Blond": 1.0, "Male": 1.0}
    row = np.array([[0.0, 1.0, 1.0]], np.float32)
    (translated,) = opened(made.path).run(None, {"picture": given, "target": row})
    translator = zoo.load(model, precision="float32")
    assert psnr(translated[0], translator(given[0], to=wanted)) > 55


@pytest.mark.slow
def test_a_target_that_is_asked_for_is_fixed_in_the_graph(tiny_model: Path, tmp_path: Path) -> None:
    (made,) = export_model(tiny_model, tmp_path / "m.onnx", target="noto")
    engine = opened(made.path)
    assert [value.name for value in engine.get_inputs()] == ["picture"]
    (translated,) = engine.run(None, {"picture": (given := pictures(1, 16, 16))})
    wanted = zoo.load(tiny_model, precision="float32")(given[0], to="noto")
    assert psnr(translated[0], wanted) > 55


@pytest.mark.slow
def test_nets_of_each_domain_become_a_file_for_each_target(
    write_tiny: Callable[..., Path], code_config: ModelConfig, tmp_path: Path
) -> None:
    model = write_tiny(tmp_path / "sky", code_config)
    made = export_model(model, tmp_path / "sky.onnx")
    assert files(tmp_path) == ["sky.day.onnx", "sky.night.onnx"]
    given = pictures(2, 17, 24)
    for one, name in zip(made, ["day", "night"], strict=True):
        (translated,) = opened(one.path).run(None, {"picture": given})
        wanted = zoo.load(model, precision="float32")(given, to=name)
        assert psnr(translated, np.asarray(wanted)) > 55


@pytest.mark.slow
def test_a_graph_says_what_it_is(tiny_model: Path, tmp_path: Path) -> None:
    (made,) = export_model(tiny_model, tmp_path / "m.onnx")
    said = opened(made.path).get_modelmeta().custom_metadata_map
    assert said == made.metadata
    assert json.loads(said["domains"]) == ["apple", "noto", "twemoji"]
    assert (said["model"], said["stride"], said["domains_kind"]) == ("tiny", "2", "domains")
    assert len(said["weights_sha256"]) == 64


@pytest.mark.slow
def test_a_graph_that_differs_is_not_kept(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = graph.to_signal
    monkeypatch.setattr(graph, "to_signal", lambda x, spec: right(x, spec) + 0.01)
    with pytest.raises(ZooError) as caught:
        export_model(tiny_model, tmp_path / "m.onnx")
    assert "differs from the model" in caught.value.problem
    assert files(tmp_path) == []


@pytest.mark.slow
def test_nets_of_a_fixed_size_refuse_another(
    write_tiny: Callable[..., Path], config: ModelConfig, tmp_path: Path
) -> None:
    fixed = replace(config, signal=TensorSpec(shape=(3, 8, 8), stride=2, flexible=0))
    (made,) = export_model(write_tiny(tmp_path / "m", fixed), tmp_path / "m.onnx", target="noto")
    engine = opened(made.path)
    assert engine.run(None, {"picture": pictures(3, 8, 8)})[0].shape == (3, 8, 8, 3)
    with pytest.raises(InvalidArgument):
        engine.run(None, {"picture": pictures(1, 8, 10)})


@pytest.mark.slow
def test_a_file_that_is_there_is_replaced_only_where_that_is_asked(
    tiny_model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "m.onnx"
    path.write_text("mine")
    with pytest.raises(UsageError) as caught:
        export_model(tiny_model, path)
    assert caught.value.asked == f"output {path}"
    assert path.read_text() == "mine"
    export_model(tiny_model, path, overwrite=True)
    assert opened(path).get_outputs()[0].name == "translated"


def test_a_model_that_descends_for_each_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        export_model("cogan-mnist-usps", tmp_path / "m.onnx")
    assert "descending along gradients" in caught.value.problem


def test_a_model_for_voices_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        export_model("cyclegan-vc-fsdd", tmp_path / "m.onnx")
    assert "only models for pictures" in caught.value.problem


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["stargan-emoji-64", "--to", "onnx", "--out", "m.pt"], "must end in .onnx"),
        (["stargan-emoji-64", "--to", "onnx", "--target", "twemojy"], 'Did you mean "twemoji"?'),
        (["combogan-emoji", "--to", "onnx", "--target", "noto"], "--from"),
    ],
)
def test_wrong_requests_are_answered_by_a_sentence(
    arguments: list[str], part: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["export", *arguments]) == 2
    assert part in capsys.readouterr().err
