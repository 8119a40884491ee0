"""The nets of CoGAN (Liu and Tuzel 2016, arXiv:1606.07536; official code for MNIST and USPS)."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from torch import Tensor, nn

from zoo_core.contracts.interfaces import Code, Decoder, Discriminator, DiscriminatorOutput, Encoder
from zoo_core.contracts.signals import Condition
from zoo_core.errors import UsageError
from zoo_nn.nets.init import init_xavier_uniform


def decoder_sides(size: int, doublings: int) -> list[int]:
    """Height of what each layer of `SharedLayers` makes, for pictures of ``size`` pixels.

    The last layer of all adds 3, so 28 pixels come from 25, 13, 7 and 4.
    """
    sides = [size - 3]
    for _ in range(doublings):
        sides.append((sides[-1] + 1) // 2)
    return sides[::-1]


def critic_sides(size: int, stages: int) -> list[int]:
    """Height of what each stage of the critics makes: 5x5 without padding, then pooled by 2."""
    sides = [size]
    for _ in range(stages):
        sides.append((sides[-1] - 4) // 2)
    return sides


def checked_size(sides: Sequence[int], doublings: int, stages: int) -> int:
    """Height and width of pictures that the nets can be built for.

    Raises:
        UsageError: If they are not square, or too small for so many layers.
    """
    size = sides[0]
    fits = stages > 0 and critic_sides(size, stages)[-1] > 0
    if {*sides} != {size} or not fits or decoder_sides(size, doublings)[0] < 2:
        raise UsageError(
            "the pictures must be square, and large enough to leave two pixels to unfold a code "
            "into and one to judge",
            asked=f"doublings={doublings}, critic_stages={stages} at {sides[0]}x{sides[1]}",
            hint="Ask for fewer doublings or critic_stages, or for another size.",
        )
    return size


class SharedLayers(nn.Module):
    """All layers of CoGAN's generators but the last: from a code to what both domains are made of.

    Transposed convolutions, the first as large as what it makes, then 3x3 of stride 2; batch
    normalisation without affine parameters, PReLU. Weights start as Glorot's with gain sqrt(2),
    biases as 0.1.

    Args:
        size: Height and width of the pictures.
        latent: Width Z of the code.
        width: Channels of the first layer, halved by each further one.
        doublings: Layers of stride 2.
    """

    def __init__(
        self, size: int = 28, latent: int = 100, width: int = 1024, doublings: int = 3
    ) -> None:
        super().__init__()
        first, *rest = decoder_sides(size, doublings)
        layers = _normalised(nn.ConvTranspose2d(latent, width, first))
        for level, side in enumerate(rest):
            inner = width >> level
            layers += _normalised(
                # 2 n - 1 pixels are made of n, or 2 n with one more at the far border.
                nn.ConvTranspose2d(inner, inner // 2, 3, 2, 1, output_padding=(side + 1) % 2)
            )
        self.layers = nn.Sequential(*layers)
        init_xavier_uniform(self, sqrt(2), 0.1)

    def forward(self, z: Tensor) -> Tensor:
        """Unfolds codes ``z`` (N, Z) into W = width >> doublings channels."""
        y: Tensor = self.layers(z[:, :, None, None])  # (N, W, H - 3, H - 3)
        return y  # (N, W, H - 3, H - 3)


class LastLayer(Decoder):
    """The one layer of a generator that is a domain's own: 6x6, sigmoid.

    Args:
        width: Channels that the shared layers make.
        channels: Channels of the signal.
    """

    def __init__(self, width: int = 128, channels: int = 1) -> None:
        super().__init__()
        self.layer = nn.ConvTranspose2d(width, channels, 6, padding=1)
        init_xavier_uniform(self, sqrt(2), 0.1)

    def forward(self, code: Code, condition: Condition) -> Tensor:
        """Paints what `SharedLayers` made, (N, W, H - 3, H - 3), in this net's own domain."""
        y = self.layer(code.decoder_input)  # (N, C, H, H)
        return 2 * y.sigmoid() - 1  # (N, C, H, H) in [-1, 1]; the official code's is [0, 1]


