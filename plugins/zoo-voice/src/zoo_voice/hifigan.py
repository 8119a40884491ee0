"""HiFi-GAN (Kong et al. 2020, arXiv:2010.05646) in the layout of ``microsoft/speecht5_hifigan``.

Its input has pitch in it, which a spectral envelope has not. So WORLD speaks first, and HiFi-GAN
says again what the mel spectrogram of that holds.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo_core.errors import UsageError, WeightsError
from zoo_core.models.modeldir import model_source
from zoo_core.translate.engine import resolve_device
from zoo_import.checkpoint import read_state
from zoo_voice.cepstrum import Floats
from zoo_voice.mel import mel_filters
from zoo_voice.vocoder import Vocoder
from zoo_voice.world import Analysis, synthesise

STEP = 256
"""Samples from one mel spectrum to the next: 16 ms."""
_FFT, _LOW, _HIGH, _LEAST = 1024, 80.0, 7600.0, 1e-10
_DILATIONS = (1, 3, 5)
_SLOPE = 0.1
_FILE = "pytorch_model.bin"


class ResidualBlock(nn.Module):
    """Three dilated convolutions, each with a plain one behind it, each pair added to its input.

    Args:
        channels: Channels.
        size: Size of the kernels, odd.
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        half = size // 2
        self.convs1 = nn.ModuleList(
            nn.Conv1d(channels, channels, size, dilation=d, padding=d * half) for d in _DILATIONS
        )
        self.convs2 = nn.ModuleList(
            nn.Conv1d(channels, channels, size, padding=half) for _ in _DILATIONS
        )

    def forward(self, x: Tensor) -> Tensor:
        """Adds to ``x`` (N, C, T) three times."""
        for first, second in zip(self.convs1, self.convs2, strict=True):
            y = first(F.leaky_relu(x, _SLOPE))  # (N, C, T)
            x = x + second(F.leaky_relu(y, _SLOPE))  # (N, C, T)
        return x  # (N, C, T)


