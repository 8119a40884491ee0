"""OpenVINO's and torch's formats: as the ONNX graph, each in its own engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import zoo
from zoo_core.catalogue.description import ModelConfig
from zoo_core.cli import run
from zoo_core.errors import UsageError, ZooError
from zoo_export import graph
from zoo_export.export import export_model
from zoo_export.formats import FORMATS
from zoo_export.verify import psnr

pytestmark = pytest.mark.usefixtures("one_thread")

OTHERS = [("openvino", ".xml"), ("torch", ".pt2")]


def pictures(count: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def read_again(path: Path, form: str) -> tuple[dict[str, str], Callable[..., list[np.ndarray]]]:
    said, translate = FORMATS[form].read(
        [path.with_suffix(f".{suffix}") for suffix in FORMATS[form].suffixes]
    )
    return dict(said), translate


@pytest.fixture(autouse=True)
def needs_openvino(request: pytest.FixtureRequest) -> None:
    if "openvino" in request.node.name:
        pytest.importorskip("openvino")


@pytest.mark.slow
@pytest.mark.parametrize(("form", "suffix"), OTHERS)
def test_a_target_for_each_picture_of_any_size(
    form: str, suffix: str, tiny_model: Path, tmp_path: Path
) -> None:
    (made,) = export_model(tiny_model, tmp_path / f"m{suffix}", form)
    said, translate = read_again(made.path, form)
    translator = zoo.load(tiny_model, precision="float32")
    for given in (pictures(3, 19, 30), pictures(3, 7, 8), pictures(3, 32, 32)):
        (translated,) = translate({"picture": given, "target": np.array([2, 0, 1])})
        for number, name in enumerate(["twemoji", "apple", "noto"]):
            assert psnr(translated[number], translator(given[number], to=name)) > 55
    assert said == made.metadata
    assert json.loads(said["domains"]) == ["apple", "noto", "twemoji"]


@pytest.mark.slow
@pytest.mark.parametrize(("form", "suffix"), OTHERS)
def test_a_file_for_each_target_of_nets_of_each_domain(
    form: str,
    suffix: str,
    write_tiny: Callable[..., Path],
    code_config: ModelConfig,
    tmp_path: Path,
) -> None:
    model = write_tiny(tmp_path / "sky", code_config)
    made = export_model(model, tmp_path / f"out{suffix}", form)
    assert [one.path.name for one in made] == [f"out.day{suffix}", f"out.night{suffix}"]
    given = pictures(2, 17, 24)
    for one, name in zip(made, ["day", "night"], strict=True):
        (translated,) = read_again(one.path, form)[1]({"picture": given})
        assert (
            psnr(translated, np.asarray(zoo.load(model, precision="float32")(given, to=name))) > 55
        )


@pytest.mark.slow
@pytest.mark.parametrize(("form", "suffix"), OTHERS)
def test_a_graph_that_differs_is_not_kept_in_any_format(
    form: str, suffix: str, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = graph.to_signal
    monkeypatch.setattr(graph, "to_signal", lambda x, spec: right(x, spec) + 0.01)
    with pytest.raises(ZooError) as caught:
        export_model(tiny_model, tmp_path / f"m{suffix}", form)
    assert "differs from the model" in caught.value.problem
    assert not list(tmp_path.glob("m.*"))


def test_weights_of_another_graph_are_not_replaced(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "m.bin").write_text("mine")
    with pytest.raises(UsageError) as caught:
        export_model(tiny_model, tmp_path / "m.xml", "openvino")
    assert caught.value.asked == f"output {tmp_path / 'm.bin'}"


def test_the_ending_of_another_format_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "m.onnx")
    assert run(["export", "stargan-emoji-64", "--to", "openvino", "--out", out]) == 2
    assert "must end in .xml" in capsys.readouterr().err
