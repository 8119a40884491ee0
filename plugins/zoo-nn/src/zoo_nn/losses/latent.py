"""The code tells nothing of its domain: a critic of codes, and encoders that it cannot beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo_core.contracts.method import (
    Loss,
    Method,
    Optimiser,
    Player,
    Term,
    Weight,
    at_least_float32,
)
from zoo_core.contracts.signals import Condition, Domains
from zoo_core.contracts.step import Route, Step
from zoo_nn.losses.adversarial import critic_of
from zoo_nn.losses.distances import total
from zoo_nn.nets.code import CodeDiscriminator

Goal = Literal["wrong", "uniform", "reversed"]


class CodeClassification(Loss):
    """The critic names the domain of each code; its gradient stops at the code.

    Softmax cross-entropy per classification, **summed** over attributes, mean over the batch
    (Fader Networks, arXiv:1706.00409, §3, the discriminator's objective).

    Args:
        critic: Name of the discriminator of codes; it gives `class_count` logits.
        routes: Names of the routes that it applies to; None for all.
    """

    requires = ("code",)

    def __init__(
        self, critic: str = "code_discriminator", *, routes: Sequence[str] | None = None
    ) -> None:
        super().__init__()
        self.critic, self.routes = critic, routes

    def forward(self, step: Step) -> Tensor:
        """Sum over routes of the mean cross-entropy of the input's own domain: ()."""
        return total(self._route(step, route) for route in step.select(self.routes))  # ()

    def _route(self, step: Step, route: Route) -> Tensor:
        code = route.code.content.detach()  # (N, *Z)
        logits = code_logits(step, critic_of(self.critic, route), code)  # (N, G, n)
        return cross_entropy(logits, true_class(route.source_condition, step.method.domains))  # ()


class CodeConfusion(Loss):
    """The encoder's side: the critic shall not tell the domain from the code.

    Args:
        critic: Name of the discriminator of codes.
        goal: What the encoder wants of the critic's answer:

            - ``wrong``: another class, drawn at random per signal and attribute (Fader Networks,
              arXiv:1706.00409, §3, the adversarial objective, as the official code extends it to
              more than two classes).
            - ``uniform``: all classes alike, the cross-entropy with the uniform distribution
              (Tzeng et al. 2015, arXiv:1510.02192, eq. 4). It is least where codes tell nothing.
            - ``reversed``: a large cross-entropy of the true class, as gradient reversal has it
              (Ganin et al. 2016, arXiv:1505.07818, §4).
        routes: Names of the routes that it applies to; None for all.
    """

    requires = ("code",)

    def __init__(
        self,
        critic: str = "code_discriminator",
        goal: Goal = "uniform",
        *,
        routes: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self.critic, self.goal, self.routes = critic, goal, routes

    def forward(self, step: Step) -> Tensor:
        """Sum over routes of the mean loss per signal, summed over attributes: ()."""
        return total(self._route(step, route) for route in step.select(self.routes))  # ()

    def _route(self, step: Step, route: Route) -> Tensor:
        critic = critic_of(self.critic, route)
        logits = code_logits(step, critic, route.code.content)  # (N, G, n)
        if self.goal == "uniform":
            return -F.log_softmax(logits, -1).mean(-1).sum(1).mean()  # ()
        own = true_class(route.source_condition, step.method.domains)  # (N, G)
        if self.goal == "reversed":
            return -cross_entropy(logits, own)  # ()
        count, classes = logits.shape[1:]
        draw = step.rand(len(logits), count)  # (N, G)
        shift = 1 + (draw * (classes - 1)).long()  # (N, G) in 1 .. n-1
        return cross_entropy(logits, (own + shift) % classes)  # ()


class DomainAdversarial(Loss):
    """Both sides in one pass: the critic learns the domain, the encoder gets the gradient reversed.

    The domain-adversarial training of Ganin et al. 2016 (arXiv:1505.07818, §4), as in XGAN
    (arXiv:1711.05139). The critic belongs to the player that trains the encoders.

    Args:
        critic: Name of the discriminator of codes.
        strength: Factor of the reversed gradient, or a function of the progress; the critic's own
            gradient is as it is.
        routes: Names of the routes that it applies to; None for all.
    """

    requires = ("code",)

    def __init__(
        self,
        critic: str = "code_discriminator",
        strength: Weight = 1.0,
        *,
        routes: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self.critic, self.strength, self.routes = critic, strength, routes

    def forward(self, step: Step) -> Tensor:
        """Sum over routes of the mean cross-entropy of the input's own domain: ()."""
        return total(self._route(step, route) for route in step.select(self.routes))  # ()

    def _route(self, step: Step, route: Route) -> Tensor:
        strength = self.strength(step.progress) if callable(self.strength) else self.strength
        code = reverse_gradient(route.code.content, strength)  # (N, *Z)
        logits = code_logits(step, critic_of(self.critic, route), code)  # (N, G, n)
        return cross_entropy(logits, true_class(route.source_condition, step.method.domains))  # ()


class Indistinguishable(CodeConfusion):
    """`CodeConfusion` for any method with a code: it brings its critic of codes along.

    Args:
        goal: As for `CodeConfusion`.
        width: Most channels of the critic's convolutions.
        hidden: Width of the critic's hidden layer.
        lr: Learning rate of the critic.
        routes: Names of the routes that it applies to; None for all.
    """

    def __init__(
        self,
        goal: Goal = "uniform",
        width: int = 256,
        hidden: int = 256,
        lr: float = 2e-4,
        *,
        routes: Sequence[str] | None = None,
    ) -> None:
        super().__init__("code_critic", goal, routes=routes)
        self.width, self.hidden, self.lr = width, hidden, lr

    def extra_players(
        self, method: Method[Any]
    ) -> Sequence[tuple[Mapping[str, nn.Module], Player]]:
        """The critic of codes, and the player that trains it."""
        net = CodeDiscriminator(
            code_shape(method), class_count(method.domains), width=self.width, hidden=self.hidden
        )
        terms = (Term("classify", CodeClassification(self.critic, routes=self.routes)),)
        optimiser = Optimiser(self.lr, (0.5, 0.999))
        return (({self.critic: net}, Player(self.critic, (self.critic,), terms, optimiser)),)


def code_shape(method: Method[Any]) -> tuple[int, ...]:
    """Form (*Z) of the code of one signal, found by encoding one."""
    modes = {module: module.training for module in method.modules()}
    source = Condition.of(method.domains, method.domains.names[0], 1)
    try:
        with torch.no_grad():
            code = method.eval().encode(torch.zeros(1, *method.signal.shape), source)
    finally:
        for module, training in modes.items():
            module.training = training
    return tuple(code.content.shape[1:])


def class_count(domains: Domains) -> int:
    """Logits of a critic of codes: one per domain, or two (no, yes) per attribute."""
    return len(domains) if domains.kind == "domains" else 2 * len(domains)


def one_hot(condition: Condition, domains: Domains) -> Tensor:
    """(N, G, n) the condition as classes: one choice of K domains, or K choices of no or yes.

    An attribute between 0 and 1 (or beyond) is shared out as ``1 - v`` and ``v``.
    """
    label = condition.label  # (N, K)
    if domains.kind == "domains":
        return label[:, None]  # (N, 1, K)
    return torch.stack([1 - label, label], -1)  # (N, K, 2)


def true_class(condition: Condition, domains: Domains) -> Tensor:
    """(N, G) index of the class that holds, per classification."""
    return one_hot(condition, domains).argmax(-1)  # (N, G)


def code_logits(step: Step, critic: str, code: Tensor) -> Tensor:
    """(N, G, n) in float32 at least: what a critic thinks of the classes of a code (N, *Z).

    Raises:
        RuntimeError: If the critic does not give `class_count` logits.
    """
    domains = step.method.domains
    groups = 1 if domains.kind == "domains" else len(domains)
    logits = step.judge(critic, code).class_logits  # (N, G * n)
    if logits is None or logits.shape[1] != class_count(domains):
        raise RuntimeError(f"discriminator {critic} must give {class_count(domains)} logits")
    return at_least_float32(logits).view(len(code), groups, -1)  # (N, G, n)


def cross_entropy(logits: Tensor, index: Tensor) -> Tensor:
    """() of logits (N, G, n) and classes (N, G): mean over signals, summed over the G choices."""
    return F.cross_entropy(logits.flatten(0, 1), index.flatten()) * logits.shape[1]  # ()


def reverse_gradient(x: Tensor, strength: float = 1.0) -> Tensor:
    """(N, *Z) ``x`` (N, *Z) unchanged; its gradient is multiplied by ``-strength``."""
    still = x.detach()  # (N, *Z)
    return still - strength * (x - still)  # (N, *Z)
