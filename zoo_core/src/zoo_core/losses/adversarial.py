"""Adversarial losses: one for those who make signals, one for those who judge them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from torch import Tensor

from zoo_core.interfaces import Loss, Verdict
from zoo_core.losses.distances import total
from zoo_core.losses.objectives import Objective, Share, each, objective_of
from zoo_core.losses.pool import ImagePool, ImagePools
from zoo_core.step import Leg, Step

Made = Literal["translated", "restored", "identity"]


class AdversarialGenerator(Loss):
    """The critic should take what was made for real (Goodfellow et al. 2014, arXiv:1406.2661).

    Args:
        critic: Name of the discriminator; ``{target}`` and ``{origin}`` stand for the leg's
            domains, as in ``discriminator_{target}``.
        objective: ``lsgan``, ``wgan``, ``nonsaturating`` (``bce``), ``hinge``, or an object.
        legs: Names of the legs that it applies to; None for all.
        made: What is judged: ``translated``, ``restored`` (CycleGAN-VC2's second critic) or
            ``identity`` (UNIT's reconstructions).
        share: Weights of a critic's scales, given their number; 1 each unless told otherwise.
    """

    def __init__(
        self,
        critic: str = "discriminator_{target}",
        objective: str | Objective = "lsgan",
        *,
        legs: Sequence[str] | None = None,
        made: Made = "translated",
        share: Share = each,
    ) -> None:
        super().__init__()
        self.critic, self.legs, self.made, self.share = critic, legs, made, share
        self.objective = objective_of(objective)
        self.requires = (made,)

    def forward(self, step: Step) -> Tensor:
        """Sum over legs, and over the critic's scales, of the generator's objective: ()."""
        return total(self._leg(step, leg) for leg in step.select(self.legs))  # ()

    def _leg(self, step: Step, leg: Leg) -> Tensor:
        made: Tensor = getattr(leg, self.made)  # (N, *S)
        verdict = step.judge(critic_of(self.critic, leg), made)
        return over_scales(self.objective.fooled, verdict, self.share)  # ()


class AdversarialCritic(Loss):
    """The critic should tell real signals from made ones; its gradient stops at the signals.

    Args:
        critic: As for `AdversarialGenerator`.
        objective: As for `AdversarialGenerator`.
        scale: Factor of the sum of both halves; CycleGAN and ComboGAN use 0.5.
        pool: Size of the `ImagePool` between generator and critic, one per critic; 0 for none.
        legs: Names of the legs that it applies to; None for all.
        made: What is judged; ``restored`` is held against the leg's own input, all else against
            real signals of the target domain (the input's own, in a mixed batch).
        share: As for `AdversarialGenerator`.
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
    ) -> None:
        super().__init__()
        self.critic, self.legs, self.made, self.scale = critic, legs, made, scale
        self.objective, self.share = objective_of(objective), share
        self.pool = ImagePools(pool) if "{" in critic else ImagePool(pool)
        self.requires = (made,)

    def forward(self, step: Step) -> Tensor:
        """Sum over legs, and over the critic's scales, of both halves, times ``scale``: ()."""
        return total(self._leg(step, leg) for leg in step.select(self.legs)) * self.scale  # ()

    def _leg(self, step: Step, leg: Leg) -> Tensor:
        critic = critic_of(self.critic, leg)
        real = leg.signal if self.made == "restored" else leg.native  # (N, *S)
        made: Tensor = getattr(leg, self.made)  # (N, *S)
        on_real: Verdict = step.judge(critic, real)
        pool = self.pool[critic] if isinstance(self.pool, ImagePools) else self.pool
        on_made: Verdict = step.judge(critic, pool(made, step))
        reals = over_scales(self.objective.real, on_real, self.share)  # ()
        fakes = over_scales(self.objective.fake, on_made, self.share)  # ()
        return reals + fakes  # ()


def over_scales(part: Callable[[Tensor], Tensor], verdict: Verdict, share: Share) -> Tensor:
    """Weighted sum () of one side of an objective over a verdict's scales."""
    weights = share(len(verdict.realness))
    scales = zip(weights, verdict.realness, strict=True)
    return total(part(scale.float()) * weight for weight, scale in scales)  # ()


def critic_of(template: str, leg: Leg) -> str:
    """Name of the discriminator that a template means for a leg."""
    return template.format(target=leg.target.domain, origin=leg.origin)
