"""Domain classification: real signals teach the critic, translations must satisfy it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from zoo_core.contracts.method import Loss, at_least_float32
from zoo_core.contracts.signals import Condition, class_key
from zoo_core.contracts.step import Route, Step
from zoo_core.errors import UsageError
from zoo_nn.losses.adversarial import critic_of
from zoo_nn.losses.distances import total


class DomainClassification(Loss):
    """The critic's condition logits name the condition (StarGAN, arXiv:1711.09020, eqs. 2 and 3).

    Exclusive domains: softmax cross-entropy. Attributes: sigmoid cross-entropy, **summed** over
    the attributes and divided by the batch size, as in the official code.

    Args:
        of: ``real`` (eq. 2, for the critic: the input has its own condition), ``translated``
            (eq. 3, for the generator: the translation has the target's), or ``identity`` (what was
            translated into its own domain still has that).
        critic: Name of the classifying discriminator.
        routes: Names of the routes that it applies to; None for all.
    """

    def __init__(
        self,
        of: Literal["real", "translated", "identity"],
        critic: str = "discriminator",
        *,
        routes: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self.of, self.critic, self.routes = of, critic, routes
        self.requires = () if of == "real" else (of,)

    def forward(self, step: Step) -> Tensor:
        """Sum over routes of the mean cross-entropy per signal (and patch): ()."""
        return total(self._route(step, route) for route in step.select(self.routes))  # ()

    def _route(self, step: Step, route: Route) -> Tensor:
        x, wanted = self._looked_at(route)  # (N, *S), (N, K)
        logits = step.judge(critic_of(self.critic, route), x).class_logits  # (N, K, ...)
        if logits is None:
            raise RuntimeError(f"discriminator {self.critic} gives no condition logits")
        return condition_loss(logits, wanted.label, step.method.domains.kind)  # ()

    def _looked_at(self, route: Route) -> tuple[Tensor, Condition]:
        if self.of == "real":
            return route.signal, route.source_condition
        if self.of == "translated":
            return route.translated, route.target
        return route.identity, route.identity_condition


class ClassLabels(Loss):
    """The critic's logits name the class of a domain's real signals, where its source tells it.

    Supervision of one domain, from which a shared critic learns what classes look like (CoGAN's
    adaptation, arXiv:1606.07536, §4; UNIT's, arXiv:1703.00848, §4).

    Args:
        domain: The domain whose classes are known.
        critic: Name of the classifying discriminator.
    """

    def __init__(self, domain: str, critic: str) -> None:
        super().__init__()
        self.domain, self.critic = domain, critic

    def forward(self, step: Step) -> Tensor:
        """Mean cross-entropy: ().

        Raises:
            UsageError: If the source of the domain has no classes, or more than the critic knows.
        """
        wanted = step.batch.extras.get(class_key(self.domain))  # (N,)
        logits = step.judge(self.critic, step.real(self.domain)).class_logits  # (N, K)
        if logits is None:
            raise RuntimeError(f"discriminator {self.critic} gives no class logits")
        if wanted is None:
            raise UsageError(
                "its source has no class numbers",
                asked=f'classes of domain "{self.domain}"',
                hint="Give a data set with classes, or a folder with one subfolder per class, or "
                "turn the classification off (--set classify=0).",
            )
        return F.cross_entropy(at_least_float32(logits), wanted)  # ()


def condition_loss(logits: Tensor, label: Tensor, kind: str) -> Tensor:
    """Mean cross-entropy () of condition logits (N, K, ...) against labels (N, K).

    Args:
        logits: Raw logits; of every patch, where there are further axes.
        label: One-hot (``domains``) or 0/1 (``attributes``).
        kind: Kind of `zoo_core.contracts.signals.Domains`.
    """
    logits = at_least_float32(logits)
    label = label.to(logits.dtype)  # (N, K)
    label = label[(...,) + (None,) * (logits.dim() - 2)].expand_as(logits)  # (N, K, ...)
    if kind == "domains":
        return F.cross_entropy(logits, label.argmax(1))
    summed = F.binary_cross_entropy_with_logits(logits, label, reduction="sum")
    return summed * logits.shape[1] / logits.numel()
