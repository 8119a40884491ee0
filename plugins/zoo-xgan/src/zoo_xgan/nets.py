"""The nets of DTN: a frozen encoder, a decoder, a critic of origins."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from zoo_core.contracts.interfaces import Code, Decoder, Discriminator, DiscriminatorOutput, Encoder
from zoo_core.contracts.signals import Condition
from zoo_core.errors import UsageError
from zoo_nn.nets.backbone import Backbone
from zoo_xgan.blocks import SIDE, Norm, Upsample, doubled, doublings, normed


class BackboneEncoder(Encoder):
    """The features of a trained backbone as the code: DTN's f.

    Args:
        backbone: The backbone; frozen, always in evaluation mode.
        layer: Name of its layer.
        tuned: Whether its parameters learn on (normalisation keeps its statistics).
    """

    def __init__(self, backbone: Backbone, layer: str, *, tuned: bool = False) -> None:
        super().__init__()
        self.backbone, self.layer = backbone, layer
        if tuned:
            for parameter in backbone.parameters():
                parameter.requires_grad_(True)
                parameter.frozen = False  # type: ignore[attr-defined]

    def forward(self, x: Tensor, condition: Condition) -> Code:
        """Encodes ``x`` (N, C, H, W): a code (N, F), or (N, F, h, w) of an inner layer."""
        features = self.backbone(x, [self.layer])  # {layer: (N, F) or (N, F, h, w)}
        return Code(features[self.layer])  # (N, F) or (N, F, h, w)

    def code_shape(self, signal: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the code of one signal."""
        with torch.no_grad():
            found: Tensor = self.backbone(torch.zeros(1, *signal), [self.layer])[self.layer]
        return tuple(found.shape[1:])


class CodeDecoder(Decoder):
    """A picture from a code: DTN's g. It doubles the side until it is that of the picture.

    Args:
        code: Shape of the code: (F,) or (F, h, w).
        signal: Shape (C, H, W) of the picture.
        width: Channels ahead of the last doubling; each earlier stage has twice as many, at most
            eight times ``width``.
        norm: Normalisation of the hidden layers.
        upsample: ``transpose`` (4x4, stride 2), or ``nearest`` and a 3x3 convolution.
    """

    def __init__(
        self,
        code: tuple[int, ...],
        signal: tuple[int, ...],
        width: int = 128,
        *,
        norm: Norm = "batch",
        upsample: Upsample = "transpose",
    ) -> None:
        super().__init__()
        channels, height, side = signal
        start = code[-1] if len(code) == 3 else SIDE
        count = doublings(start, side)
        if height != side or (len(code) == 3 and code[1] != start):
            raise UsageError("it makes square pictures", asked=f"pictures of {height}x{side}")
        widths = [width * min(8, 2**level) for level in reversed(range(count))]
        first = (
            nn.Conv2d(code[0], widths[0], 3, padding=1)
            if len(code) == 3
            else nn.ConvTranspose2d(code[0], widths[0], SIDE)
        )
        layers: list[nn.Module] = [first, *normed(widths[0], norm), nn.ReLU(inplace=True)]
        for inner, outer in itertools.pairwise(widths):
            layers += [*doubled(inner, outer, upsample), *normed(outer, norm)]
            layers.append(nn.ReLU(inplace=True))
        self.layers = nn.Sequential(*layers, *doubled(widths[-1], channels, upsample))

    def forward(self, code: Code, condition: Condition) -> Tensor:
        """Decodes a code (N, F) or (N, F, h, w) to (N, C, H, W) in [-1, 1]."""
        z = code.decoder_input  # (N, F) or (N, F, h, w)
        z = z[:, :, None, None] if z.ndim == 2 else z  # (N, F, 1, 1) or (N, F, h, w)
        y: Tensor = self.layers(z)  # (N, C, H, W)
        return torch.tanh(y)  # (N, C, H, W)


class OriginDiscriminator(Discriminator):
    """Says where a picture comes from: one of several translations, or (the last class) reality.

    Stride-2 convolutions reduce the picture to 4x4, a last one reads all of that.

    Args:
        signal: Shape (C, H, W) of the picture.
        classes: Number K of origins.
        width: Channels of the first layer, doubled by each further one up to 4 times.
        norm: Normalisation of all layers but the first and the last.
        slope: Negative slope of the ReLUs.
    """

    def __init__(
        self,
        signal: tuple[int, ...],
        classes: int = 3,
        width: int = 128,
        *,
        norm: Norm = "batch",
        slope: float = 0.2,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inner = signal[0]
        for level in range(doublings(SIDE, signal[-1])):
            outer = width * min(4, 2**level)
            layers.append(nn.Conv2d(inner, outer, 4, stride=2, padding=1))
            layers += normed(outer, norm if level else "none")
            layers.append(nn.LeakyReLU(slope, inplace=True))
            inner = outer
        self.layers = nn.Sequential(*layers, nn.Conv2d(inner, classes, SIDE))

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Judges ``x`` (N, C, H, W); the realness (N,) is the log-odds of the last class."""
        logits = self.layers(x).flatten(1)  # (N, K)
        scores = logits[:, -1] - logits[:, :-1].logsumexp(1)  # (N,)
        return DiscriminatorOutput((scores,), logits)  # (N,), (N, K)
