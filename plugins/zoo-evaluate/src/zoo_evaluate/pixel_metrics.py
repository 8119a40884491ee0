"""Agreement with the reference pixel by pixel, as GcGAN measures photographs turned into maps.

The protocol is that of the official code of GcGAN (Fu et al. 2019, arXiv:1809.05852): 8-bit
pictures, both brought to 256 x 256 by bilinear interpolation between the four nearest pixels
(OpenCV's ``INTER_LINEAR``, which does not average when it scales down).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo_evaluate.context import Direction, TranslatedBatch
from zoo_evaluate.metrics import Average, Metric

SIDE = 256
"""Side in pixels at which pictures are compared."""
TOLERANCES = (5, 10)
"""Levels of 255 below which the channels of a pixel must differ for it to be right."""


def at_side(pixels: Tensor, side: int = SIDE) -> Tensor:
    """uint8 (N, C, side, side) of pictures uint8 (N, C, H, W), bilinear, the aspect not kept."""
    if pixels.shape[-2:] == (side, side):
        return pixels
    scaled = F.interpolate(pixels.float(), (side, side), mode="bilinear")  # (N, C, side, side)
    return scaled.round().to(torch.uint8)


def rmse(x: Tensor, y: Tensor) -> Tensor:
    """(N,) root of the mean over pixels of the squared difference **summed over channels**.

    Args:
        x: uint8 (N, C, H, W).
        y: uint8 (N, C, H, W).
    """
    squared = (x.double() - y.double()).square().sum(1)  # (N, H, W)
    return squared.flatten(1).mean(1).sqrt()  # (N,)


def share_within(x: Tensor, y: Tensor, tolerance: float) -> Tensor:
    """(N,) share of pixels whose largest channel difference is strictly below a tolerance.

    Args:
        x: uint8 (N, C, H, W).
        y: uint8 (N, C, H, W).
        tolerance: In levels of 255.
    """
    largest = (x.int() - y.int()).abs().amax(1)  # (N, H, W)
    return (largest < tolerance).double().flatten(1).mean(1)  # (N,)


class Pixels(Metric):
    """RMSE to the reference in levels of 255, and the shares of pixels that are right within 5, 10.

    Each is a mean over pictures. As all have the same size then, a mean share is also the share of
    all pixels.
    """

    signals = ("image",)
    name = "pixels"
    needs = frozenset({"reference"})
    headline = ("pixels_rmse", "pixels_acc5", "pixels_acc10")

    def __init__(self, direction: Direction) -> None:
        super().__init__(direction)
        self.rmse = Average()
        self.right = {tolerance: Average() for tolerance in TOLERANCES}

    def update(self, sample: TranslatedBatch) -> None:
        """Compares translations with their references."""
        made, true = (at_side(self._levels(x)) for x in (sample.translated, sample.reference))
        self.rmse.add(rmse(made, true).tolist())
        for tolerance, average in self.right.items():
            average.add(share_within(made, true, tolerance).tolist())

    def compute(self) -> dict[str, float]:
        """``pixels_rmse``, ``pixels_acc5`` and ``pixels_acc10``."""
        shares = {f"pixels_acc{tolerance}": share.value for tolerance, share in self.right.items()}
        return {"pixels_rmse": self.rmse.value, **shares}

    def protocol(self) -> dict[str, object]:
        """Size, interpolation, and what is averaged over what."""
        return {
            "side": SIDE,
            "interpolation": "bilinear, not antialiased",
            "rmse": "levels of 255; squares summed over channels, mean over pixels, root, mean "
            "over pictures",
            "acc": "largest channel difference strictly below 5 or 10 levels",
        }

    def _levels(self, x: Tensor) -> Tensor:
        """uint8 (N, C, H, W) of pictures (N, C, H, W) within the signals' range around 0."""
        span = self.direction.span
        return ((x / span + 0.5) * 255).round().clamp(0, 255).to(torch.uint8)
