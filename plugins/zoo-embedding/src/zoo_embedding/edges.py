"""Smoothed edges: what CartoonGAN's discriminator must not take for a cartoon (§3.2.1).

Clear edges make a cartoon and cover few of its pixels, so that a discriminator hardly notices when
they are missing. It is therefore also shown cartoons whose edges were smoothed, as fakes.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from zoo_core.contracts.method import Loss, at_least_float32
from zoo_core.contracts.step import Route, Step
from zoo_core.errors import UsageError
from zoo_nn.losses.adversarial import critic_of, over_scales
from zoo_nn.losses.distances import total
from zoo_nn.losses.objectives import Objective, each, objective_of


class EdgeSmoothing:
    """Finds edges by Canny's detector, dilates them, and smooths the picture there.

    The paper names these three steps and none of their numbers; the defaults are those that public
    implementations share.

    Args:
        low: Canny's threshold for pixels beside an edge, 0 to 255 (of the sum of both gradients).
        high: Canny's threshold for the beginning of an edge.
        kernel: Side in pixels, odd, of the square that dilates and of the Gaussian, which is
            OpenCV's for this side (1 2 1 for 3 pixels, 1 4 6 4 1 for 5).

    Raises:
        UsageError: If OpenCV is not installed, or a number is out of range.
    """

    def __init__(self, low: float = 100.0, high: float = 200.0, kernel: int = 5) -> None:
        if kernel < 1 or kernel % 2 == 0:
            raise UsageError("it must be odd, and at least 1", asked=f"kernel of edges {kernel}")
        if not 0 <= low <= high:
            raise UsageError(
                "the low one must lie between 0 and the high one",
                asked=f"thresholds of edges {low:g}, {high:g}",
            )
        self.cv2 = _opencv()
        self.low, self.high, self.kernel = low, high, kernel

    def __call__(self, x: Tensor) -> Tensor:
        """Smooths the edges of pictures ``x`` (N, C, H, W) in [-1, 1]; C is 1 or 3 (RGB)."""
        pictures = at_least_float32(x.detach()).permute(0, 2, 3, 1).cpu().numpy()  # (N, H, W, C)
        smoothed = np.stack([self._smoothed(picture) for picture in pictures])  # (N, H, W, C)
        return torch.from_numpy(smoothed).permute(0, 3, 1, 2).to(x)  # (N, C, H, W)

    def near_edges(self, picture: np.ndarray) -> np.ndarray:
        """(H, W) which pixels of a picture (H, W, C) in [-1, 1] lie on a dilated edge."""
        levels = np.rint((picture + 1) * 127.5).clip(0, 255).astype(np.uint8)  # (H, W, C)
        grey = (
            self.cv2.cvtColor(levels, self.cv2.COLOR_RGB2GRAY) if levels.shape[2] == 3 else levels
        )
        edges = self.cv2.Canny(grey, self.low, self.high)  # (H, W)
        square = np.ones((self.kernel, self.kernel), np.uint8)
        return np.asarray(self.cv2.dilate(edges, square) > 0)  # (H, W)

    def _smoothed(self, picture: np.ndarray) -> np.ndarray:
        side = self.kernel
        blurred = self.cv2.GaussianBlur(picture, (side, side), 0)  # (H, W, C), or (H, W) for C = 1
        near = self.near_edges(picture)[..., None]  # (H, W, 1)
        return np.where(near, blurred.reshape(picture.shape), picture)  # (H, W, C)


class SmoothedEdges(Loss):
    """The critic should take real signals with smoothed edges for made ones (eq. 3, middle term).

    It stands beside `zoo_nn.losses.adversarial.AdversarialCritic`, which holds real signals
    against translations: their sum is the edge-promoting adversarial loss.

    Args:
        critic: Name of the discriminator; ``{target}`` and ``{source}`` stand for the route's
            domains.
        objective: ``nonsaturating`` as in the paper, ``lsgan``, ``wgan``, ``hinge``, or an object.
        low: As for `EdgeSmoothing`.
        high: As for `EdgeSmoothing`.
        kernel: As for `EdgeSmoothing`.
        routes: Names of the routes that it applies to; None for all.

    Raises:
        UsageError: If OpenCV is not installed, or a number is out of range.
    """

    def __init__(
        self,
        critic: str = "discriminator_{target}",
        objective: str | Objective = "nonsaturating",
        *,
        low: float = 100.0,
        high: float = 200.0,
        kernel: int = 5,
        routes: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self.critic, self.routes = critic, routes
        self.objective, self.smooth = objective_of(objective), EdgeSmoothing(low, high, kernel)

    def forward(self, step: Step) -> Tensor:
        """Sum over routes of what the critic pays for real signals with smoothed edges: ()."""
        return total(self._route(step, route) for route in step.select(self.routes))  # ()

    def _route(self, step: Step, route: Route) -> Tensor:
        smoothed = self.smooth(route.identity_input)  # (N, C, H, W)
        verdict = step.judge(critic_of(self.critic, route), smoothed)
        return over_scales(self.objective.fake, verdict, each)  # ()


def _opencv() -> ModuleType:
    """OpenCV, which only training needs.

    Raises:
        UsageError: If it is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise UsageError(
            "OpenCV is not installed, which finds the edges of the cartoons",
            asked="training with smoothed edges",
            hint='Install it: pip install "zoo-embedding[cartoongan]".',
        ) from error
    return cv2