class HiFiGANGenerator(nn.Module):
    """Waves of mel spectra: transposed convolutions, each followed by the mean of some blocks.

    Args:
        bins: Mel bins.
        width: Channels of the first layer, halved at each doubling of the rate.
        kernels: Size of each transposed convolution; its stride is half of it.
        sizes: Sizes of the kernels of the blocks behind each.
    """

    def __init__(
        self,
        bins: int = 80,
        width: int = 512,
        kernels: tuple[int, ...] = (8, 8, 8, 8),
        sizes: tuple[int, ...] = (3, 7, 11),
    ) -> None:
        super().__init__()
        self.sizes = sizes
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.zeros(bins))
        self.register_buffer("scale", torch.ones(bins))
        self.conv_pre = nn.Conv1d(bins, width, 7, padding=3)
        widths = [width >> i for i in range(len(kernels) + 1)]
        self.upsampler = nn.ModuleList(
            nn.ConvTranspose1d(inner, outer, size, stride=size // 2, padding=size // 4)
            for inner, outer, size in zip(widths, widths[1:], kernels, strict=False)
        )
        self.resblocks = nn.ModuleList(
            ResidualBlock(channels, size) for channels in widths[1:] for size in sizes
        )
        self.conv_post = nn.Conv1d(widths[-1], 1, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        """(N, S * T) waves within [-1, 1] of mel spectra ``x`` (N, bins, T), S the strides."""
        y = (x - self.mean[:, None]) / self.scale[:, None]  # (N, bins, T)
        y = self.conv_pre(y)  # (N, W, T)
        count = len(self.sizes)
        for i, up in enumerate(self.upsampler):
            y = up(F.leaky_relu(y, _SLOPE))  # (N, W / 2, 4 T), say
            blocks = self.resblocks[count * i : count * (i + 1)]
            y = torch.stack([block(y) for block in blocks]).mean(0)  # (N, W / 2, 4 T)
        y = self.conv_post(F.leaky_relu(y))  # (N, 1, S * T), slope 0.01 as published
        return y[:, 0].tanh()  # (N, S * T)


class HiFiGAN(Vocoder):
    """``--renderer hifigan:weights=microsoft/speecht5_hifigan``.

    Args:
        weights: A file, or ``org/repo[@revision][:file]`` of the Hub, in this layout: 16 kHz,
            80 mel bins, 256 samples a step. Forms are read off the weights.
        device: ``cpu``, ``auto`` or a device.

    Raises:
        UsageError: If ``weights`` is neither a file nor of the form of a repository.
        HubError: If the Hub cannot be reached, or has no such file.
        WeightsError: If the file is damaged or of another layout.
    """

    def __init__(self, weights: str, device: str = "cpu") -> None:
        self.device = resolve_device(device)
        self.net = generator_of(read_state(_located(weights)), asked=f"vocoder {weights}")
        self.net.to(self.device).eval().requires_grad_(False)

    def speak(self, analysis: Analysis) -> Floats:
        """(n,) what WORLD says of T frames, said again."""
        wave = synthesise(analysis)  # (n,)
        bins = len(self.net.mean)
        mel = torch.from_numpy(log_mel(wave, bins).T.astype(np.float32))  # (bins, T')
        with torch.inference_mode():
            said = self.net(mel[None].to(self.device))[0]  # (256 * T',)
        result: Floats = said.cpu().double().numpy()[: len(wave)]  # (n,)
        return result


def generator_of(state: Mapping[str, Tensor], *, asked: str) -> HiFiGANGenerator:
    """The generator whose weights these are; its form is read off their shapes.

    Raises:
        WeightsError: If the layout is another one, or weights do not fit.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    try:
        width, bins, _ = shapes["conv_pre.weight"]
        count = sum(name.startswith("upsampler.") and name.endswith("weight") for name in shapes)
        kernels = tuple(shapes[f"upsampler.{i}.weight"][2] for i in range(count))
        blocks = sum(name.endswith("convs1.0.weight") for name in shapes) // max(1, count)
        sizes = tuple(shapes[f"resblocks.{i}.convs1.0.weight"][2] for i in range(blocks))
        if prod(size // 2 for size in kernels) != STEP:
            raise WeightsError(
                f"it makes {prod(size // 2 for size in kernels)} samples of a step, not {STEP}",
                asked=asked,
                hint="Use a vocoder of 16 kHz with 256 samples a step.",
            )
        net = HiFiGANGenerator(bins, width, kernels, sizes)
        net.load_state_dict(dict(state))
    except (KeyError, IndexError, ValueError, RuntimeError) as fault:
        raise WeightsError(
            f"it is no HiFi-GAN in the layout of microsoft/speecht5_hifigan ({_gist(fault)})",
            asked=asked,
            hint="Use such a file, or write a zoo_voice.vocoder.Vocoder for another layout.",
        ) from fault
    return net


def log_mel(samples: npt.ArrayLike, bins: int = 80) -> Floats:
    """(T, bins) log10 of mel spectra, as SpeechT5 learnt from: ``1 + n // 256`` of (n,) samples."""
    x = np.pad(np.asarray(samples, np.float64), _FFT // 2, mode="reflect")  # (n + 1024,)
    views = np.lib.stride_tricks.sliding_window_view(x, _FFT)[::STEP]  # (T, 1024)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FFT) / _FFT)  # (1024,)
    magnitude = np.abs(np.fft.rfft(views * window))  # (T, 513)
    mel = magnitude @ mel_filters(bins, _FFT, _LOW, _HIGH)  # (T, bins)
    result: Floats = np.log10(np.maximum(mel, _LEAST))  # (T, bins)
    return result


def _located(weights: str) -> Path:
    """The file, fetched where it is a repository's."""
    if os.path.exists(weights):  # noqa: PTH110  (takes any text)
        return Path(weights)
    asked = f"vocoder {weights}"
    hub = model_source(asked)
    if not hub.recognises(weights):
        raise UsageError(
            "there is no such file",
            asked=asked,
            hint="Give a file, or ORG/REPO of the Hub, such as microsoft/speecht5_hifigan.",
        )
    return hub.file(weights if ":" in weights else f"{weights}:{_FILE}", asked=asked)


def _gist(fault: Exception) -> str:
    text = " ".join(str(fault).split())
    return f"{type(fault).__name__}: {text}"[:160]
