"""The pretrained-embedding constraint: a frozen net sees the same in a translation as in its input.

Closest published forms: the f-constancy L_CONST of DTN (arXiv:1611.02200) and the feature
reconstruction of Johnson et al. (arXiv:1603.08155, eq. 2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from zoo_core.contracts.method import Loss
from zoo_core.contracts.step import Route, Step
from zoo_core.errors import WeightsError
from zoo_core.host.plugins import host
from zoo_nn.losses.distances import distance_of, total
from zoo_nn.nets.backbones import open_backbone, without_state


def default_backbone() -> str:
    """A net that has learnt ImageNet: ``imagenet``, where a plugin brings it, else timm's own."""
    brought = "imagenet" in host().components("backbone")
    return "imagenet" if brought else "timm:tf_efficientnet_lite0"


class EmbeddingDistance(Loss):
    """``mean d(phi(x), phi(G(x)))`` for a frozen backbone phi, averaged over its chosen layers.

    Gradients pass through phi to the generator; phi itself never changes, so that no checkpoint
    holds it: only its hash, and a run that resumes with another phi is refused.

    Args:
        backbone: A name that `zoo_nn.nets.backbones.open_backbone` knows: ``imagenet``,
            ``digits``, ``timm:NAME``, ``timm:NAME@FILE``, ``judge:DIR``. None: `default_backbone`.
        layers: Names of layers of the backbone, or several joined by ``+``; ``embedding`` is what
            its classifier reads. None: the backbone's own choice, of a net of timm the last two
            stages.
        distance: ``cosine``, ``l2`` or ``l1``; ``smooth_l1``.
        size: Side in pixels to which phi's input is resized; None: the backbone's own.
        routes: Names of the routes that it applies to; None for all.

    Raises:
        UsageError: If there is no such backbone, layer or distance.
        WeightsError: If the backbone's weights are not at hand.
    """

    requires = ("translated",)

    def __init__(
        self,
        backbone: str | None = None,
        layers: str | Sequence[str] | None = None,
        distance: str = "cosine",
        *,
        size: int | None = None,
        routes: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self.distance, self.routes = distance_of(distance), routes
        self.name = default_backbone() if backbone is None else backbone
        phi = open_backbone(self.name, size=size)
        chosen = phi.default_layers if layers is None else layers
        self.layers = tuple(chosen.split("+") if isinstance(chosen, str) else chosen)
        phi.require(self.layers)
        self.sha256 = phi.sha256
        self.phi = without_state(phi)

    def forward(self, step: Step) -> Tensor:
        """Sum over routes of the mean distance of the embeddings of input and translation: ()."""
        return total(self._route(route) for route in step.select(self.routes))  # ()

    def _route(self, route: Route) -> Tensor:
        with torch.no_grad():
            goals = self.phi(route.signal, self.layers)  # (N, F) or (N, F, h, w) by layer
        found = self.phi(route.translated, self.layers)  # (N, F) or (N, F, h, w) by layer
        apart = total(self.distance(found[layer], goals[layer]) for layer in self.layers)  # ()
        return apart / len(self.layers)  # ()

    def get_extra_state(self) -> dict[str, str]:
        """What a checkpoint holds in place of the backbone."""
        return {"backbone": self.name, "sha256": self.sha256}

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Makes sure that a run goes on with the backbone that it began with.

        Raises:
            WeightsError: If it is another.
        """
        if state["sha256"] != self.sha256:
            raise WeightsError(
                f"the run began with weights of sha256 {state['sha256'][:16]}…, these have "
                f"{self.sha256[:16]}…",
                asked=f"backbone {self.name}",
                hint="Restore the weights, or train again into another directory.",
            )
