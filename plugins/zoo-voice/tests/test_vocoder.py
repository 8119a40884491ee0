"""Vocoders: WORLD by default, HiFi-GAN from a file, one of a third party through the hook."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

import zoo
from zoo_core.cli import run as zoo_command
from zoo_core.contracts.component import Component
from zoo_core.errors import PluginError, UsageError, WeightsError
from zoo_core.host.hookspecs import hookimpl
from zoo_core.host.plugins import PluginHost
from zoo_core.translate.loading import load
from zoo_voice.audio import Sound
from zoo_voice.hifigan import HiFiGANGenerator, generator_of, log_mel
from zoo_voice.mel import mel_filters
from zoo_voice.vocoder import Vocoder
from zoo_voice.world import HOP, RATE, Analysis

MODEL = "cyclegan-vc-fsdd"


def checkpoint(width: int = 16, **changes: Any) -> dict[str, Tensor]:
    """Random weights under the names and of the shapes that transformers saves them with."""
    draw = torch.Generator().manual_seed(0)
    shapes: dict[str, tuple[int, ...]] = {
        "mean": (80,),
        "scale": (80,),
        "conv_pre.weight": (width, 80, 7),
        "conv_pre.bias": (width,),
    }
    for i in range(4):
        inner, outer = width >> i, width >> (i + 1)
        shapes |= {f"upsampler.{i}.weight": (inner, outer, 8), f"upsampler.{i}.bias": (outer,)}
        for j, size in enumerate((3, 7, 11)):
            for kind in ("convs1", "convs2"):
                for k in range(3):
                    name = f"resblocks.{3 * i + j}.{kind}.{k}"
                    shapes |= {f"{name}.weight": (outer, outer, size), f"{name}.bias": (outer,)}
    shapes |= {"conv_post.weight": (1, width >> 4, 7), "conv_post.bias": (1,)}
    shapes |= changes
    state = {name: 0.2 * torch.randn(shape, generator=draw) for name, shape in shapes.items()}
    return state | {"scale": 1 + state["scale"].abs()}


def waves(w: dict[str, Tensor], mel: Tensor) -> Tensor:
    """What the paper's generator makes of mel spectra (N, T, 80), by plain functions."""
    y = ((mel - w["mean"]) / w["scale"]).transpose(1, 2)
    y = F.conv1d(y, w["conv_pre.weight"], w["conv_pre.bias"], padding=3)
    for i in range(4):
        y = F.leaky_relu(y, 0.1)
        y = F.conv_transpose1d(
            y, w[f"upsampler.{i}.weight"], w[f"upsampler.{i}.bias"], stride=4, padding=2
        )
        total = torch.zeros_like(y)
        for j, size in enumerate((3, 7, 11)):
            x = y
            for k, spread in enumerate((1, 3, 5)):
                h = F.leaky_relu(x, 0.1)
                for kind, gap in (("convs1", spread), ("convs2", 1)):
                    name = f"resblocks.{3 * i + j}.{kind}.{k}"
                    half = gap * (size - 1) // 2
                    h = F.conv1d(
                        h, w[f"{name}.weight"], w[f"{name}.bias"], padding=half, dilation=gap
                    )
                    h = F.leaky_relu(h, 0.1) if kind == "convs1" else h
                x = x + h
            total = total + x
        y = total / 3
    y = F.conv1d(F.leaky_relu(y, 0.01), w["conv_post.weight"], w["conv_post.bias"], padding=3)
    return torch.tanh(y)[:, 0]


def test_the_generator_is_the_published_one() -> None:
    state = checkpoint()
    mel = torch.randn(2, 12, 80, generator=torch.Generator().manual_seed(1))
    made = generator_of(state, asked="x")(mel.transpose(1, 2))
    assert made.shape == (2, 12 * 256)
    torch.testing.assert_close(made, waves(state, mel), rtol=1e-4, atol=1e-5)


def test_at_full_size_it_has_the_published_parameters() -> None:
    with torch.device("meta"):
        net = HiFiGANGenerator()
    assert sum(p.numel() for p in net.parameters()) == 12_656_257


