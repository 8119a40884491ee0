"""Regularisers of translations and of codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor

from zoo_core.contracts.interfaces import Code
from zoo_core.contracts.method import Loss, at_least_float32
from zoo_core.contracts.step import Step
from zoo_nn.losses.distances import total


class TotalVariation(Loss):
    """Translations are smooth (Rudin et al. 1992; DTN, arXiv:1611.02200, eq. 7, with B = 1).

    The length of the gradient between neighbouring pixels, averaged over pixels and channels.

    Args:
        routes: Names of the routes that it applies to; None for all.
    """

    requires = ("translated",)

    def __init__(self, *, routes: Sequence[str] | None = None) -> None:
        super().__init__()
        self.routes = routes

    def forward(self, step: Step) -> Tensor:
        """Sum over routes of the mean gradient length: ()."""
        return total(total_variation(route.translated) for route in step.select(self.routes))  # ()


class KullbackLeibler(Loss):
    """Codes are near N(0, I): ``mean(mu^2)``, the unit-variance form of UNIT (arXiv:1703.00848).

    It is the divergence of N(mu, I) from N(0, I) per element, times 2, as UNIT's code has it.

    Args:
        of: ``code`` (the input's) or ``reencoded`` (the translation's).
        routes: Names of the routes that it applies to; None for all.
    """

    def __init__(
        self, of: Literal["code", "reencoded"] = "code", *, routes: Sequence[str] | None = None
    ) -> None:
        super().__init__()
        self.of, self.routes = of, routes
        self.requires = (of,)

    def forward(self, step: Step) -> Tensor:
        """Sum over routes of the mean squared code: ()."""
        codes: list[Code] = [getattr(route, self.of) for route in step.select(self.routes)]
        return total(at_least_float32(code.content).square().mean() for code in codes)  # ()


def total_variation(x: Tensor) -> Tensor:
    """Mean length () of the gradient of ``x`` (N, C, H, W), by forward differences."""
    x = at_least_float32(x)  # (N, C, H, W)
    down = x[..., 1:, :-1] - x[..., :-1, :-1]  # (N, C, H-1, W-1)
    right = x[..., :-1, 1:] - x[..., :-1, :-1]  # (N, C, H-1, W-1)
    # The root has no slope at 0, where flat areas lie.
    return (down.square() + right.square() + 1e-8).sqrt().mean()  # ()
