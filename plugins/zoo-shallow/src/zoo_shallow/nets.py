"""A generator whose depth is its one constraint."""

from __future__ import annotations

from torch import Tensor, nn

from zoo_core.contracts.interfaces import Generator
from zoo_core.contracts.signals import Condition
from zoo_core.errors import UsageError
from zoo_nn.nets.init import init_normal
from zoo_nn.nets.norm import InstanceNorm


class ShallowGenerator(Generator):
    """A plain stack of ``depth`` convolutions: no residual path, no skip connection.

    The first ``halvings`` have stride 2, the last ``halvings`` follow a doubling by nearest
    neighbours. Reflection padding; instance normalisation and ReLU after all but the last, then
    tanh. Weights start as N(0, 0.02²), biases as 0. It reads no condition: a net per direction.

    Args:
        channels: Channels of the signal, in and out.
        width: Channels between the convolutions.
        depth: Number of convolutions, at least ``2 * halvings`` and at least 1.
        halvings: Number of stride-2 convolutions; height and width must be multiples of
            ``2**halvings``.
        kernel: Size of the kernels, odd.

    Raises:
        UsageError: If the depth is less than the halvings need, or the kernel is even.
    """

    def __init__(
        self,
        channels: int = 3,
        width: int = 64,
        depth: int = 4,
        *,
        halvings: int = 1,
        kernel: int = 5,
    ) -> None:
        super().__init__()
        least = max(1, 2 * halvings)
        if depth < least:
            raise UsageError(
                f"with {halvings} halvings it takes at least {least} convolutions",
                asked=f"depth={depth}",
                hint="Ask for more depth or for fewer halvings.",
            )
        if kernel % 2 == 0 or kernel < 1:
            raise UsageError("a kernel has an odd size", asked=f"kernel={kernel}")
        layers: list[nn.Module] = []
        for index in range(depth):
            first, last = index == 0, index == depth - 1
            if index >= depth - halvings:
                layers.append(nn.Upsample(scale_factor=2, mode="nearest"))
            layers += [
                nn.ReflectionPad2d(kernel // 2),
                nn.Conv2d(
                    channels if first else width,
                    channels if last else width,
                    kernel,
                    stride=2 if index < halvings else 1,
                ),
            ]
            if not last:
                layers += [InstanceNorm(width), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Tanh())
        init_normal(self)

    def forward(self, x: Tensor, condition: Condition) -> Tensor:
        """Translates ``x`` (N, C, H, W) into this net's own domain: (N, C, H, W) in [-1, 1]."""
        y: Tensor = self.layers(x)  # (N, C, H, W)
        return y  # (N, C, H, W)
