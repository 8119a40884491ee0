"""The networks of StarGAN-VC: one for all voices (Kameoka et al., arXiv:1806.02169 and 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from zoo_core.contracts.interfaces import Discriminator, Generator, Verdict
from zoo_core.contracts.signals import Condition
from zoo_nn.nets.norm import InstanceNorm

_FOLD = 2  # frames that become channels


class GatedConv(nn.Module):
    """A weight-normalised convolution over time, normalised by instance, whose half gates the rest.

    Args:
        inner: Channels in.
        outer: Channels out.
        size: Frames that the kernel covers.
        stride: 1, or 2 to halve the frames.
        transpose: Whether a stride of 2 doubles them instead.
    """

    def __init__(
        self, inner: int, outer: int, size: int, stride: int = 1, *, transpose: bool = False
    ) -> None:
        super().__init__()
        kind = nn.ConvTranspose1d if transpose else nn.Conv1d
        conv = kind(inner, 2 * outer, size, stride, padding=(size - stride) // 2)
        nn.init.xavier_normal_(conv.weight, gain=0.1)
        self.conv = weight_norm(conv)
        self.norm = InstanceNorm(2 * outer)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C', T') of ``x`` (N, C, T)."""
        y: Tensor = self.norm(self.conv(x))  # (N, 2C', T')
        value, gate = y.chunk(2, dim=1)  # (N, C', T') each
        return value * gate.sigmoid()  # (N, C', T')


class ConditionalGenerator(Generator):
    """One generator for all voices, over time alone: every coefficient is a channel.

    Five gated convolutions lead to a code of few channels at a quarter of the frames, five lead
    back; each of the latter reads the embedding of the voice that is asked for, each of the former
    that of the input's voice, where it is told. With 80 channels and the defaults it has 569,568
    parameters.

    Args:
        order: Mel-cepstral coefficients of the signal.
        voices: Number K of voices.
        width: Channels inside.
        code: Channels of the code.
        embedding: Size of a voice's embedding.
        source: Whether it is told the input's voice, too.
        skip: How much of the input is added to the output; 0 as published.
    """

    def __init__(
        self,
        order: int = 80,
        voices: int = 4,
        width: int = 64,
        code: int = 16,
        embedding: int = 16,
        *,
        source: bool = False,
        skip: float = 0.0,
    ) -> None:
        super().__init__()
        w, e, s = width, embedding, embedding if source else 0
        self.voices, self.skip = voices, skip
        self.target = _embedding(voices, e)
        self.source = _embedding(voices, e) if source else None
        self.encode = nn.ModuleList(
            [
                GatedConv(order + s, w, 9),
                GatedConv(w + s, w, 8, 2),
                GatedConv(w + s, w, 8, 2),
                GatedConv(w + s, w, 5),
                GatedConv(w + s, code, 5),
            ]
        )
        self.decode = nn.ModuleList(
            [
                GatedConv(code + e, w, 5, transpose=True),
                GatedConv(w + e, w, 5, transpose=True),
                GatedConv(w + e, w, 8, 2, transpose=True),
                GatedConv(w + e, w, 8, 2, transpose=True),
            ]
        )
        self.last = nn.Conv1d(w + e, order, 9, padding=4)

    def forward(self, x: Tensor, condition: Condition) -> Tensor:
        """Translates ``x`` (N, Q, T), without bounds; T is a multiple of 4.

        Args:
            x: Signals.
            condition: (N, K) the voice asked for; (N, 2K), where the input's voice is told: that
                after it.
        """
        label = condition.label.to(x.dtype)  # (N, K) or (N, 2K)
        target = self.target(label[:, : self.voices])  # (N, E)
        y = x  # (N, Q, T)
        for layer in self.encode:
            if self.source is not None:
                y = _told(y, self.source(label[:, self.voices :]))  # (N, C + E, T')
            y = layer(y)  # (N, C', T'), at last (N, Z, T/4)
        for layer in self.decode:
            y = layer(_told(y, target))  # (N, W, T'), at last (N, W, T)
        y = self.last(_told(y, target))  # (N, Q, T)
        return y + self.skip * x if self.skip else y  # (N, Q, T)


