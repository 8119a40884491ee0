"""The nets of XGAN: an encoder and a decoder with a part per domain and a shared part."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import Tensor, nn

from zoo_core.contracts.interfaces import (
    Code,
    Decoder,
    Discriminator,
    DiscriminatorOutput,
    Encoder,
    safe_name,
)
from zoo_core.contracts.signals import Condition
from zoo_xgan.blocks import SIDE, Norm, Upsample, doubled, doublings, normed


class SharedEncoder(Encoder):
    """Stride-2 convolutions, the first ones of each domain's own, then two shared linear layers.

    Args:
        domains: Names of the domains.
        signal: Shape (C, H, W) of the picture.
        width: Channels of the first layer, doubled by each further one.
        code: Width Z of the code.
        own: Convolutions that belong to one domain; the others are shared.
        norm: Normalisation of the hidden convolutions.
    """

    def __init__(
        self,
        domains: Sequence[str],
        signal: tuple[int, ...],
        width: int = 32,
        code: int = 1024,
        *,
        own: int = 2,
        norm: Norm = "group",
    ) -> None:
        super().__init__()
        count = doublings(SIDE, signal[-1])
        widths = [signal[0], *(width << level for level in range(count))]
        pairs = list(itertools.pairwise(widths))

        def stages(chosen: Sequence[tuple[int, int]]) -> nn.Sequential:
            layers: list[nn.Module] = []
            for inner, outer in chosen:
                layers.append(nn.Conv2d(inner, outer, 4, stride=2, padding=1))
                layers += [*normed(outer, norm), nn.ReLU(inplace=True)]
            return nn.Sequential(*layers)

        self.own = nn.ModuleDict({key_of(name): stages(pairs[:own]) for name in domains})
        self.shared = nn.Sequential(
            *stages(pairs[own:]),
            nn.Flatten(),
            nn.Linear(widths[-1] * SIDE**2, code),
            nn.ReLU(inplace=True),
            nn.Linear(code, code),
        )

    def forward(self, x: Tensor, condition: Condition) -> Code:
        """Encodes ``x`` (N, C, H, W) of the condition's one domain: a code (N, Z)."""
        features = self.own[key_of(condition.one_domain)](x)  # (N, F, h, w)
        return Code(self.shared(features))  # (N, Z)


class SharedDecoder(Decoder):
    """Mirrors `SharedEncoder`: the first layers are shared, the last ones each domain's own.

    Args:
        domains: Names of the domains.
        signal: Shape (C, H, W) of the picture.
        width: Channels ahead of the last doubling; each earlier stage has twice as many.
        code: Width Z of the code.
        own: Doublings that belong to one domain; the others are shared.
        norm: Normalisation of the hidden layers.
        upsample: ``transpose`` (4x4, stride 2), or ``nearest`` and a 3x3 convolution.
    """

    def __init__(
        self,
        domains: Sequence[str],
        signal: tuple[int, ...],
        width: int = 64,
        code: int = 1024,
        *,
        own: int = 3,
        norm: Norm = "group",
        upsample: Upsample = "transpose",
    ) -> None:
        super().__init__()
        count = doublings(SIDE, signal[-1])
        widths = [width << level for level in reversed(range(count))]
        pairs = list(itertools.pairwise(widths))
        split = max(0, len(pairs) + 1 - own)

        def stages(chosen: Sequence[tuple[int, int]]) -> list[nn.Module]:
            layers: list[nn.Module] = []
            for inner, outer in chosen:
                layers += [*doubled(inner, outer, upsample), *normed(outer, norm)]
                layers.append(nn.ReLU(inplace=True))
            return layers

        first = [nn.ConvTranspose2d(code, widths[0], SIDE), *normed(widths[0], norm)]
        self.shared = nn.Sequential(*first, nn.ReLU(inplace=True), *stages(pairs[:split]))
        self.own = nn.ModuleDict(
            {
                key_of(name): nn.Sequential(
                    *stages(pairs[split:]), *doubled(widths[-1], signal[0], upsample), nn.Tanh()
                )
                for name in domains
            }
        )

    def forward(self, code: Code, condition: Condition) -> Tensor:
        """Decodes a code (N, Z) into the condition's one domain: (N, C, H, W) in [-1, 1]."""
        features = self.shared(code.decoder_input[:, :, None, None])  # (N, F, h, w)
        y: Tensor = self.own[key_of(condition.one_domain)](features)  # (N, C, H, W)
        return y  # (N, C, H, W)


class PictureDiscriminator(Discriminator):
    """Real or made: stride-2 convolutions down to 4x4, then one linear layer.

    Args:
        signal: Shape (C, H, W) of the picture.
        width: Channels of the first layer; all others have twice as many.
    """

    def __init__(self, signal: tuple[int, ...], width: int = 16) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inner = signal[0]
        for level in range(doublings(SIDE, signal[-1])):
            outer = width if level == 0 else 2 * width
            layers += [nn.Conv2d(inner, outer, 4, stride=2, padding=1), nn.LeakyReLU(0.2, True)]
            inner = outer
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(inner * SIDE**2, 1))

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Judges ``x`` (N, C, H, W): a realness (N, 1)."""
        scores: Tensor = self.layers(x)  # (N, 1)
        return DiscriminatorOutput((scores,))  # (N, 1)


class DomainClassifier(Discriminator):
    """Names the domain of a code: one hidden layer.

    Args:
        code: Width Z of the code.
        domains: Number K of domains.
        width: Width of the hidden layer.
    """

    def __init__(self, code: int, domains: int, width: int = 256) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(code, width), nn.LeakyReLU(0.2, True), nn.Linear(width, domains)
        )

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Judges codes ``x`` (N, Z): logits (N, K); it has no realness."""
        logits: Tensor = self.layers(x)  # (N, K)
        return DiscriminatorOutput((), logits)  # (N, K)


def key_of(domain: str) -> str:
    """The name of a domain's own layers."""
    return safe_name(f"domain_{domain}")
