"""The residual generator cut in two: an encoder to a common space and a decoder from it."""

from __future__ import annotations

from torch import Tensor, nn

from zoo_core.contracts.interfaces import Code, Decoder, Encoder
from zoo_core.contracts.signals import Condition
from zoo_nn.nets.init import init_normal
from zoo_nn.nets.norm import InstanceNorm
from zoo_nn.nets.resnet import Activation, ResidualBlock, Upsample, doubling, halving, relu


class ResnetEncoder(Encoder):
    """7x7, halvings, residual blocks: the first half of `zoo_nn.nets.resnet.ResnetGenerator`.

    Reflection padding, instance normalisation without affine parameters. Weights start as
    N(0, 0.02²), biases as 0. It reads no condition: a net per domain.

    Args:
        channels: Channels of the signal.
        width: Channels at full size; doubled by each halving.
        blocks: Residual blocks at the smallest size.
        halvings: Number of stride-2 convolutions; height and width must be multiples of
            ``2**halvings``.
        head: Size of the first kernel, odd.
        activation: Makes what follows each normalisation; `torch.nn.PReLU` is ComboGAN's.
    """

    def __init__(
        self,
        channels: int = 3,
        width: int = 64,
        blocks: int = 4,
        *,
        halvings: int = 2,
        head: int = 7,
        activation: Activation = relu,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(head // 2),
            nn.Conv2d(channels, width, head),
            InstanceNorm(width),
            activation(),
        ]
        for level in range(halvings):
            layers += halving(width << level, activation=activation)
        layers += [ResidualBlock(width << halvings, activation) for _ in range(blocks)]
        self.layers = nn.Sequential(*layers)
        init_normal(self)

    def forward(self, x: Tensor, condition: Condition) -> Code:
        """Encodes ``x`` (N, C, H, W); the code is (N, width * 2**halvings, H', W')."""
        content: Tensor = self.layers(x)  # (N, Z, H / 2**halvings, W / 2**halvings)
        return Code(content)  # (N, Z, H / 2**halvings, W / 2**halvings)


class ResnetDecoder(Decoder):
    """Residual blocks, doublings, 7x7, tanh: the second half of the residual generator.

    Args:
        channels: Channels of the signal.
        width: Channels at full size, as the encoder's.
        blocks: Residual blocks at the smallest size.
        halvings: Number of doublings, as the encoder's halvings.
        upsample: ``transpose`` (as CycleGAN) or ``nearest`` (no checkerboards).
        head: Size of the last kernel, odd.
    """

    def __init__(
        self,
        channels: int = 3,
        width: int = 64,
        blocks: int = 5,
        *,
        halvings: int = 2,
        upsample: Upsample = "transpose",
        head: int = 7,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [ResidualBlock(width << halvings) for _ in range(blocks)]
        for level in reversed(range(halvings)):
            layers += doubling(width << level, upsample)
        layers += [nn.ReflectionPad2d(head // 2), nn.Conv2d(width, channels, head), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        init_normal(self)

    def forward(self, code: Code, condition: Condition) -> Tensor:
        """Decodes ``code`` (N, Z, H', W') into this net's own domain: (N, C, H, W) in [-1, 1]."""
        y: Tensor = self.layers(code.read)  # (N, C, H, W)
        return y  # (N, C, H, W)
