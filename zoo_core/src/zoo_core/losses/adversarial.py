"""Adversarial losses: one for those who make signals, one for those who judge them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

from zoo_core.errors import UsageError
from zoo_core.interfaces import Verdict
from zoo_core.losses.distances import total
from zoo_core.losses.objectives import Objective, Share, each, objective_of
from zoo_core.losses.pool import ImagePool, ImagePools
from zoo_core.method import Loss, Term
from zoo_core.precision import at_least_float32
from zoo_core.signals import Condition
from zoo_core.step import Leg, Step

Made = Literal["translated", "restored", "identity", "sampled"]


class AdversarialGenerator(Loss):
    """The critic should take what was made for real (Goodfellow et al. 2014, arXiv:1406.2661).

    Args:
        critic: Name of the discriminator; ``{target}`` and ``{origin}`` stand for the leg's
            domains, as in ``discriminator_{target}``.
        objective: ``lsgan``, ``wgan``, ``nonsaturating`` (``bce``), ``hinge``, or an object.
        legs: Names of the legs that it applies to; None for all. With ``sampled``: of the domains.
        made: What is judged: ``translated``, ``restored`` (CycleGAN-VC2's second critic),
            ``identity`` (reconstructions), or ``sampled`` (CoGAN: every domain's signals made from
            one prior code; there are no legs then, and ``{target}`` is the domain).
        share: Weights of a critic's scales, given their number; 1 each unless told otherwise.
        heads: Whether the critic has a realness per domain, (N, K, ...), of which the one of the
            domain that a signal has, or shall have, counts (StarGAN v2, arXiv:1912.01865, §2.1).
    """

    def __init__(
        self,
        critic: str = "discriminator_{target}",
        objective: str | Objective = "lsgan",
        *,
        legs: Sequence[str] | None = None,
        made: Made = "translated",
        share: Share = each,
        heads: bool = False,
    ) -> None:
        super().__init__()
        self.critic, self.legs, self.made, self.share = critic, legs, made, share
        self.objective, self.heads = objective_of(objective), heads
        self.requires = (made,)

    def forward(self, step: Step) -> Tensor:
        """Sum over legs, and over the critic's scales, of the generator's objective: ()."""
        pairs = _pairs(step, self.critic, self.made, self.legs)
        return total(self._fooled(step, pair) for pair in pairs)  # ()

    def _fooled(self, step: Step, pair: _Pair) -> Tensor:
        verdict = step.judge(pair.critic, pair.made)
        if self.heads:
            verdict = _own_head(verdict, pair.wanted)
        return over_scales(self.objective.fooled, verdict, self.share)  # ()


class AdversarialCritic(Loss):
    """The critic should tell real signals from made ones; its gradient stops at the signals.

    Args:
        critic: As for `AdversarialGenerator`.
        objective: As for `AdversarialGenerator`.
        scale: Factor of the sum of both halves; CycleGAN and ComboGAN use 0.5.
        pool: Size of the `ImagePool` between generator and critic, one per critic; 0 for none.
        legs: As for `AdversarialGenerator`.
        made: As for `AdversarialGenerator`; ``restored`` is held against the leg's own input, all
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
        legs: Sequence[str] | None = None,
        made: Made = "translated",
        share: Share = each,
        heads: bool = False,
    ) -> None:
        super().__init__()
        if pool and heads:
            raise UsageError("a pool goes with critics of one head", asked=f"pool={pool}")
        self.critic, self.legs, self.made, self.scale = critic, legs, made, scale
        self.objective, self.share, self.heads = objective_of(objective), share, heads
        self.pool = ImagePools(pool) if "{" in critic else ImagePool(pool)
        self.requires = (made,)

    def forward(self, step: Step) -> Tensor:
        """Sum over legs, and over the critic's scales, of both halves, times ``scale``: ()."""
        pairs = _pairs(step, self.critic, self.made, self.legs)
        return total(self._told(step, pair) for pair in pairs) * self.scale  # ()

    def _told(self, step: Step, pair: _Pair) -> Tensor:
        on_real: Verdict = step.judge(pair.critic, pair.real)
        on_made: Verdict = step.judge(pair.critic, self._shown(step, pair.critic, pair.made))
        if self.heads:
            on_real, on_made = _own_head(on_real, pair.owned), _own_head(on_made, pair.wanted)
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
        directions: (origin, target) of each leg; the critic is ``discriminator_TARGET``.
        objective: As for `AdversarialGenerator`.
        pool: As for `AdversarialCritic`.
    """
    return tuple(
        Term(
            f"critic_{b}",
            AdversarialCritic(
                f"discriminator_{b}", objective, scale=0.5, pool=pool, legs=[f"{a}->{b}"]
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


def _pairs(step: Step, template: str, made: Made, names: Sequence[str] | None) -> Iterator[_Pair]:
    """What is compared for each leg, or each domain."""
    if made == "sampled":
        for domain in names or step.method.domains.names:
            critic = template.format(target=domain, origin=domain)
            real, sampled = step.real(domain), step.sampled(domain)  # (N, *S) each
            own = step.condition(domain, len(sampled))  # (N, K)
            yield _Pair(critic, real, own, sampled, own)
        return
    for leg in step.select(names):
        critic = critic_of(template, leg)
        if made == "translated":
            yield _Pair(critic, leg.native, leg.native_condition, leg.translated, leg.target)
        elif made == "restored":
            yield _Pair(critic, leg.signal, leg.source, leg.restored, leg.source)
        else:
            own = leg.native_condition  # (N, K)
            yield _Pair(critic, leg.native, own, leg.identity, own)


def _own_head(verdict: Verdict, condition: Condition) -> Verdict:
    """The verdict whose realness (N, 1, ...) per scale is that of the head of ``condition``."""
    realness = []
    for scale in verdict.realness:
        label = condition.label[(...,) + (None,) * (scale.dim() - 2)]  # (N, K, 1, ...)
        realness.append((scale * label.to(scale.dtype)).sum(1, keepdim=True))  # (N, 1, ...)
    return replace(verdict, realness=tuple(realness))


def over_scales(part: Callable[[Tensor], Tensor], verdict: Verdict, share: Share) -> Tensor:
    """Weighted sum () of one side of an objective over a verdict's scales."""
    weights = share(len(verdict.realness))
    scales = zip(weights, verdict.realness, strict=True)
    return total(part(at_least_float32(scale)) * weight for weight, scale in scales)  # ()


def critic_of(template: str, leg: Leg) -> str:
    """Name of the discriminator that a template means for a leg."""
    return template.format(target=leg.target.domain, origin=leg.origin)
