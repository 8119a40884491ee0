"""Gradient penalties: how steep a critic may be."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from zoo_core.contracts.method import Loss, at_least_float32
from zoo_core.contracts.signals import Condition
from zoo_core.contracts.step import Route, Step
from zoo_nn.losses.adversarial import critic_of, own_head
from zoo_nn.losses.distances import total


class GradientPenalty(Loss):
    """WGAN-GP: slope 1 between real and made signals (Gulrajani et al. 2017, arXiv:1704.00028).

    Eq. 3, as StarGAN computes it: one random point per signal on the line from the translation to
    the input, the critic's patches summed, ``mean((||gradient||_2 - 1)^2)``.

    Args:
        critic: Name of the discriminator, ``{target}`` and ``{source}`` as in the adversarial
            losses.
        routes: Names of the routes that it applies to; None for all.
        heads: Whether the critic has a realness per domain, as for `AdversarialCritic`: the slope
            of that of the domain that the translation shall have.
    """

    requires = ("translated",)

    def __init__(
        self,
        critic: str = "discriminator",
        *,
        routes: Sequence[str] | None = None,
        heads: bool = False,
    ) -> None:
        super().__init__()
        self.critic, self.routes, self.heads = critic, routes, heads

    def forward(self, step: Step) -> Tensor:
        """Sum over routes of the mean penalty: ()."""
        return total(self._route(step, route) for route in step.select(self.routes))  # ()

    def _route(self, step: Step, route: Route) -> Tensor:
        real, made = (
            at_least_float32(route.identity_input),
            at_least_float32(route.translated),
        )  # (N, *S) each
        alpha = step.rand(len(real), *[1] * (real.dim() - 1))  # (N, 1, ...)
        between = (alpha * real + (1 - alpha) * made).detach()  # (N, *S)
        head = route.target if self.heads else None  # (N, K)
        gradient = input_gradient(step, critic_of(self.critic, route), between, head)  # (N, *S)
        slope: Tensor = torch.linalg.vector_norm(gradient.flatten(1), dim=1)  # (N,)
        return (slope - 1).square().mean()  # ()


class R1(Loss):
    """Slope 0 at real signals (Mescheder et al. 2018, arXiv:1801.04406, eq. 9, gamma = 1).

    ``mean(||gradient||^2) / 2``, as StarGAN v2.

    Args:
        critic: Name of the discriminator, ``{target}`` and ``{source}`` as in the adversarial
            losses.
        routes: Names of the routes that it applies to; None for all.
    """

    def __init__(
        self, critic: str = "discriminator_{target}", *, routes: Sequence[str] | None = None
    ) -> None:
        super().__init__()
        self.critic, self.routes = critic, routes

    def forward(self, step: Step) -> Tensor:
        """Sum over routes of the mean penalty: ()."""
        return total(self._route(step, route) for route in step.select(self.routes))  # ()

    def _route(self, step: Step, route: Route) -> Tensor:
        real = at_least_float32(route.identity_input).detach()  # (N, *S)
        gradient = input_gradient(step, critic_of(self.critic, route), real)  # (N, *S)
        return gradient.flatten(1).square().sum(1).mean() / 2  # ()


def input_gradient(step: Step, critic: str, x: Tensor, head: Condition | None = None) -> Tensor:
    """(N, *S) gradient of the critic's summed realness by its input ``x`` (N, *S).

    It keeps its own graph, so that a penalty on it trains the critic. Of a critic with a realness
    per domain it is that of the domain of ``head`` (N, K), or of all where that is None.
    """
    with torch.enable_grad():
        x = x.detach().clone().requires_grad_()  # (N, *S)
        verdict = step.judge(critic, x)
        if head is not None:
            verdict = own_head(verdict, head)
        scores = total(at_least_float32(scale).sum() for scale in verdict.scores)  # ()
        gradient: Tensor = torch.autograd.grad(scores, x, create_graph=True)[0]  # (N, *S)
    return at_least_float32(gradient)
