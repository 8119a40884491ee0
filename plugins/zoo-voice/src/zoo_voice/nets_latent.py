"""The networks of latent-vc (Chou et al. 2018, arXiv:1804.02812, fig. 2), to the parameter.

All convolutions over time pad by reflection, so that frames are only divided, never lost.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from zoo_core.contracts.interfaces import Code, Decoder, Discriminator, Encoder, Verdict
from zoo_core.contracts.signals import Condition
from zoo_nn.nets.norm import instance_norm

STRIDE = 8
"""Frames per position of the code: three halvings."""

BANK = 7
"""Kernel sizes 1 to 7 read the signal side by side."""


class _Normal(nn.Module):
    """LeakyReLU, then mean and deviation over time are taken out, then dropout."""

    def __init__(self, slope: float, dropout: float = 0.0) -> None:
        super().__init__()
        self.slope, self.dropout = slope, nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Normalises ``x`` (N, C, *S)."""
        y = F.leaky_relu(x, self.slope)  # (N, C, *S)
        y = instance_norm(y)  # (N, C, *S)
        dropped: Tensor = self.dropout(y)  # (N, C, *S)
        return dropped  # (N, C, *S)


class _Recurrent(nn.Module):
    """A GRU over time, in both directions."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.gru = nn.GRU(channels, hidden, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 2 * hidden, T) of ``x`` (N, C, T)."""
        y: Tensor = self.gru(x.transpose(1, 2))[0]  # (N, T, 2 * hidden)
        return y.transpose(1, 2)  # (N, 2 * hidden, T)


