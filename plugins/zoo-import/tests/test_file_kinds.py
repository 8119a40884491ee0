"""Files that are no checkpoints are named by what they are; extras beside weights harm nothing."""

from __future__ import annotations

import argparse
import collections
import datetime
import io
import json
import pickle
import shutil
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save, save_file
from test_importing import alone
from torch import nn

import zoo
from zoo_core.cli import run
from zoo_core.errors import UsageError, WeightsError
from zoo_core.host.plugins import host
from zoo_core.models.modeldir import read_config
from zoo_import.checkpoint import read_checkpoint, read_state
from zoo_import.files import ImportRequest, import_files, parse_file

ONNX = b"\x08\x07\x12\x07pytorch\x3a\x04\x0a\x02\x22\x00"
"""A model of version 7, its producer, and a graph of one empty node."""


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return buffer.getvalue()


def arrays() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, first=np.ones(3), second=np.ones(2))
    return buffer.getvalue()


def one_array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ones(3))
    return buffer.getvalue()


def torchscript() -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch advises against what others still publish
        torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)), buffer)
    return buffer.getvalue()


def tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("weights.pth"))
    return buffer.getvalue()


def saved(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


KINDS: dict[str, tuple[Callable[[], bytes], str]] = {
    "lfs.pth": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
    "page.pth": (lambda: b"\n<!DOCTYPE html><html><title>Virus scan warning</title>", "web page"),
    "bare-page.pth": (lambda: b"<html>\n<body>Not found</body></html>", "web page"),
    "net.onnx": (lambda: ONNX, "ONNX"),
    "script.pt": (torchscript, "TorchScript"),
    "exported.pt2": (lambda: zipped(net__archive_format=b"pt2"), "torch.export"),
    "net.h5": (lambda: b"\x89HDF\r\n\x1a\n" + b"\0" * 40, "HDF5"),
    "net.keras": (lambda: zipped(config_dot_json=b"{}", model_dot_weights_dot_h5=b""), "Keras"),
    "net.tflite": (lambda: b"\x1c\0\0\0TFL3" + b"\0" * 20, "TensorFlow Lite"),
    "model.ckpt-100.index": (lambda: b"\0\0\1\2" * 9, "TensorFlow"),
    "renamed": (lambda: b"\0\0\1\2" * 9 + bytes.fromhex("57fb808b247547db"), "TensorFlow"),
    "weights.npz": (arrays, "2 NumPy arrays"),
    "weights.npy": (one_array, "single NumPy array"),
    "weights.pkl": (lambda: pickle.dumps({"a": [1.0]}, protocol=4), "torch.save did not"),
    "nothing.pth": (lambda: b"", "empty"),
    "many.zip": (lambda: zipped(docs__a_dot_txt=b"a", b=b"b"), "a.txt, b"),
    "tarred.pth": (tar, "tar archive"),
    "gzipped.pth": (lambda: b"\x1f\x8b\x08" + b"\0" * 20, "gzip"),
    "model.safetensors.index.json": (
        lambda: json.dumps({"weight_map": {"x": "model-1.safetensors"}}).encode(),
        "model-1.safetensors",
    ),
    "config.json": (lambda: b'{"a": 1}', "JSON"),
    "message.pth": (lambda: b"Entry not found", "Entry not found"),
    "model.xml": (lambda: b'<?xml version="1.0"?><net name="G"/>', "XML"),
    "net.gguf": (lambda: b"GGUF\3\0\0\0", "GGUF"),
    "cut.safetensors": (lambda: save({"x": torch.ones(99)})[:-50], "cut off"),
    "cut-early.safetensors": (lambda: save({"x": torch.ones(99)})[:30], "cut off"),
    "cut.pth": (lambda: saved({"x": torch.ones(999)})[:900], "cut off"),
    "picture.pth": (lambda: b"\x89PNG\r\n\x1a\n" + b"\0" * 20, "PNG"),
}
"""What is in a file, and what the error must name."""


@pytest.mark.parametrize("name", KINDS)
def test_a_file_that_is_no_checkpoint_is_named_by_what_it_is(name: str, tmp_path: Path):
    make, expected = KINDS[name]
    (tmp_path / name).write_bytes(make())
    with pytest.raises(WeightsError) as caught:
        read_checkpoint(tmp_path / name)
    assert caught.value.asked == f"checkpoint {tmp_path / name}"
    assert expected in caught.value.problem
    assert "would be called" not in caught.value.problem
    assert caught.value.hint


@pytest.mark.parametrize("name", ["lfs.pth", "page.pth", "net.onnx", "script.pt", "nothing.pth"])
def test_loading_such_a_file_as_a_model_names_it_too(name: str, tmp_path: Path):
    make, expected = KINDS[name]
    (tmp_path / name).write_bytes(make())
    with pytest.raises(WeightsError) as caught:
        zoo.load(tmp_path / name, device="cpu", precision="float32")
    assert expected in caught.value.problem


def test_loading_a_checkpoint_as_a_model_leads_to_zoo_import(tmp_path: Path):
    torch.save(alone().state_dict(), tmp_path / "G.pth")
    with pytest.raises(WeightsError) as caught:
        zoo.load(tmp_path / "G.pth", device="cpu", precision="float32")
    assert f"zoo import {tmp_path / 'G.pth'}" in (caught.value.hint or "")


def test_a_model_directory_that_was_cloned_without_its_weights_is_named(tmp_path: Path):
    torch.save(alone().state_dict(), tmp_path / "G.pth")
    model = tmp_path / "model"
    import_files([str(tmp_path / "G.pth")], model, ImportRequest(("a", "b")), host=host())
    (model / "model.safetensors").write_bytes(KINDS["lfs.pth"][0]())
    with pytest.raises(WeightsError) as caught:
        zoo.load(model, device="cpu", precision="float32")
    assert "Git LFS" in caught.value.problem
    assert "git lfs pull" in (caught.value.hint or "")


class Settings(dict):  # type: ignore[type-arg]
    """A class of some other project that its checkpoints hold."""


class Slotless:
    """An object of another project with attributes of its own."""

    def __init__(self) -> None:
        self.lr, self.names = 0.1, ["a"]


EXTRAS: dict[str, Any] = {
    "epoch": 3,
    "note": "best",
    "opt": argparse.Namespace(lr=0.1, gpu_ids=[0]),
    "score": np.float64(0.5),
    "history": np.arange(3),
    "random": np.random.RandomState(0).get_state(),
    "when": datetime.datetime(2020, 1, 2),
    "where": Path("runs"),
    "counts": collections.defaultdict(int, a=1),
    "last": collections.deque([1, 2]),
    "order": collections.OrderedDict(a=1),
    "set": {1, 2},
    "settings": Settings(a=1),
    "object": Slotless(),
    "activation": nn.functional.relu,
    "class": Slotless,
    "device": torch.device("cpu"),
    "nothing": None,
}
"""Things that real checkpoints hold beside their weights."""


def test_extras_beside_the_weights_are_left_out_and_listed(tmp_path: Path):
    net = nn.Linear(2, 2)
    optimiser = torch.optim.Adam(net.parameters())
    net(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    value = {"net": net.state_dict(), "optimizer": optimiser.state_dict(), **EXTRAS}
    torch.save(value, tmp_path / "w.pth")
    found = read_checkpoint(tmp_path / "w.pth")
    assert all(torch.equal(found.state[key], net.state_dict()[key]) for key in ("weight", "bias"))
    names = [line.partition(" ")[0] for line in found.left_out]
    assert names == ["optimizer", *EXTRAS]
    assert "opt (argparse.Namespace)" in found.left_out
    assert "epoch (a number)" in found.left_out
    assert any(line.startswith("score (numpy.") for line in found.left_out)


@pytest.mark.parametrize(
    "value",
    [
        torch.arange(12).reshape(3, 4).t(),
        torch.ones(3, dtype=torch.bfloat16),
        torch.tensor([True, False]),
        torch.tensor(3.5, dtype=torch.float64),
        nn.Parameter(torch.ones(2)),
        torch.arange(9)[2:5],
    ],
    ids=["view", "bfloat16", "bool", "scalar", "parameter", "slice"],
)
def test_tensors_beside_extras_are_those_that_were_saved(value: torch.Tensor, tmp_path: Path):
    torch.save({"x": value, "same": value, "opt": argparse.Namespace(a=1)}, tmp_path / "w.pth")
    found = read_state(tmp_path / "w.pth")
    assert torch.equal(found["x"], value.detach())
    assert torch.equal(found["same"], value.detach())


def test_items_of_a_dictionary_s_subclass_are_found(tmp_path: Path):
    torch.save(Settings(net={"x": torch.ones(2)}, lr=0.1), tmp_path / "w.pth")
    found = read_checkpoint(tmp_path / "w.pth")
    assert found.state["x"].tolist() == [1, 1]
    assert found.left_out == ("lr (a number)",)


def test_extras_among_the_tensors_are_left_out_and_listed(tmp_path: Path):
    torch.save({"weight": torch.ones(2), "opt": argparse.Namespace(a=1)}, tmp_path / "w.pth")
    found = read_checkpoint(tmp_path / "w.pth")
    assert list(found.state) == ["weight"]
    assert found.left_out == ("opt (argparse.Namespace)",)


def test_a_whole_net_is_named_and_not_taken_for_its_weights(tmp_path: Path):
    torch.save(alone(), tmp_path / "net.pth")
    with pytest.raises(WeightsError) as caught:
        read_checkpoint(tmp_path / "net.pth")
    assert "published_nets.Named" in caught.value.problem
    assert "state_dict()" in (caught.value.hint or "")


class Calls:
    """A pickle of it calls a function of the reader's machine."""

    def __init__(self, function: Callable[..., object], *args: object) -> None:
        self.function, self.args = function, args

    def __reduce__(self) -> Any:
        return self.function, self.args


@pytest.mark.parametrize("function", [eval, print, shutil.rmtree, getattr, __import__])
def test_a_call_beside_harmless_extras_is_refused_and_not_made(
    function: Callable[..., object], tmp_path: Path
):
    canary = tmp_path / "canary"
    canary.mkdir()
    argument = {"eval": f"__import__('os').rmdir({str(canary)!r})"}.get(function.__name__)
    bomb = Calls(function, argument or str(canary))
    value = {"net": {"x": torch.ones(2)}, "opt": argparse.Namespace(a=1), "bomb": bomb}
    torch.save(value, tmp_path / "w.pth")
    with pytest.raises(WeightsError) as caught:
        read_checkpoint(tmp_path / "w.pth")
    assert f"{function.__module__}.{function.__name__} would be called" in caught.value.problem
    assert canary.exists()


NESTED = {
    "ema": {"G": {"x": torch.zeros(2)}, "D": {"x": torch.ones(2)}},
    "state_dict": {"netG.x": torch.full((2,), 2.0), "netD.x": torch.full((2,), 3.0)},
    "with.dot": {"x": torch.full((2,), 4.0)},
    "epoch": 3,
}


@pytest.mark.parametrize(
    ("key", "value"),
    [("ema.G", 0), ("ema.D", 1), ("state_dict.netG", 2), ("state_dict.netD", 3), ("with.dot", 4)],
)
def test_a_dotted_key_reaches_inside_a_file(key: str, value: float, tmp_path: Path):
    torch.save(NESTED, tmp_path / "w.pth")
    assert read_state(tmp_path / "w.pth", key)["x"].tolist() == [value, value]


@pytest.mark.parametrize("key", ["ema.H", "emb", "state_dict.net", "epoch"])
def test_a_key_that_leads_nowhere_says_what_there_is(key: str, tmp_path: Path):
    torch.save(NESTED, tmp_path / "w.pth")
    with pytest.raises((UsageError, WeightsError)) as caught:
        read_state(tmp_path / "w.pth", key)
    assert key.split(".", maxsplit=1)[0] in (caught.value.asked or "")
    assert caught.value.problem
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("G.pth", (None, "G.pth", None)),
        ("G.pth:ema", (None, "G.pth", "ema")),
        ("G.pth:ema.G", (None, "G.pth", "ema.G")),
        ("generator_b=G.pth:ema", ("generator_b", "G.pth", "ema")),
        ("generator_b=G.pth", ("generator_b", "G.pth", None)),
        ("b:c.pth", (None, "b:c.pth", None)),
        ("b:c.pth:ema", (None, "b:c.pth", "ema")),
        ("a=b.pth", (None, "a=b.pth", None)),
        ("absent.pth", (None, "absent.pth", None)),
        ("absent", (None, "absent", None)),
    ],
)
def test_net_and_key_are_read_off_a_file_s_text(
    text: str,
    expected: tuple[str | None, str, str | None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(tmp_path)
    for name in ("G.pth", "b:c.pth", "a=b.pth"):
        Path(name).touch()
    net, path, key = parse_file(text)
    assert (net, str(path), key) == expected


def test_two_nets_of_one_file_make_one_model(tmp_path: Path):
    nets = {"netG_A": alone().state_dict(), "netG_B": alone().state_dict()}
    flat = {f"{net}.{key}": value for net, state in nets.items() for key, value in state.items()}
    torch.save({"state_dict": flat, "epoch": 9}, tmp_path / "both.ckpt")
    file = f"{tmp_path / 'both.ckpt'}:state_dict."
    files = [f"generator_b={file}netG_A", f"generator_a={file}netG_B"]
    made = import_files(files, tmp_path / "m", ImportRequest(("a", "b")), host=host())
    assert made.nets.keys() == {"generator_a", "generator_b"}
    assert "epoch (a number)" in made.left_out["both.ckpt"]


def test_an_import_that_cannot_translate_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    torch.save(alone().state_dict(), tmp_path / "G.pth")
    arguments = ["import", str(tmp_path / "G.pth"), "--domain", "a", "--out", str(tmp_path / "m")]
    assert run([*arguments, "--domain", "b"]) == 0
    before = {path: path.read_bytes() for path in (tmp_path / "m").iterdir()}
    monkeypatch.setattr(
        "zoo_import.convert._translated", lambda translator, signal: signal * float("nan")
    )
    assert run([*arguments, "--domain", "c"]) == 1
    assert {path: path.read_bytes() for path in (tmp_path / "m").iterdir()} == before
    assert read_config(tmp_path / "m").domains.names == ("a", "b")


def test_the_command_lists_what_it_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    save_file({"x": torch.ones(1)}, tmp_path / "other.safetensors")
    torch.save({"net": alone().state_dict(), **EXTRAS}, tmp_path / "G.pth")
    names = ["--domain", "a", "--domain", "b", "--out", str(tmp_path / "m")]
    assert run(["import", str(tmp_path / "G.pth"), *names]) == 0
    assert "opt (argparse.Namespace)" in capsys.readouterr().out
