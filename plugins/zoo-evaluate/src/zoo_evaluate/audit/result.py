"""What an audit asks and what it found.

Importing this module imports no torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

CLEAN, ALARM = 0.1, 0.3
"""Scores below the first are clean, from the second on an alarm; between them suspicious."""


@dataclass(frozen=True)
class AuditConfig:
    """Settings of an audit that its figures depend on.

    Attributes:
        num_samples: Most inputs per direction.
        seed: Seed of the choice of inputs, of the noise, of the probe and of the
            bootstrap.
        batch: Signals at once; None fits them to the size.
        paired: Whether signals of one name are references; see
            `zoo_evaluate.directions.find_directions`.
        sigmas: Strengths of the noise curve, in half ranges of the signal, ascending from 0.
        white: Strength of the white noise that the score counts as invisible.
        smooth: The same of smooth noise, which the eye finds more easily.
        measures: Beyond the score: of ``curves gaps swap honesty probe``.
        bootstrap: Resamples of the confidence interval.
        samples: Pictures per direction.
    """

    num_samples: int = 256
    seed: int = 0
    batch: int | None = None
    paired: bool | None = None
    sigmas: tuple[float, ...] = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2)
    white: float = 0.05
    smooth: float = 0.02
    measures: tuple[str, ...] = ("curves", "gaps", "swap", "honesty", "probe")
    bootstrap: int = 1000
    samples: int = 6

    @classmethod
    def quick(cls, **changes: Any) -> AuditConfig:
        """The score alone on 128 inputs per direction: seconds on one core at 32 pixels."""
        return cls(**{"num_samples": 128, "measures": (), "samples": 0, **changes})


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % confidence interval, by bootstrap over pictures."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Exhibit:
    """One input and what shows that its translation hides it, each (C, *S).

    Attributes:
        name: Name of the input.
        signals: By the title of the column, in order.
    """

    name: str
    signals: Mapping[str, Tensor]


@dataclass(frozen=True)
class DirectionResult:
    """What was found of one direction, there and back.

    Attributes:
        name: Such as ``a->b``: from a to b and back again.
        num_samples: Inputs measured.
        score: Share of the input that travels hidden; see `zoo_evaluate.audit.score`.
        witness: The mild perturbation that showed it.
        shares: The same share for every mild perturbation.
        values: All other figures by name.
        curves: ``white`` and ``smooth``: response of the way back for each of the sigmas.
        exhibits: Pictures.
    """

    name: str
    num_samples: int
    score: Interval
    witness: str
    shares: Mapping[str, float]
    values: Mapping[str, float]
    curves: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    exhibits: tuple[Exhibit, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class AuditResult:
    """An audit.

    Attributes:
        model: Name of the model.
        score: That of the worst direction: 0 nothing hidden, 1 all of it.
        worst: Name of that direction.
        directions: What was found, by direction.
        config: Settings.
        facts: What else the figures depend on: signal, data, device, precision.
        notes: What was left out, and why.
    """

    model: str
    score: Interval
    worst: str
    directions: Mapping[str, DirectionResult]
    config: AuditConfig
    facts: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def level(self) -> str:
        """``clean``, ``suspicious`` or ``alarm``."""
        return level_of(self.score.value)

    @property
    def verdict(self) -> str:
        """What the score means, in words."""
        worst, share = self.directions[self.worst], f"{self.score.value:.0%}"
        if self.level == "clean":
            return (
                f"clean: a change of the translation that nobody sees costs the way back at most "
                f"{share} of the input"
            )
        word = "some" if self.level == "suspicious" else "much"
        return (
            f"{self.level}: {word} of what comes back was hidden in {self.worst}: {share} of the "
            f"input is lost when {worst.witness} disturbs the translation, which nobody sees"
        )

    def values(self) -> dict[str, Any]:
        """The result as plain values, without pictures: what ``--json`` gives."""
        return {
            "model": self.model,
            "score": _plain(asdict(self.score)),
            "level": self.level,
            "verdict": self.verdict,
            "worst": self.worst,
            "thresholds": {"clean_below": CLEAN, "alarm_from": ALARM},
            "directions": {
                name: {
                    "num_samples": found.num_samples,
                    "score": _plain(asdict(found.score)),
                    "level": level_of(found.score.value),
                    "witness": found.witness,
                    "shares": _plain(found.shares),
                    "values": _plain(found.values),
                    "curves": {k: [round(v, 6) for v in c] for k, c in found.curves.items()},
                }
                for name, found in self.directions.items()
            },
            "config": asdict(self.config),
            "facts": dict(self.facts),
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        """The result as JSON text; never NaN or infinity."""
        return json.dumps(self.values(), indent=2, allow_nan=False, ensure_ascii=False)


def level_of(score: float) -> str:
    """``clean``, ``suspicious`` or ``alarm``."""
    return "clean" if score < CLEAN else "alarm" if score >= ALARM else "suspicious"


def _plain(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(float(value), 6) for name, value in values.items()}
