"""The networks of CycleGAN-VC2 (Kaneko et al. 2019, arXiv:1904.04631, fig. 4)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from zoo_core.contracts.interfaces import Discriminator, DiscriminatorOutput, Generator
from zoo_core.contracts.signals import Condition, TensorSpec

Normalise = Literal["instance", "spectral"]

STRIDE = 4
"""Frames must be a multiple of it: two halvings."""


def speech(order: int, frames: int) -> TensorSpec:
    """The form of speech: so many mel-cepstral coefficients of so many frames."""
    return TensorSpec("speech", (order, frames), low=None, high=None, stride=STRIDE, flexible=1)


class Swish(nn.SiLU):
    """``x * sigmoid(x)``: the gated unit of published code, whose two halves are one."""


class ResidualBlock(nn.Module):
    """A gated convolution over time and one back, added to the input.

    Args:
        channels: Channels.
        inner: Channels between the two.
    """

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.first = nn.Sequential(_conv1(channels, 2 * inner, 3), nn.GLU(dim=1))
        self.second = _conv1(inner, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Adds to ``x`` (N, C, T)."""
        y: Tensor = self.first(x)  # (N, inner, T)
        y = self.second(y)  # (N, C, T)
        return x + y  # (N, C, T)


class Generator212(Generator):
    """2-1-2D: two dimensions to halve and double, one (time) to convert.

    Halving and doubling keep the structure of the mel-cepstrum; in between every coefficient may
    influence every other. A gated convolution is one of twice the channels, half of which gate the
    others. With ``order=36`` and the defaults it has 23,068,289 parameters.

    Args:
        order: Mel-cepstral coefficients of the signal.
        width: Channels of the first layer; doubled by the first halving.
        blocks: Residual blocks.
        skip: How much of the input is added to the output; 0 as published.
        kernel: Coefficients and frames that the first and the last convolution see; odd. With
            few channels they take most of the time.
        side: Side of the convolutions that halve and double; odd.
    """

    def __init__(
        self,
        order: int = 36,
        width: int = 128,
        blocks: int = 6,
        *,
        skip: float = 0.0,
        kernel: tuple[int, int] = (5, 15),
        side: int = 5,
    ) -> None:
        super().__init__()
        inner = 2 * width
        edge = (kernel[0] // 2, kernel[1] // 2)
        self.skip, self.inner, self.height = skip, inner, -(-order // STRIDE)
        flat = inner * self.height
        self.first = nn.Sequential(nn.Conv2d(1, 2 * width, kernel, padding=edge), nn.GLU(dim=1))
        self.down = nn.Sequential(_halving(width, inner, side), _halving(inner, inner, side))
        self.flatten = _conv1(flat, inner, 1)
        self.convert = nn.Sequential(*[ResidualBlock(inner, 2 * inner) for _ in range(blocks)])
        self.unflatten = _conv1(inner, flat, 1)
        self.up = nn.Sequential(_doubling(inner, inner, side), _doubling(inner, width, side))
        self.last = nn.Conv2d(width, 1, kernel, padding=edge)

    def forward(self, x: Tensor, condition: Condition) -> Tensor:
        """Translates ``x`` (N, Q, T), without bounds; T is a multiple of 4."""
        y: Tensor = self.first(x[:, None])  # (N, W, Q, T)
        y = self.down(y)  # (N, 2W, Q/4, T/4)
        y = y.flatten(1, 2)  # (N, 2W * Q/4, T/4)
        y = self.flatten(y)  # (N, 2W, T/4)
        y = self.convert(y)  # (N, 2W, T/4)
        y = self.unflatten(y)  # (N, 2W * Q/4, T/4)
        y = y.unflatten(1, (self.inner, self.height))  # (N, 2W, Q/4, T/4)
        y = self.up(y)  # (N, W, Q, T)
        y = self.last(y)[:, 0, : x.shape[1]]  # (N, Q, T)
        return y + self.skip * x if self.skip else y  # (N, Q, T)


class SpeechPatchDiscriminator(Discriminator):
    """Judges overlapping patches of mel-cepstra; with the defaults it has 11,448,833 parameters.

    Args:
        width: Channels of the first layer; eight times as many in the last.
        normalise: ``instance`` as published, or ``spectral``.
        slope: That of leaky rectifiers; None for `Swish`, as published. Swish halves what is
            small, and spectral normalisation lets nothing grow again: together they learn slowly.
    """

    def __init__(
        self, width: int = 128, normalise: Normalise = "instance", *, slope: float | None = None
    ) -> None:
        super().__init__()
        w, kind = width, normalise
        self.layers = nn.Sequential(
            _normal(nn.Conv2d(1, w, 3, padding=1), kind, plain=True),
            _unit(slope),
            _normal(nn.Conv2d(w, 2 * w, 3, stride=2, padding=1), kind),
            _unit(slope),
            _normal(nn.Conv2d(2 * w, 4 * w, 3, stride=2, padding=1), kind),
            _unit(slope),
            _normal(nn.Conv2d(4 * w, 8 * w, 3, stride=2, padding=1), kind),
            _unit(slope),
            _normal(nn.Conv2d(8 * w, 8 * w, (1, 5), padding=(0, 2)), kind),
            _unit(slope),
            _normal(nn.Conv2d(8 * w, 1, (1, 3), padding=(0, 1)), kind, plain=True),
        )

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Judges ``x`` (N, Q, T); the realness is (N, 1, Q/8, T/8), one value per patch."""
        scores: Tensor = self.layers(x[:, None])  # (N, 1, Q/8, T/8)
        return DiscriminatorOutput((scores,))


def _conv1(inner: int, outer: int, size: int) -> nn.Sequential:
    """A normalised convolution over time that keeps the length."""
    return nn.Sequential(nn.Conv1d(inner, outer, size, padding=size // 2), _instance(outer))


def _halving(inner: int, outer: int, side: int) -> nn.Sequential:
    """Halves both axes; half of the channels gate the others."""
    return nn.Sequential(
        nn.Conv2d(inner, 2 * outer, side, stride=2, padding=side // 2),
        _instance(2 * outer),
        nn.GLU(dim=1),
    )


def _doubling(inner: int, outer: int, side: int) -> nn.Sequential:
    """Doubles both axes by moving channels there (pixel shuffle)."""
    return nn.Sequential(
        nn.Conv2d(inner, 4 * outer, side, padding=side // 2),
        nn.PixelShuffle(2),
        _instance(outer),
        Swish(),
    )


def _unit(slope: float | None) -> nn.Module:
    return Swish() if slope is None else nn.LeakyReLU(slope)


def _normal(conv: nn.Conv2d, kind: Normalise, *, plain: bool = False) -> nn.Module:
    """A convolution, normalised; ``plain`` ones (the first, the last) never by instance."""
    if kind == "spectral":
        return spectral_norm(conv)
    return conv if plain else nn.Sequential(conv, _instance(conv.out_channels))


def _instance(channels: int) -> nn.GroupNorm:
    """Instance normalisation with a scale: groups of one channel, which is quicker on CPUs."""
    return nn.GroupNorm(channels, channels)
