"""Consistency: what must come back, stay as it is, or keep its code."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from zoo_core.contracts.method import Loss
from zoo_core.contracts.step import Step
from zoo_nn.losses.distances import Distance, distance_of, total


class Cycle(Loss):
    """There and back again is the input (CycleGAN, arXiv:1703.10593, eq. 2; StarGAN, eq. 4).

    Args:
        distance: ``l1`` as published, ``l2``, ``smooth_l1`` (ComboGAN), or a function.
        routes: Names of the routes that it applies to; None for all.
    """

    requires = ("restored",)

    def __init__(
        self, distance: str | Distance = "l1", *, routes: Sequence[str] | None = None
    ) -> None:
        super().__init__()
        self.distance, self.routes = distance_of(distance), routes

    def forward(self, step: Step) -> Tensor:
        """Sum over routes of the mean distance between restored and input: ()."""
        routes = step.select(self.routes)
        return total(self.distance(route.restored, route.signal) for route in routes)  # ()


class Identity(Loss):
    """What is of the target domain already stays as it is (CycleGAN, arXiv:1703.10593, §5.2).

    For a method with encoders and decoders this is its reconstruction loss: a signal encoded and
    decoded into its own domain.

    Args:
        distance: ``l1``, ``l2``, ``smooth_l1``, or a function.
        routes: Names of the routes that it applies to; None for all.
    """

    requires = ("identity",)

    def __init__(
        self, distance: str | Distance = "l1", *, routes: Sequence[str] | None = None
    ) -> None:
        super().__init__()
        self.distance, self.routes = distance_of(distance), routes

    def forward(self, step: Step) -> Tensor:
        """Sum over routes of the mean distance of the target's reals to their translations: ()."""
        routes = step.select(self.routes)
        return total(self.distance(route.identity, route.identity_input) for route in routes)  # ()


class Likeness(Loss):
    """A translation looks like its input (ComboGAN's forward loss).

    Args:
        distance: ``pooled_smooth_l1`` as in ComboGAN's code, or as for `Cycle`.
        routes: Names of the routes that it applies to; None for all.
    """

    requires = ("translated",)

    def __init__(
        self, distance: str | Distance = "pooled_smooth_l1", *, routes: Sequence[str] | None = None
    ) -> None:
        super().__init__()
        self.distance, self.routes = distance_of(distance), routes

    def forward(self, step: Step) -> Tensor:
        """Sum over routes of the mean distance between translation and input: ()."""
        routes = step.select(self.routes)
        return total(self.distance(route.translated, route.signal) for route in routes)  # ()


class SemanticConsistency(Loss):
    """A translation has its input's code (DTN, arXiv:1611.02200, eq. 5; XGAN, arXiv:1711.05139).

    Args:
        distance: ``l1``, ``l2``, ``smooth_l1``, or a function.
        detach: Whether the input's code is a fixed goal, so that only the translation gives way.
        routes: Names of the routes that it applies to; None for all.
    """

    requires = ("code", "reencoded")

    def __init__(
        self,
        distance: str | Distance = "l1",
        *,
        detach: bool = False,
        routes: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self.distance, self.detach, self.routes = distance_of(distance), detach, routes

    def forward(self, step: Step) -> Tensor:
        """Sum over routes of the mean distance between the codes of translation and input: ()."""
        parts = []
        for route in step.select(self.routes):
            goal = route.code.content.detach() if self.detach else route.code.content  # (N, *Z)
            parts.append(self.distance(route.reencoded.content, goal))  # ()
        return total(parts)  # ()
