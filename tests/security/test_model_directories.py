"""A model directory of a stranger is data: regular files of known names, names and numbers."""

from __future__ import annotations

import os
import shutil
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

import zoo
from zoo_core.cli import run
from zoo_core.errors import UsageError, WeightsError, ZooError
from zoo_core.host.plugins import host
from zoo_core.models.modeldir import read_config
from zoo_publish.publish import publish
from zoo_testing.hub_server import HubServer

SECRET = "the content of a private file"
FILES = ("config.yaml", "model.safetensors", "README.md", "samples.png", "training.safetensors")


@pytest.fixture
def model(small_model: Path, tmp_path: Path) -> Path:
    """A model directory to spoil."""
    return Path(shutil.copytree(small_model, tmp_path / "model"))


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    """An ordinary picture."""
    Image.fromarray(np.full((32, 32, 3), 99, np.uint8)).save(tmp_path / "cat.png")
    return tmp_path / "cat.png"


def load(model: Path) -> Any:
    return zoo.load(model, device="cpu", precision="float32")


def edit(model: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = model / "config.yaml"
    values = yaml.safe_load(path.read_text())
    change(values)
    path.write_text(yaml.safe_dump(values))


def links(model: Path, name: str) -> None:
    outside = model.parent / "private"
    outside.write_text(SECRET)
    (model / name).unlink(missing_ok=True)
    (model / name).symlink_to(outside)


def link_to_a_folder(model: Path, name: str) -> None:
    (model / name).unlink(missing_ok=True)
    (model / name).symlink_to("/")


def fifo(model: Path, name: str) -> None:
    (model / name).unlink(missing_ok=True)
    os.mkfifo(model / name)


def link_to_itself(model: Path, name: str) -> None:
    (model / name).unlink(missing_ok=True)
    (model / name).symlink_to(name)


@pytest.mark.parametrize("spoil", [links, link_to_a_folder, fifo, link_to_itself])
@pytest.mark.parametrize("name", ["config.yaml", "model.safetensors", "README.md"])
def test_what_is_no_regular_file_of_the_directory_is_not_loaded(
    name: str, spoil: Callable[[Path, str], None], model: Path
) -> None:
    spoil(model, name)
    with pytest.raises(WeightsError) as caught:
        load(model)
    assert name in str(caught.value.asked)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", FILES)
def test_what_a_link_points_to_is_not_published(
    name: str, model: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf")
    links(model, name)
    with pytest.raises(WeightsError) as caught:
        publish(model, "org/name", host())
    assert name in str(caught.value.asked)
    assert hub.count() == 0


@pytest.mark.parametrize("name", ["training.safetensors", "golden.safetensors", "samples.png"])
def test_a_file_that_is_not_what_its_name_says_is_not_published(
    name: str, model: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pickle

    monkeypatch.setenv("HF_TOKEN", "hf")
    (model / name).write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ZooError) as caught:
        publish(model, "org/name", host())
    assert name in str(caught.value.asked)
    assert hub.count() == 0


@pytest.mark.parametrize(
    ("preprocessing", "says"),
    [
        ({"crop_frist": 178}, 'did you mean "crop_first"'),
        ({"crop_first": "wide"}, "crop_first"),
        ({"crop_first": -1}, "crop_first"),
        ({"crop_first": 10**12}, "crop_first"),
        ({"scale": "twice"}, "scale"),
        ({"resample": "random"}, "resample"),
        ({"value_ranges": 7}, "value_ranges"),
        ({"value_ranges": {"a": {"low": 0, "high": 1}}}, "dtype"),
        ({"value_ranges": {"a": {"low": 0, "high": 1, "dtype": "1000000000V"}}}, "value_ranges"),
        ({"value_ranges": {"a": {"low": 1, "high": 0, "dtype": "uint16"}}}, "value_ranges"),
        ({"asked_range": [0, 1]}, "asked_range"),
    ],
)
def test_preprocessing_of_another_form_is_refused(
    preprocessing: dict[str, Any], says: str, model: Path
) -> None:
    edit(model, lambda values: values["preprocessing"].update(preprocessing))
    with pytest.raises(WeightsError) as caught:
        load(model)
    assert says in caught.value.problem


@pytest.mark.parametrize(
    ("signal", "says"),
    [
        ({"stride": -4}, "stride"),
        ({"stride": 0}, "stride"),
        ({"flexible": 99}, "flexible"),
        ({"flexible": -1}, "flexible"),
        ({"shape": [3, -32, 32]}, "shape"),
        ({"shape": []}, "shape"),
        ({"low": float("inf")}, "low"),
        ({"stride": True}, "stride"),
        ({"kind": "../image"}, "kind"),
    ],
)
def test_a_signal_that_cannot_be_is_refused(signal: dict[str, Any], says: str, model: Path) -> None:
    edit(model, lambda values: values["signal"].update(signal))
    with pytest.raises((WeightsError, UsageError)) as caught:
        load(model)
    assert says in f"{caught.value.asked} {caught.value.problem}"


@pytest.mark.parametrize(
    "value",
    ["/etc/passwd", "https://evil.example/x", "a\\b", "user@host", "word " * 60, "a\0b"],
)
@pytest.mark.parametrize("place", ["options", "preprocessing"])
def test_a_configuration_names_no_paths_and_no_addresses(
    place: str, value: str, model: Path
) -> None:
    edit(model, lambda values: values[place].update({"norm": {"deep": [value]}}))
    with pytest.raises(WeightsError) as caught:
        read_config(model)
    assert "no paths or addresses" in caught.value.problem


def test_a_net_of_timm_in_a_configuration_is_told_no_file(model: Path, tmp_path: Path) -> None:
    form = {"architecture": "timm:resnet18", "arguments": {"checkpoint_path": "evil.png"}}
    form |= {"classes": ["a"], "size": 32}
    edit(model, lambda values: values.update(method="dtn", options={"f": form}))
    edit(model, lambda values: values["signal"].update(flexible=0))
    with pytest.raises((UsageError, WeightsError)) as caught:
        load(model)
    assert "checkpoint_path" in str(caught.value)


def test_a_judge_that_a_configuration_names_is_not_opened(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(
        Path(sys.modules["zoo_nn"].__file__ or "").parent / "nets/weights/digits", "mine"
    )
    edit(model, lambda values: values.update(method="dtn", options={"f": "judge:mine"}))
    edit(model, lambda values: values["signal"].update(flexible=0))
    with pytest.raises(WeightsError) as caught:
        load(model)
    assert "a model holds all that it needs" in caught.value.problem


def test_a_picture_that_is_postscript_starts_no_program(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("gs", "gswin32c", "gswin64c"):
        (programs / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    eps = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\n"
    (tmp_path / "x.png").write_text(eps)
    command = ["translate", str(model), str(tmp_path / "x.png"), "--to", "b", "--out"]
    assert run([*command, str(tmp_path / "out"), "--precision", "float32"]) == 1
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("head", [b"8BPS\0\1", b"DDS ", b"\x01\xda\x01\x01", b"BLP2", b"FLIF"])
def test_a_picture_in_a_format_that_is_not_listed_is_refused(
    head: bytes, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.png").write_bytes(head + bytes(500))
    command = ["translate", str(model), str(tmp_path / "x.png"), "--to", "b", "--out"]
    assert run([*command, str(tmp_path / "out"), "--precision", "float32"]) == 1
    said = capsys.readouterr().err
    assert "1 failed" in said
    assert str(tmp_path / "x.png") in said
    assert not list(tmp_path.glob("out/*.png"))


ESCAPES = "\x1b]0;owned\x07\x9b31m\u202e"


def key_of_the_configuration(model: Path) -> None:
    edit(model, lambda values: values.update({f"colour{ESCAPES}": 1}))


def value_of_the_configuration(model: Path) -> None:
    edit(model, lambda values: values.update(method=f"cyclegan{ESCAPES}"))


def name_of_a_domain(model: Path) -> None:
    edit(model, lambda values: values["domains"].update(names=["a", f"b{ESCAPES}"]))


def name_of_a_tensor(model: Path) -> None:
    header = f'{{"x{ESCAPES}":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}}}'
    header = header.replace("\x1b", "\\u001b").replace("\x07", "\\u0007").encode()
    content = struct.pack("<Q", len(header)) + header + bytes(4)
    (model / "model.safetensors").write_bytes(content)


@pytest.mark.parametrize(
    "spoil",
    [key_of_the_configuration, value_of_the_configuration, name_of_a_domain, name_of_a_tensor],
)
def test_what_a_model_says_cannot_steer_the_terminal(
    spoil: Callable[[Path], None],
    model: Path,
    cat: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoil(model)
    command = ["translate", str(model), str(cat), "--to", "nowhere", "--precision", "float32"]
    assert run(command) in (1, 2)
    shown = capsys.readouterr()
    assert not set(shown.out + shown.err) & set(ESCAPES) - set("]0;owned31m")


def test_what_a_registry_says_cannot_steer_the_terminal(
    install_models: Callable[..., None],
    small_entry: Callable[..., dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    known = {"repo": "org/name", "revision": "ab" * 20, "sha256": "cd" * 32}
    entry = small_entry("evil", **known) | {"summary": f"Nice {ESCAPES}"}
    install_models(entry | {"provenance": f"Me {ESCAPES}"})
    for command in (["list", "evil"], ["info", "evil"], ["list", "evil", "--json"]):
        assert run(command) == 0
        shown = capsys.readouterr()
        assert "evil" in shown.out
        assert not set(shown.out + shown.err) & set("\x1b\x07\x9b\u202e")
