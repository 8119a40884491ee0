"""A discriminator of codes (Fader Networks, arXiv:1706.00409, §4.1)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from zoo_core.contracts.interfaces import Discriminator, DiscriminatorOutput
from zoo_core.errors import UsageError


class CodeDiscriminator(Discriminator):
    """Names the domain of a code: strided convolutions down to one position, then two layers.

    4x4 convolutions of stride 2 with LeakyReLU 0.2 and dropout until a side is 1 (none for a code
    that is a vector), a hidden layer, and the logits. For a code of 512 x 4 x 4 and two outputs,
    normalised, it has 8,655,362 parameters.

    Args:
        shape: Form of one code: ``(Z,)``, or ``(C, H, W)``.
        outputs: Number of logits.
        width: Most channels of the convolutions, which double from C on.
        hidden: Width of the hidden layer.
        dropout: Part of the convolutions' outputs that is dropped.
        normalise: Whether to normalise by batch, as Fader does. Leave it out where a batch holds
            codes of one domain only: its own mean and variance would hide the domain.
    """

    def __init__(
        self,
        shape: Sequence[int],
        outputs: int,
        *,
        width: int = 512,
        hidden: int = 512,
        dropout: float = 0.3,
        normalise: bool = False,
    ) -> None:
        super().__init__()
        self.normalise = normalise
        channels, *sides = shape
        layers: list[nn.Module] = []
        while sides and min(sides) > 1:
            outer = max(channels, min(2 * channels, width))
            layers.append(nn.Conv2d(channels, outer, 4, stride=2, padding=1))
            if normalise:
                layers.append(nn.BatchNorm2d(outer))
            layers += [nn.LeakyReLU(0.2, inplace=True), nn.Dropout(dropout)]
            channels, sides = outer, [side // 2 for side in sides]
        self.body = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Linear(channels * math.prod(sides), hidden),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(hidden, outputs),
        )

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Judges codes ``x`` (N, *Z) of the form that it was built for: logits (N, outputs).

        Raises:
            UsageError: In training, if one code is to be normalised by its batch.
        """
        if self.training and self.normalise and len(x) < 2:
            raise UsageError(
                "its discriminator of codes normalises over the batch, which needs two signals",
                asked="training with a batch of 1",
                hint="Choose a larger --batch.",
            )
        features = self.body(x).flatten(1)  # (N, C' * h * w)
        logits: Tensor = self.head(features)  # (N, outputs)
        return DiscriminatorOutput((), logits)  # (N, K)