class SharedCritic(nn.Module):
    """All layers of CoGAN's discriminators but the first.

    Args:
        size: Height and width of the pictures.
        width: Channels of the first stage, which is not part of it.
        stages: Stages, the first included: 5x5, pooled by 2, each with 2.5 times the channels of
            the one before; no activation.
        top: Features of the last layer.
        classes: Classes that it tells apart besides; 0 for none.
    """

    def __init__(
        self, size: int = 28, width: int = 20, stages: int = 2, top: int = 500, classes: int = 10
    ) -> None:
        super().__init__()
        body: list[nn.Module] = []
        for _ in range(stages - 1):
            body += [nn.Conv2d(width, width * 5 // 2, 5), nn.MaxPool2d(2)]
            width = width * 5 // 2
        last = critic_sides(size, stages)[-1]
        self.body = nn.Sequential(*body, nn.Conv2d(width, top, last), nn.PReLU())
        self.real = nn.Conv2d(top, 2, 1)
        self.classes = nn.Conv2d(top, classes, 1) if classes else None

    def forward(self, y: Tensor) -> DiscriminatorOutput:
        """Judges what a first stage made, (N, W, h, h)."""
        features = self.body(y)  # (N, top, 1, 1)
        made, real = self.real(features).flatten(1).unbind(1)  # (N,) each
        logits = None if self.classes is None else self.classes(features).flatten(1)  # (N, K)
        # The softmax of two logits is the sigmoid of their difference.
        return DiscriminatorOutput(
            (real - made,), logits, (features.flatten(1),)
        )  # (N,), (N, K), (N, top)


class CoupledDiscriminator(Discriminator):
    """A domain's own first stage ahead of layers that all domains share.

    5x5 without padding, pooled by 2, and no activation until the last layer, as published. With
    the shared layers, two domains have 432,603 parameters in all with the published sizes.

    Args:
        shared: The shared layers, `SharedCritic`.
        channels: Channels of the signal.
        width: Channels of the first stage.
    """

    def __init__(self, shared: nn.Module, channels: int = 1, width: int = 20) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(channels, width, 5), nn.MaxPool2d(2))
        self.shared = shared
        init_xavier_uniform(self, sqrt(2), 0.1)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Judges ``x`` (N, C, H, H) in [-1, 1]; realness (N,), logits (N, K), features (N, top)."""
        y = self.first((x + 1) / 2)  # (N, W, (H - 4) / 2, (H - 4) / 2)
        verdict: DiscriminatorOutput = self.shared(y)  # (N,), (N, K), (N, top)
        return verdict


class CodeEncoder(Encoder):
    """Guesses a picture's code: a domain's own first layer, the others shared. Not in the paper.

    4x4 convolutions of stride 2, LeakyReLU 0.2, and one as large as what is left.

    Args:
        shared: The other layers, from `code_layers`.
        channels: Channels of the signal.
        width: Channels of the first layer.
    """

    def __init__(self, shared: nn.Module, channels: int, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, width, 4, 2, 1)
        self.shared = shared

    def forward(self, x: Tensor, condition: Condition) -> Code:
        """Guesses the codes (N, Z) of ``x`` (N, C, H, H) of this net's own domain."""
        y = self.first(x)  # (N, W, H / 2, H / 2)
        return Code(self.shared(y).flatten(1))  # (N, Z)


def code_layers(size: int, latent: int, width: int, halvings: int) -> nn.Sequential:
    """What the encoders share: (N, width, size / 2, size / 2) -> (N, latent, 1, 1)."""
    layers: list[nn.Module] = [nn.LeakyReLU(0.2)]
    for level in range(halvings - 1):
        layers += [
            nn.Conv2d(width << level, width << level + 1, 4, 2, 1),
            nn.LeakyReLU(0.2, inplace=True),
        ]
    return nn.Sequential(*layers, nn.Conv2d(width << halvings - 1, latent, size >> halvings))


def _normalised(layer: nn.ConvTranspose2d) -> list[nn.Module]:
    """A layer, batch normalisation without affine parameters, PReLU."""
    return [layer, nn.BatchNorm2d(layer.out_channels, affine=False), nn.PReLU()]
