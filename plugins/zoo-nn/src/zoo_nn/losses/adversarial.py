"""Adversarial losses: one for those who make signals, one for those who judge them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

from zoo_core.contracts.interfaces import DiscriminatorOutput
from zoo_core.contracts.method import Loss, Term, at_least_float32
from zoo_core.contracts.signals import Condition
from zoo_core.contracts.step import Route, Step
from zoo_core.errors import UsageError
from zoo_nn.losses.distances import total
from zoo_nn.losses.objectives import Objective, Share, each, objective_of
from zoo_nn.losses.pool import ImagePool, ImagePools

FakeKind = Literal["translated", "restored", "identity", "sampled"]


class AdversarialGenerator(Loss):
    """The critic should take what was made for real (Goodfellow et al. 2014, arXiv:1406.2661).

    Args:
        critic: Name of the discriminator; ``{target}`` and ``{source}`` stand for the route's
            domains, as in ``discriminator_{target}``.
        objective: ``lsgan``, ``wgan``, ``nonsaturating`` (``bce``), ``hinge``, or an object.
        routes: Names of the routes that it applies to; None for all. With ``sampled``: of the
            domains.
        made: What is judged: ``translated``, ``restored`` (CycleGAN-VC2's second critic),
            ``identity`` (reconstructions), or ``sampled`` (CoGAN: every domain's signals made from
            one prior code; there are no routes then, and ``{target}`` is the domain).
        share: Weights of a critic's scales, given their number; 1 each unless told otherwise.
        heads: Whether the critic has a realness per domain, (N, K, ...), of which the one of the
            domain that a signal has, or shall have, counts (StarGAN v2, arXiv:1912.01865, §2.1).
    """

    def __init__(
        self,
        critic: str = "discriminator_{target}",
        objective: str | Objective = "lsgan",
        *,
        routes: Sequence[str] | None = None,
        made: FakeKind = "translated",
        share: Share = each,
        heads: bool = False,
    ) -> None:
        super().__init__()
        self.critic, self.routes, self.made, self.share = critic, routes, made, share
        self.objective, self.heads = objective_of(objective), heads
        self.requires = (made,)

    def forward(self, step: Step) -> Tensor:
        """Sum over routes, and over the critic's scales, of the generator's objective: ()."""
        pairs = _pairs(step, self.critic, self.made, self.routes)
        return total(self._fooled(step, pair) for pair in pairs)  # ()

    def _fooled(self, step: Step, pair: _Pair) -> Tensor:
        verdict = step.judge(pair.critic, pair.made)
        if self.heads:
            verdict = own_head(verdict, pair.wanted)
        return over_scales(self.objective.fooled, verdict, self.share)  # ()


class AdversarialCritic(Loss):
    """The critic should tell real signals from made ones; its gradient stops at the signals.

    Args:
        critic: As for `AdversarialGenerator`.
        objective: As for `AdversarialGenerator`.
        scale: Factor of the sum of both halves; CycleGAN and ComboGAN use 0.5.
        pool: Size of the `ImagePool` between generator and critic, one per critic; 0 for none.
        routes: As for `AdversarialGenerator`.
        made: As for `AdversarialGenerator`; ``restored`` is held against the route's own input, all
            else against real signals of the target domain (the input's own, in a mixed batch).
        share: As for `AdversarialGenerator`.
        heads: As for `AdversarialGenerator`; not with a pool, which forgets who was whom.

    Raises:
        UsageError: If both a pool and heads are asked for.
    """

    def __init__(
        self,
        critic: str = "discriminator_{target}",
        objective: str | Objective = "lsgan",
        *,
        scale: float = 1.0,
        pool: int = 0,
        routes: Sequence[str] | None = None,
        made: FakeKind = "translated",
        share: Share = each,
        heads: bool = False,
    ) -> None:
        super().__init__()
        if pool and heads:
            raise UsageError("a pool goes with critics of one head", asked=f"pool={pool}")
        self.critic, self.routes, self.made, self.scale = critic, routes, made, scale
        self.objective, self.share, self.heads = objective_of(objective), share, heads
        self.pool = ImagePools(pool) if "{" in critic else ImagePool(pool)
        self.requires = (made,)

    def forward(self, step: Step) -> Tensor:
        """Sum over routes, and over the critic's scales, of both halves, times ``scale``: ()."""
        pairs = _pairs(step, self.critic, self.made, self.routes)
        return total(self._told(step, pair) for pair in pairs) * self.scale  # ()

    def _told(self, step: Step, pair: _Pair) -> Tensor:
        on_real: DiscriminatorOutput = step.judge(pair.critic, pair.real)
        on_made: DiscriminatorOutput = step.judge(
            pair.critic, self._shown(step, pair.critic, pair.made)
        )
        if self.heads:
            on_real, on_made = own_head(on_real, pair.owned), own_head(on_made, pair.wanted)
        reals = over_scales(self.objective.real, on_real, self.share)  # ()
        fakes = over_scales(self.objective.fake, on_made, self.share)  # ()
        return reals + fakes  # ()

    def _shown(self, step: Step, critic: str, made: Tensor) -> Tensor:
        """(N, *S) what the critic sees of what was made: through the pool, without its graph."""
        if not self.pool.size:
            return step.detached(made)
        pool = self.pool[critic] if isinstance(self.pool, ImagePools) else self.pool
        shown: Tensor = pool(made, step)
        return shown


def critic_terms(
    directions: Iterable[tuple[str, str]], objective: str | Objective = "lsgan", *, pool: int = 0
) -> tuple[Term, ...]:
    """CycleGAN's objective of its critics: one term per direction, half of both halves' sum.

    Args:
        directions: (origin, target) of each route; the critic is ``discriminator_TARGET``.
        objective: As for `AdversarialGenerator`.
        pool: As for `AdversarialCritic`.
    """
    return tuple(
        Term(
            f"critic_{b}",
            AdversarialCritic(
                f"discriminator_{b}", objective, scale=0.5, pool=pool, routes=[f"{a}->{b}"]
            ),
        )
        for a, b in directions
    )


@dataclass(frozen=True)
class _Pair:
    """What a critic compares.

    Attributes:
        critic: Its name.
        real: (N, *S) real signals.
        owned: (N, K) the condition that they have.
        made: (N, *S) made signals.
        wanted: (N, K) the condition that they shall have.
    """

    critic: str
    real: Tensor
    owned: Condition
    made: Tensor
    wanted: Condition


def _pairs(
    step: Step, template: str, made: FakeKind, names: Sequence[str] | None
) -> Iterator[_Pair]:
    """What is compared for each route, or each domain."""
    if made == "sampled":
        for domain in names or step.method.domains.names:
            critic = template.format(target=domain, source=domain)
            real, sampled = step.real(domain), step.sampled(domain)  # (N, *S) each
            own = step.condition(domain, len(sampled))  # (N, K)
            yield _Pair(critic, real, own, sampled, own)
        return
    for route in step.select(names):
        critic = critic_of(template, route)
        if made == "translated":
            yield _Pair(
                critic,
                route.identity_input,
                route.identity_condition,
                route.translated,
                route.target,
            )
        elif made == "restored":
            yield _Pair(
                critic, route.signal, route.source_condition, route.restored, route.source_condition
            )
        else:
            own = route.identity_condition  # (N, K)
            yield _Pair(critic, route.identity_input, own, route.identity, own)


def own_head(verdict: DiscriminatorOutput, condition: Condition) -> DiscriminatorOutput:
    """The verdict whose realness (N, 1, ...) per scale is that of the head of ``condition``."""
    scores = []
    for scale in verdict.scores:
        label = condition.label[(...,) + (None,) * (scale.dim() - 2)]  # (N, K, 1, ...)
        scores.append((scale * label.to(scale.dtype)).sum(1, keepdim=True))  # (N, 1, ...)
    return replace(verdict, scores=tuple(scores))


def over_scales(
    part: Callable[[Tensor], Tensor], verdict: DiscriminatorOutput, share: Share
) -> Tensor:
    """Weighted sum () of one side of an objective over a verdict's scales."""
    weights = share(len(verdict.scores))
    scales = zip(weights, verdict.scores, strict=True)
    return total(part(at_least_float32(scale)) * weight for weight, scale in scales)  # ()


def critic_of(template: str, route: Route) -> str:
    """Name of the discriminator that a template means for a route."""
    return template.format(target=route.target.domain, source=route.source)