class ToldBlock(nn.Module):
    """A gated convolution over time that is told a voice, and one back, added to the input.

    Args:
        width: Channels.
        embedding: Size of a voice's embedding.
    """

    def __init__(self, width: int, embedding: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(width + embedding, 2 * width, 3, padding=1)
        self.second = nn.Conv1d(width, width, 3, padding=1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Adds to ``x`` (N, C, T), told (N, E)."""
        y = F.glu(self.first(_told(x, embedding)), dim=1)  # (N, C, T)
        y = self.second(y)  # (N, C, T)
        return x + y  # (N, C, T)


class ResidualGenerator(Generator):
    """One generator for all voices that adds to what it sees, block by block. Not published.

    Frames are folded in pairs into the channels, and nothing is normalised or narrowed, so that
    what is said passes from the first step on; every block is told the voice.

    Args:
        order: Mel-cepstral coefficients of the signal.
        voices: Number K of voices.
        width: Channels inside.
        blocks: Residual blocks.
        embedding: Size of a voice's embedding.
        source: Whether it is told the input's voice, too.
        skip: How much of the input is added to the output.
    """

    def __init__(
        self,
        order: int = 24,
        voices: int = 4,
        width: int = 64,
        blocks: int = 6,
        embedding: int = 16,
        *,
        source: bool = False,
        skip: float = 0.5,
    ) -> None:
        super().__init__()
        self.skip, told = skip, voices * (1 + source)
        self.voice = _embedding(told, embedding)
        self.first = nn.Conv1d(_FOLD * order, width, 3, padding=1)
        self.blocks = nn.ModuleList([ToldBlock(width, embedding) for _ in range(blocks)])
        self.last = nn.Conv1d(width + embedding, _FOLD * order, 3, padding=1)

    def forward(self, x: Tensor, condition: Condition) -> Tensor:
        """Translates ``x`` (N, Q, T), without bounds; conditions as for `ConditionalGenerator`."""
        voice = self.voice(condition.label.to(x.dtype))  # (N, E)
        y = x.unflatten(2, (-1, _FOLD)).movedim(3, 2).flatten(1, 2)  # (N, 2Q, T/2)
        y = self.first(y)  # (N, W, T/2)
        for block in self.blocks:
            y = block(y, voice)  # (N, W, T/2)
        y = self.last(_told(y, voice))  # (N, 2Q, T/2)
        y = y.unflatten(1, (-1, _FOLD)).movedim(2, 3).flatten(2)  # (N, Q, T)
        return y + self.skip * x if self.skip else y  # (N, Q, T)


class VoiceDiscriminator(Discriminator):
    """Real or made, and whose voice, for every fourth frame; one body, two heads.

    With 80 channels and the defaults it has 90,400 parameters.

    Args:
        order: Mel-cepstral coefficients of the signal.
        voices: Number K of voices.
        width: Channels inside.
        dropout: Part of the channels' values that is dropped after each layer.
    """

    def __init__(
        self, order: int = 80, voices: int = 4, width: int = 32, dropout: float = 0.1
    ) -> None:
        super().__init__()
        w = width
        layers = [
            GatedConv(order, w, 9),
            GatedConv(w, w, 8, 2),
            GatedConv(w, w, 8, 2),
            GatedConv(w, w, 5),
        ]
        self.body = nn.Sequential(*[part for one in layers for part in (one, nn.Dropout(dropout))])
        self.realness = nn.Conv1d(w, 1, 5, padding=2, bias=False)
        self.voice = nn.Conv1d(w, voices, 5, padding=2, bias=False)
        for head in (self.realness, self.voice):
            nn.init.xavier_normal_(head.weight, gain=0.1)

    def forward(self, x: Tensor) -> Verdict:
        """Judges ``x`` (N, Q, T): realness (N, 1, T/4), logits (N, K, T/4)."""
        y = self.body(x)  # (N, W, T/4)
        return Verdict((self.realness(y),), self.voice(y))  # (N, 1, T/4), (N, K, T/4)


class ManyVoicesDiscriminator(Discriminator):
    """Judges as which voice every fourth frame is real, and whose it is. Not published.

    The body is spectrally normalised, without gates; the heads are not, so that it learns quickly
    how the voices differ.

    Args:
        order: Mel-cepstral coefficients of the signal.
        voices: Number K of voices.
        width: Channels of the first layers; twice as many in the last.
    """

    def __init__(self, order: int = 24, voices: int = 4, width: int = 64) -> None:
        super().__init__()
        w = width
        self.body = nn.Sequential(
            spectral_norm(nn.Conv1d(order, w, 5, padding=2)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv1d(w, w, 6, stride=2, padding=2)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv1d(w, 2 * w, 6, stride=2, padding=2)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv1d(2 * w, 2 * w, 5, padding=2)),
            nn.LeakyReLU(0.2),
        )
        self.realness = nn.Conv1d(2 * w, voices, 3, padding=1)
        self.voice = nn.Conv1d(2 * w, voices, 3, padding=1)

    def forward(self, x: Tensor) -> Verdict:
        """Judges ``x`` (N, Q, T): realness and logits (N, K, T/4)."""
        y = self.body(x)  # (N, 2W, T/4)
        return Verdict((self.realness(y),), self.voice(y))  # (N, K, T/4) each


def _embedding(voices: int, size: int) -> nn.Linear:
    """(N, E) of one-hot labels (N, K): a table of embeddings, drawn from a normal distribution."""
    table = nn.Linear(voices, size, bias=False)
    nn.init.normal_(table.weight)
    return table


def _told(x: Tensor, embedding: Tensor) -> Tensor:
    """(N, C + E, T) ``x`` (N, C, T) with an embedding (N, E) beside every frame."""
    beside = embedding[:, :, None].expand(-1, -1, x.shape[2])  # (N, E, T)
    return torch.cat([x, beside], dim=1)  # (N, C + E, T)
