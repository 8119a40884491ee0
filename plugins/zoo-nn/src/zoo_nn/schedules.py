"""Learning-rate schedules and loss weights as functions of the progress. Imports no torch.

Each is a frozen dataclass that is called with a `zoo_core.contracts.spec.Progress`, so that players
stay comparable, printable and free of state: resuming needs nothing but the step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo_core.errors import UsageError

if TYPE_CHECKING:
    from zoo_core.contracts.spec import Progress


@dataclass(frozen=True)
class LinearDecay:
    """CycleGAN's multiplier: 1 for some epochs, then linearly towards 0.

    In epoch e (from 1) it is ``1 - max(0, e + early - constant) / (decay + further)``, as in the
    official code (``epoch + epoch_count - n_epochs`` with the scheduler's epoch counted from 0 and
    ``epoch_count`` 1). A run of another length than ``constant + decay`` epochs keeps the same
    proportions: it is divided into as many equal parts, each standing for one epoch.

    Attributes:
        constant_epochs: Epochs at the full rate (``n_epochs``).
        decay_epochs: Epochs of decay (``n_epochs_decay``).
        early: Epochs by which the decay begins earlier. With 1, as in older versions of the
            official code and what was built on them (GcGAN), the last epoch's multiplier is 0.
        further: Epochs after the last until the multiplier would be 0, where ``early`` is 0.
            ComboGAN has 0, and -1 for ``early``, since it sets the rate when an epoch has ended.
    """

    constant_epochs: int = 100
    decay_epochs: int = 100
    early: int = 0
    further: int = 1

    @classmethod
    def after(cls, part: float) -> LinearDecay:
        """Constant for a part of the run, 0 to 1, then linear; in a thousand equal steps."""
        constant = round(1000 * part)
        return cls(constant, 1000 - constant)

    def __call__(self, progress: Progress) -> float:
        """The multiplier, in [0, 1]."""
        total = self.constant_epochs + self.decay_epochs
        epoch = min(total, progress.step * total // max(1, progress.steps) + 1)
        gone = max(0, epoch + self.early - self.constant_epochs)
        return 1.0 - gone / (self.decay_epochs + self.further)


@dataclass(frozen=True)
class StepwiseLinearDecay:
    """StarGAN's multiplier: hardly any decay, as published.

    The official code subtracts ``lr / num_iters_decay`` only once every ``lr_update_step`` steps
    of the last ``num_iters_decay`` ones, so that 1e-4 ends at 9.99e-5 after 200,000 steps.

    Attributes:
        every: Steps between two subtractions (``lr_update_step``).
        part: Part of the run, at its end, in which the rate decays.
    """

    every: int = 1000
    part: float = 0.5

    def __call__(self, progress: Progress) -> float:
        """The multiplier, in (0, 1]."""
        decay = max(1, round(progress.steps * self.part))
        begin = max(0, progress.steps - decay)
        subtractions = progress.step // self.every - begin // self.every
        return 1.0 - max(0, subtractions) / decay


@dataclass(frozen=True)
class StepDecay:
    """Multiplies by ``gamma`` once every so many steps (UNIT: 100,000 steps, 0.5).

    Attributes:
        every: Steps between two changes.
        gamma: Factor of each.
        early: Steps by which all of them come earlier; 1 in UNIT, which counts a step before it
            makes it.
    """

    every: int
    gamma: float = 0.5
    early: int = 0

    def __call__(self, progress: Progress) -> float:
        """The multiplier."""
        return float(self.gamma ** ((progress.step + self.early) // self.every))


@dataclass(frozen=True)
class Ramp:
    """A weight that goes linearly from ``start`` to ``end`` within ``steps`` and stays there.

    Fader's adversarial weight is ``Ramp(0, 1e-4, 500_000)``. Without ``steps`` it takes the whole
    run, as ComboGAN's latent weight does.

    Attributes:
        start: Weight at the beginning.
        end: Weight at the end.
        steps: Steps until then; None for the whole run.
        parts: Equal parts, at whose ends alone the weight grows, such as epochs; None where it
            grows with every step.
    """

    start: float
    end: float
    steps: int | None = None
    parts: int | None = None

    def __call__(self, progress: Progress) -> float:
        """The weight."""
        steps = progress.steps if self.steps is None else self.steps
        part = min(1.0, progress.step / max(1, steps))
        if self.parts is not None:
            part = min(self.parts, progress.step * self.parts // max(1, steps)) / self.parts
        return self.start + (self.end - self.start) * part


@dataclass(frozen=True)
class Until:
    """A weight that changes once, at a step or at a fraction of the run.

    CycleGAN-VC's identity loss is ``Until(5.0, 0.0, step=10_000)``.

    Attributes:
        before: Weight before the change.
        after: Weight from the change on.
        step: Steps that are done when it changes; or:
        fraction: Part of the run that is done when it changes, 0 to 1.

    Raises:
        UsageError: Unless exactly one of ``step`` and ``fraction`` is given.
    """

    before: float
    after: float = 0.0
    step: int | None = None
    fraction: float | None = None

    def __post_init__(self) -> None:
        if (self.step is None) == (self.fraction is None):
            raise UsageError(
                "exactly one of step and fraction must be given", asked="a weight with Until"
            )

    def __call__(self, progress: Progress) -> float:
        """The weight."""
        if self.step is not None:
            return self.before if progress.step < self.step else self.after
        return self.before if progress.fraction < (self.fraction or 0.0) else self.after


@dataclass(frozen=True)
class Stage:
    """A weight that holds in some spans of the run, and is 0 outside them.

    Attributes:
        weight: The weight.
        spans: Begin and end of each span, in steps of a run of ``total``.
        total: The length that they refer to; a run of another length keeps their proportions.
        ramp: Steps from the first span's begin on in which it rises from 0.
    """

    weight: float
    spans: tuple[tuple[float, float], ...]
    total: float
    ramp: float = 0.0

    def __call__(self, progress: Progress) -> float:
        """The weight at a point of the run."""
        at = progress.step * self.total / max(1, progress.steps)
        if not any(begin <= at < end for begin, end in self.spans):
            return 0.0
        risen = (at - self.spans[0][0]) / self.ramp if self.ramp else 1.0
        return self.weight * min(1.0, risen)