class ContentEncoder(Encoder):
    """One encoder for all voices: instance norm takes out what does not change with time.

    With 513 rows and the defaults it has 12,366,208 parameters.

    Args:
        rows: Coefficients of the signal.
        width: Channels of the code.
        bank: Channels of each kernel size of the first layer.
        hidden: Width of the recurrent layer, per direction of time; 0 for none.
        dropout: Part of the activations that is dropped, after each normalisation.
    """

    def __init__(
        self,
        rows: int = 513,
        width: int = 512,
        bank: int = 128,
        hidden: int = 128,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.bank = nn.ModuleList(_conv(rows, bank, size) for size in range(1, BANK + 1))
        self.first = nn.Sequential(
            nn.LeakyReLU(0.2), _conv(BANK * bank + rows, width, 1), _Normal(0.2, dropout)
        )
        self.halving = nn.ModuleList(
            nn.Sequential(
                _conv(width, width, 5),
                nn.LeakyReLU(0.2),
                _conv(width, width, 5, stride=2),
                _Normal(0.2, dropout),
            )
            for _ in range(3)
        )
        self.dense = nn.ModuleList(
            nn.Sequential(
                _conv(width, width, 1),
                nn.LeakyReLU(0.2),
                _conv(width, width, 1),
                _Normal(0.2, dropout),
            )
            for _ in range(2)
        )
        self.recurrent = _Recurrent(width, hidden) if hidden else None
        self.last = nn.Sequential(_conv(width + 2 * hidden, width, 1), nn.LeakyReLU(0.2))

    def forward(self, x: Tensor, condition: Condition) -> Code:
        """Encodes ``x`` (N, Q, T) whosever voice it is; T is a multiple of 8."""
        y = torch.cat([*(conv(x) for conv in self.bank), x], dim=1)  # (N, 7 * bank + Q, T)
        y = self.first(y)  # (N, W, T)
        for block in self.halving:
            y = F.avg_pool1d(y, 2) + block(y)  # (N, W, T/2), in the end T/8
        for block in self.dense:
            y = y + block(y)  # (N, W, T/8)
        if self.recurrent is not None:
            y = torch.cat([y, self.recurrent(y)], dim=1)  # (N, W + 2 * hidden, T/8)
        y = self.last(y)  # (N, W, T/8)
        return Code(y)  # (N, W, T/8)


class VoiceDecoder(Decoder):
    """Speaks a code: in one voice, or, told the condition at every block, in any of several.

    With 513 rows, 20 voices and the other defaults it has 10,417,153 parameters.

    Args:
        rows: Coefficients of the signal.
        width: Channels of the code.
        voices: Number of voices that it is told of; 0 where it has one of its own.
        recurrent: Whether it has a recurrent layer.
        silent: Whether it gives 0 until it is trained, so that it can be added to another's output.
    """

    def __init__(
        self,
        rows: int = 513,
        width: int = 512,
        voices: int = 20,
        *,
        recurrent: bool = True,
        silent: bool = False,
    ) -> None:
        super().__init__()
        self.told = nn.ModuleList(nn.Embedding(voices, width) for _ in range(5 if voices else 0))
        self.rise = nn.ModuleList(_conv(width, 2 * width, 3) for _ in range(3))
        self.refine = nn.ModuleList(_conv(width, width, 3) for _ in range(3))
        self.dense = nn.ModuleList(_conv(width, width, 1) for _ in range(4))
        self.normal = _Normal(0.2)
        self.recurrent = _Recurrent(width, width // 2) if recurrent else None
        self.head = _conv(width * (1 + recurrent + bool(voices)), width, 1)
        self.last = nn.Conv1d(width, rows, 1)
        if silent:
            nn.init.zeros_(self.last.weight)
            nn.init.zeros_(cast("Tensor", self.last.bias))

    def forward(self, code: Code, condition: Condition) -> Tensor:
        """Decodes into the voice of ``condition``, without bounds: (N, Q, T) of (N, W, T/8)."""
        y = code.read  # (N, W, T/8)
        voice = self._voices(condition)  # 5 of (N, W, 1)
        for at, (rise, refine) in enumerate(zip(self.rise, self.refine, strict=True)):
            z = F.leaky_relu(rise(y + voice[at]), 0.2)  # (N, 2W, t)
            z = self.normal(refine(_interleave(z) + voice[at]))  # (N, W, 2t)
            y = y.repeat_interleave(2, dim=2) + z  # (N, W, 2t), in the end T
        for first, second in (self.dense[:2], self.dense[2:]):
            z = F.leaky_relu(first(y + voice[3]), 0.2)  # (N, W, T)
            y = y + self.normal(second(z + voice[3]))  # (N, W, T)
        parts = [y]  # (N, W, T) each
        if self.recurrent is not None:
            parts.append(self.recurrent(y + voice[4]))  # (N, W, T)
        if self.told:
            parts.append(voice[4].expand_as(y))  # (N, W, T)
        y = F.leaky_relu(self.head(torch.cat(parts, dim=1)), 0.2)  # (N, W, T)
        spoken: Tensor = self.last(y)  # (N, Q, T)
        return spoken  # (N, Q, T)

    def _voices(self, condition: Condition) -> list[Tensor]:
        """What each of five places is told of the voice: (N, W, 1) each; 0 where nothing is."""
        if not self.told:
            return [self.last.weight.new_zeros(1, 1, 1)] * 5
        label = condition.label  # (N, K)
        return [(label.to(told.weight.dtype) @ told.weight)[:, :, None] for told in self.told]


class SpeakerClassifier(Discriminator):
    """Names the voice that a code comes from. With 20 voices it has 8,400,276 parameters.

    Args:
        width: Channels of the code.
        voices: Number of voices.
        length: Positions of the codes that it is trained on.
        dropout: Part of the activations that is dropped, after each normalisation.
    """

    def __init__(
        self, width: int = 512, voices: int = 20, length: int = 16, dropout: float = 0.1
    ) -> None:
        super().__init__()

        def pair(inner: int, middle: int, outer: int, size: int) -> nn.Sequential:
            return nn.Sequential(
                _conv(inner, middle, size),
                nn.LeakyReLU(0.01),
                _conv(middle, outer, size),
                _Normal(0.01, dropout),
            )

        self.first = pair(width, width, width, 5)
        self.blocks = nn.ModuleList(pair(width, width, width, 5) for _ in range(2))
        self.narrow = pair(width, width // 2, width // 4, 3)
        self.head = nn.Conv1d(width // 4, voices, length)

    def forward(self, x: Tensor) -> Verdict:
        """Judges codes ``x`` (N, W, length): logits (N, K)."""
        y = self.first(x)  # (N, W, length)
        for block in self.blocks:
            y = y + block(y)  # (N, W, length)
        y = self.narrow(y)  # (N, W/4, length)
        logits: Tensor = self.head(y)[:, :, 0]  # (N, K)
        return Verdict((), logits)  # (N, K)


class VoiceDiscriminator(Discriminator):
    """Judges a stretch of speech, real or made, and names its voice.

    With (513, 128) signals and 20 voices it has 10,919,604 parameters.

    Args:
        shape: Coefficients and frames of the signals.
        width: Channels of the first layer, doubled by each further one up to eight times as many.
        voices: Number of voices.
        layers: Stride-2 convolutions.
        dropout: Part of the activations that is dropped.
        spectral: Normalise the weights' spectrum instead of the activations, as least squares
            without a gradient penalty ask for.
    """

    def __init__(
        self,
        shape: tuple[int, int] = (513, 128),
        width: int = 64,
        voices: int = 20,
        layers: int = 5,
        dropout: float = 0.1,
        *,
        spectral: bool = False,
    ) -> None:
        super().__init__()

        def normal(conv: nn.Module) -> nn.Module:
            return spectral_norm(conv) if spectral else conv

        stages: list[nn.Module] = []
        (rows, frames), inner = shape, 1
        for level in range(layers):
            outer = min(width << level, 8 * width)
            stages.append(normal(nn.Conv2d(inner, outer, 5, stride=2, padding=2)))
            if spectral:
                stages += [nn.LeakyReLU(0.2), nn.Dropout(dropout)]
            else:
                stages.append(_Normal(0.2, dropout))
            rows, frames, inner = -(-rows // 2), -(-frames // 2), outer
        narrow, size = width // 2, (rows, frames)
        self.body = nn.Sequential(*stages, normal(nn.Conv2d(inner, narrow, 1)), nn.LeakyReLU(0.2))
        # No bias: a Wasserstein critic is the difference of two of its answers.
        self.real = normal(nn.Conv2d(narrow, 1, size, bias=False))
        self.voice = nn.Conv2d(narrow, voices, size)

    def forward(self, x: Tensor) -> Verdict:
        """Judges ``x`` (N, Q, T) of the form that it was built for."""
        y = self.body(x[:, None])  # (N, W/2, Q / 2**L, T / 2**L)
        realness: Tensor = self.real(y)[:, 0, 0, 0]  # (N,)
        logits: Tensor = self.voice(y)[:, :, 0, 0]  # (N, K)
        return Verdict((realness,), logits)  # (N,), (N, K)


def _conv(inner: int, outer: int, size: int, stride: int = 1) -> nn.Module:
    """A convolution over time that reflects the signal at its ends."""
    conv = nn.Conv1d(inner, outer, size, stride)
    if size == 1:
        return conv
    return nn.Sequential(nn.ReflectionPad1d((size // 2, (size - 1) // 2)), conv)


def _interleave(x: Tensor) -> Tensor:
    """(N, C, 2T) of ``x`` (N, 2C, T): channels become frames (pixel shuffle over time)."""
    y = x.unflatten(1, (-1, 2))  # (N, C, 2, T)
    return y.transpose(2, 3).flatten(2)  # (N, C, 2T)
