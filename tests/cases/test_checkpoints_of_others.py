"""Checkpoints of others: imported so that they translate, or refused by what they are."""

import argparse
import gzip
import io
import json
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import zoo
from zoo_core.cli import run


def generator(channels=3, width=4):
    """The published CycleGAN generator with one residual block, under its published names."""

    class Block(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.conv_block = nn.Sequential(
                nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), nn.InstanceNorm2d(width),
                nn.ReLU(), nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3),
                nn.InstanceNorm2d(width),
            )  # fmt: skip

        def forward(self, x):
            return x + self.conv_block(x)

    def down(width):
        return [nn.Conv2d(width, 2 * width, 3, 2, 1), nn.InstanceNorm2d(2 * width), nn.ReLU()]

    def up(width):
        return [
            nn.ConvTranspose2d(width, width // 2, 3, 2, 1, output_padding=1),
            nn.InstanceNorm2d(width // 2), nn.ReLU(),
        ]  # fmt: skip

    torch.manual_seed(0)
    layers = [
        nn.ReflectionPad2d(3), nn.Conv2d(channels, width, 7), nn.InstanceNorm2d(width), nn.ReLU(),
        *down(width), *down(2 * width), Block(4 * width), *up(4 * width), *up(2 * width),
        nn.ReflectionPad2d(3), nn.Conv2d(width, channels, 7), nn.Tanh(),
    ]  # fmt: skip
    return nn.ModuleDict({"model": nn.Sequential(*layers)})


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("x.png")
    return tmp_path


def imported(file):
    return run(["import", file, "--domain", "a", "--domain", "b", "--out", "m"])


def test_case_16_a_generator_of_four_channels_is_refused_or_usable(place, capsys):
    torch.save(generator(channels=4).state_dict(), "four.pth")
    if imported("four.pth"):
        assert "(4, " in capsys.readouterr().err
        assert not (place / "m").exists()
    else:
        x = torch.zeros(1, 4, 32, 32)
        assert zoo.load("m", device="cpu", precision="float32")(x, to="b").shape == x.shape


def test_a_generator_of_three_channels_is_imported_and_computes_what_it_did(place):
    net = generator()
    torch.save(net.state_dict(), "G.pth")
    assert imported("G.pth") == 0
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        expected = net["model"](x)
    found = zoo.load("m", device="cpu", precision="float32")(x, to="b")
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert run(["translate", "m", "x.png", "--to", "b", "--out", "o"]) == 0


@pytest.mark.parametrize(
    "extras",
    [
        {"epoch": np.int64(3)},
        {"opt": argparse.Namespace(lr=0.1, gpu_ids=[0])},
        {"best": np.float32(0.1), "history": np.arange(4)},
        {"note": "best of three", "date": None},
    ],
    ids=["numpy-scalar", "namespace", "numpy", "plain"],
)
def test_case_22_extras_beside_the_weights_are_left_out_and_listed(extras, place, capsys):
    torch.save({"state_dict": generator().state_dict(), **extras}, "G.pth")
    assert imported("G.pth") == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in extras)
    assert run(["translate", "m", "x.png", "--to", "b", "--out", "o"]) == 0


def test_case_22_a_file_of_several_nets_is_reached_into(place):
    nets = {"G_A": generator().state_dict(), "G_B": generator().state_dict()}
    torch.save({"ema": nets, "epoch": 3}, "all.pth")
    assert imported("all.pth") != 0
    assert imported("generator_b=all.pth:ema.G_A") == 0


def onnx():
    return b"\x08\x07\x12\x07pytorch\x3a\x04\x0a\x02\x22\x00"


def arrays():
    buffer = io.BytesIO()
    np.savez(buffer, **{"model.1.weight": np.ones(3)})
    return buffer.getvalue()


FILES = {
    "pointer.pth": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "LFS"),
    "page.pth": (b"<!DOCTYPE html><title>Virus scan warning</title>", "web page"),
    "net.onnx": (onnx(), "ONNX"),
    "model.ckpt-100.index": (b"\0\0\1\2" * 30, "TensorFlow"),
    "model.safetensors.index.json": (
        json.dumps({"weight_map": {"x": "model-00001-of-00002.safetensors"}}).encode(),
        "model-00001-of-00002.safetensors",
    ),
    "weights.npz": (arrays(), "NumPy"),
    "weights.h5": (b"\x89HDF\r\n\x1a\n" + bytes(60), "HDF5"),
    "empty.pth": (b"", "empty"),
    "list.pkl": (pickle.dumps([1, 2], protocol=4), "pickle"),
    "packed.pth.gz": (gzip.compress(b"x"), "gzip"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("command", ["import", "translate"])
def test_case_23_a_file_that_is_no_checkpoint_is_called_what_it_is(command, name, place, capsys):
    content, expected = FILES[name]
    (place / name).write_bytes(content)
    other = ["translate", name, "x.png", "--to", "b"]
    assert (imported(name) if command == "import" else run(other)) == 1
    shown = capsys.readouterr().err
    assert expected in shown
    assert name in shown
    assert "damaged" not in shown
    assert not (place / "m").exists()


class Bomb:
    """A pickle of it makes a folder when it is read."""

    def __reduce__(self):
        return (eval, ("__import__('os').mkdir('canary')",))


def test_a_pickle_that_would_call_something_is_refused_and_calls_nothing(place, capsys):
    torch.save({"state_dict": generator().state_dict(), "callback": Bomb()}, "G.pth")
    assert imported("G.pth") == 1
    assert "builtins.eval would be called" in capsys.readouterr().err
    assert not (place / "canary").exists()