@pytest.mark.numeric
def test_mel_spectra_are_those_that_the_weights_learnt_from() -> None:
    filters = mel_filters(80, 1024, 80.0, 7600.0)
    assert filters.shape == (513, 80)
    widths = RATE / 1024 * filters.sum(0)  # area of each triangle
    np.testing.assert_allclose(widths[20:], 1, atol=0.1)  # narrow ones fall between the bins
    peaks = filters.argmax(0) * RATE / 1024
    assert 80 < peaks[0] < 140
    assert 7300 < peaks[-1] < 7600
    spacing = np.diff(peaks)
    assert spacing[:20].std() < 10  # linear below 1 kHz
    assert spacing[-1] > 3 * spacing[:20].mean()  # logarithmic above
    tone = 0.5 * np.sin(2 * np.pi * 1500 * np.arange(RATE) / RATE)
    mel = log_mel(tone)
    assert mel.shape == (1 + RATE // 256, 80)
    assert (np.abs(peaks[mel[5:-5].argmax(1)] - 1500) < 60).all()
    louder = log_mel(10 * tone)[5:-5].max() - mel[5:-5].max()
    assert louder == pytest.approx(1)  # log10 of magnitudes
    assert log_mel(np.zeros(RATE)).max() == -10


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"conv_pre.weight": (16, 80)}, "layout"),
        ({"upsampler.0.weight": (16, 8, 16)}, "512 samples"),
        ({"conv_post.weight": (1, 2, 7)}, "layout"),
        ({"surplus": (3,)}, "layout"),
    ],
)
def test_weights_of_another_layout_are_refused(change: dict[str, Any], what: str) -> None:
    with pytest.raises(WeightsError, match=what):
        generator_of(checkpoint(**change), asked="vocoder x")
    with pytest.raises(WeightsError, match="layout"):
        generator_of({"a": torch.zeros(1)}, asked="vocoder x")


def test_a_model_speaks_by_hifigan_from_a_file(tmp_path: Path, voice: Any) -> None:
    torch.save(checkpoint(), tmp_path / "generator.bin")
    save_file(checkpoint(), tmp_path / "generator.safetensors")
    sound = Sound(voice(0.5, 110), RATE)
    plain = zoo.load(MODEL, "cpu", precision="float32")(sound, to="nicolas")
    options = ["generator.bin", "generator.safetensors,device=cpu"]
    said = [
        zoo.load(
            MODEL, "cpu", renderer=f"hifigan:weights={tmp_path}/{option}", precision="float32"
        )(sound, to="nicolas")
        for option in options
    ]
    assert said[0].samples.shape == plain.samples.shape
    assert not np.allclose(said[0].samples, plain.samples, atol=1e-3)
    np.testing.assert_array_equal(said[0].samples, said[1].samples)


def test_the_default_is_world_by_name_too(voice: Any) -> None:
    sound = Sound(voice(0.4, 110), RATE)
    plain = zoo.load(MODEL, "cpu", precision="float32")(sound, to="nicolas")
    named = zoo.load(MODEL, "cpu", renderer="world", precision="float32")(sound, to="nicolas")
    np.testing.assert_array_equal(named.samples, plain.samples)


def test_wrong_vocoders_are_named_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.bin").write_bytes(b"no weights")
    for renderer, text in (
        ("hifigam", 'Did you mean "hifigan"?'),
        ("hifigan", "it needs weights"),
        ("hifigan:weights=nowhere.bin", "there is no such file"),
        (f"hifigan:weights={tmp_path}/x.bin", "it is a text"),
    ):
        words = ["translate", MODEL, "x.wav", "--to", "nicolas", "--renderer", renderer]
        words += ["--precision", "float32"]
        assert zoo_command(words) != 0
        error = capsys.readouterr().err
        assert text in error
        assert "Traceback" not in error


class Whistle(Vocoder):
    """A third party's: a tone of the pitch that was asked for."""

    def __init__(self, loudness: float = 0.1) -> None:
        self.loudness = loudness

    def speak(self, analysis: Analysis) -> Any:
        f0 = np.repeat(analysis.f0, HOP)[: (len(analysis) - 1) * HOP]
        return self.loudness * np.sin(2 * np.pi * np.cumsum(f0) / RATE) * (f0 > 0)


class Entry:
    """What an installed entry point looks like to the host."""

    name, value, group, dist = "whistle", "whistle", "zoo", None

    def load(self) -> ModuleType:
        found = [Component("renderer", "whistle", f"{__name__}:Whistle", "A tone")]
        module = ModuleType("whistle_plugin")
        module.zoo_components = hookimpl(lambda: found, specname="zoo_components")  # type: ignore[attr-defined]
        return module


def test_a_third_party_brings_a_vocoder(voice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or ModuleType(__name__))
    monkeypatch.setattr(sys.modules[__name__], "Whistle", Whistle, raising=False)
    ours = entry_points(group="zoo", name="voice")
    host = PluginHost([*ours, Entry()], strict=True)  # type: ignore[list-item]
    sound = Sound(voice(0.5, 110), RATE)
    translator = load(
        MODEL, "cpu", renderer="whistle:loudness=0.25", host=host, precision="float32"
    )
    samples = translator(sound, to="nicolas").samples
    assert np.abs(samples).max() == pytest.approx(0.25, abs=0.01)


def test_what_is_no_vocoder_is_refused(voice: Any) -> None:
    with pytest.raises(UsageError, match="it is no vocoder"):
        load(MODEL, "cpu", renderer=object())

    class Short(Vocoder):
        def speak(self, analysis: Analysis) -> Any:
            return np.zeros(7)

    translator = load(MODEL, "cpu", renderer=Short(), precision="float32")
    with pytest.raises(PluginError, match="vocoder Short"):
        translator(Sound(voice(0.4), RATE), to="nicolas")
