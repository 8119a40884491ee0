"""Geometry consistency (GcGAN) and pairwise distances (DistanceGAN)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo_core.contracts.method import Loss, at_least_float32
from zoo_core.contracts.step import Route, Step
from zoo_core.errors import UsageError
from zoo_nn.losses.distances import distance_of, total


@dataclass(frozen=True)
class Geometry:
    """A transform of pictures that changes where things are, and not what they are.

    Attributes:
        forward: Maps (N, C, H, W) to the transformed pictures (N, C, H', W').
        inverse: Maps them back.
    """

    forward: Callable[[Tensor], Tensor]
    inverse: Callable[[Tensor], Tensor]

    def __call__(self, x: Tensor) -> Tensor:
        """(N, C, H', W') the pictures ``x`` (N, C, H, W), transformed."""
        return self.forward(x)  # (N, C, H', W')


def _quarter(x: Tensor, turns: int) -> Tensor:
    return torch.rot90(x, turns, (-2, -1))


def _upside_down(x: Tensor) -> Tensor:
    return x.flip(-2)


GEOMETRIES = {
    "rotation": Geometry(lambda x: _quarter(x, -1), lambda x: _quarter(x, 1)),
    "flip": Geometry(_upside_down, _upside_down),
}
"""The paper's transforms: a quarter turn clockwise (``rot``), and upside down (``vf``)."""


class GeometryConsistency(Loss):
    """To transform and translate is to translate and transform (GcGAN, arXiv:1809.05852).

    ``mean abs(G(x) - f^-1(G(f(x)))) + mean abs(G(f(x)) - f(G(x)))``. As in the official code the
    second operand of each distance is a constant, so that the gradient is that of one of them.

    Args:
        pairs: Names of routes: of the picture as it is, and of the transformed one, whose
            ``transform`` is a `Geometry`.
    """

    requires = ("translated",)

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self.pairs, self.distance = tuple(pairs), distance_of("l1")

    def forward(self, step: Step) -> Tensor:
        """Sum over pairs of both distances: ()."""
        routes = {route.name: route for route in step.routes}
        return total(self._pair(routes[one], routes[other]) for one, other in self.pairs)  # ()

    def _pair(self, plain: Route, transformed: Route) -> Tensor:
        geometry = transformed.transform
        if not isinstance(geometry, Geometry):
            raise TypeError(f"route {transformed.name} has no Geometry as its transform")
        y, turned = plain.translated, transformed.translated  # (N, C, H, W), (N, C, H', W')
        there = self.distance(turned, geometry(y.detach()))  # ()
        back = self.distance(y, geometry.inverse(turned.detach()))  # ()
        return there + back  # ()


class PairwiseDistance(Loss):
    """Two translations are as far apart as their inputs (DistanceGAN, arXiv:1706.00826).

    ``mean over pairs of abs(d(x_i, x_j) - d(G(x_i), G(x_j)))`` within the batch, ``d`` the mean
    absolute difference: the official code's ``--unnormalized_distances``.

    Args:
        routes: Names of the routes that it applies to; None for all.

    Raises:
        UsageError: In training, if a batch has a single signal per domain.
    """

    requires = ("translated",)

    def __init__(self, *, routes: Sequence[str] | None = None) -> None:
        super().__init__()
        self.routes = routes

    def forward(self, step: Step) -> Tensor:
        """Sum over routes of the mean difference of distances: ()."""
        return total(self._route(route) for route in step.select(self.routes))  # ()

    def _route(self, route: Route) -> Tensor:
        if len(route.signal) < 2:
            raise UsageError(
                "it compares pairs of a batch, and the batch has one signal",
                asked="loss distance",
                hint="Choose a larger --batch.",
            )
        return (_distances(route.signal) - _distances(route.translated)).abs().mean()  # ()


def _distances(x: Tensor) -> Tensor:
    """(N * (N - 1) / 2,) mean absolute difference of each pair of the batch ``x`` (N, *S)."""
    flat = at_least_float32(x).flatten(1)  # (N, D)
    distances: Tensor = torch.pdist(flat, p=1) / flat.shape[1]  # (P,)
    return distances
