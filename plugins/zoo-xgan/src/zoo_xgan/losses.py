"""Losses of this plugin: DTN's critic of origins, XGAN's teacher."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo_core.contracts.method import Loss, at_least_float32
from zoo_core.contracts.step import Step
from zoo_nn.losses.distances import Distance, distance_of, total
from zoo_nn.nets.backbone import EMBEDDING, Backbone
from zoo_nn.nets.backbones import without_state


class OriginCritic(Loss):
    """The critic names the origin of a picture: which translation made it, or a real one.

    With a class per route and one for reals it is DTN's ternary discriminator (arXiv:1611.02200,
    eq. 3): ``-E_s log D1(G(x)) - E_t log D2(G(x)) - E_t log D3(x)``. With one class for all routes
    it is an ordinary binary one. Its gradient stops at the pictures.

    Args:
        real: Domain of the real pictures; their class is the last.
        made: Class of each route's translations, by the route's name.
        critic: Name of the discriminator, whose logits are the classes.
    """

    requires = ("translated",)

    def __init__(self, real: str, made: Mapping[str, int], critic: str = "discriminator") -> None:
        super().__init__()
        self.real, self.made, self.critic = real, dict(made), critic

    def forward(self, step: Step) -> Tensor:
        """Sum of the mean cross-entropies of each route and of the reals: ()."""
        parts = [
            origin_loss(step, self.critic, route.translated.detach(), self.made[route.name])
            for route in step.select(tuple(self.made))
        ]
        parts.append(origin_loss(step, self.critic, step.real(self.real), -1))
        return total(parts)  # ()


class OriginGenerator(Loss):
    """Every translation should pass for real: ``-E log D3(G(x))`` for each route (DTN, eq. 4).

    Args:
        critic: Name of the discriminator, whose last class is real.
    """

    requires = ("translated",)

    def __init__(self, critic: str = "discriminator") -> None:
        super().__init__()
        self.critic = critic

    def forward(self, step: Step) -> Tensor:
        """Sum over routes of the mean cross-entropy: ()."""
        return total(
            origin_loss(step, self.critic, route.translated, -1) for route in step.routes
        )  # ()


class Teaching(Loss):
    """The code of one domain follows a trained net: ``E|T(x) - e_1(x)|`` (XGAN, §3.1).

    Args:
        teacher: The backbone T; its embedding has the width of the code.
        domain: Domain whose real pictures it reads.
        distance: Distance of the codes.
    """

    requires = ("code",)

    def __init__(self, teacher: Backbone, domain: str, distance: str = "l1_norm") -> None:
        super().__init__()
        self.teacher, self.domain = without_state(teacher), domain
        self.distance = distance_of(distance)

    def forward(self, step: Step) -> Tensor:
        """Mean distance between the codes of the domain and what the teacher says of it: ()."""
        route = next(route for route in step.routes if route.source == self.domain)
        with torch.no_grad():
            told = self.teacher(route.signal)[EMBEDDING]  # (N, Z)
        return self.distance(route.code.content, told)  # ()


def over_places(distance: Distance) -> Distance:
    """A distance of codes by their means over all places: of (N, F) that of the codes themselves.

    Of a map (N, F, h, w) it compares what is there and not where it is.
    """

    def apart(a: Tensor, b: Tensor) -> Tensor:
        a, b = (
            at_least_float32(code).flatten(2).mean(2) if code.ndim > 2 else code for code in (a, b)
        )
        return distance(a, b)  # ()

    return apart


def origin_loss(step: Step, critic: str, x: Tensor, origin: int) -> Tensor:
    """Mean cross-entropy () of the critic on ``x`` (N, *S), all of one class; -1 is the last."""
    logits = step.judge(critic, x).class_logits  # (N, K) or (N, K, h, w)
    if logits is None:
        raise RuntimeError(f"discriminator {critic} gives no logits")
    classes = logits.shape[1]
    wanted = logits.new_full(
        (len(logits), *logits.shape[2:]), origin % classes, dtype=torch.long
    )  # (N) or (N, h, w)
    return F.cross_entropy(at_least_float32(logits), wanted)  # ()
