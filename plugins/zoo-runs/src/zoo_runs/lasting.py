"""Alarms of what lasts: a critic that has won, translations that ignore their target or input.

A moment of it is part of many healthy trainings, so that each is told once, after it has lasted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

from torch import Tensor

from zoo_core.contracts.signals import MIXED
from zoo_core.contracts.spec import Progress
from zoo_train.events import RunEvents, Sampled

WON = 0.02
"""Part of its first value to which a critic's loss has sunk where it hardly errs."""
VALUES, STEPS = 10, 500
"""Logged values in a row, and steps, for which a critic must have won."""
FIRST = 3
"""Logged values, of which the largest is a critic's first one."""
ALIKE = 0.01
"""Difference of two pictures, in standard deviations of the inputs, below which they are one."""
SAMPLINGS = 3
"""Samplings in a row for which translations must have ignored their target."""
EARLY = 0.2
"""Part of a run in which a generator may still have learnt nothing."""


class LastingAlarms(RunEvents):
    """Follows the losses of critics, and every grid of samples."""

    def __init__(self) -> None:
        self._critics: dict[str, Critic] = {}
        self._seen: dict[str, int] = {}

    def step_done(
        self, directory: Path, progress: Progress, values: Mapping[str, float]
    ) -> list[str]:
        """A sentence for each critic that has won for long."""
        found = []
        for name, value in values.items():
            if name.rpartition("/")[2].startswith("critic"):
                text = self._critics.setdefault(name, Critic(name)).lost(progress.step, value)
                found += [] if text is None else [f"step {progress.step}: {text}"]
        return found

    def sampled(self, directory: Path, progress: Progress, sampled: Sampled) -> list[str]:
        """A sentence for each route that has ignored what it shall do for long."""
        now = dict(ignored(sampled)) if progress.fraction >= EARLY else {}
        self._seen = {name: self._seen.get(name, 0) + 1 for name in now}
        return [
            f"step {progress.step}: {text}, in {SAMPLINGS} samplings one after another"
            for name, text in now.items()
            if self._seen[name] == SAMPLINGS
        ]


class Critic:
    """The loss of one critic.

    Args:
        name: Name of the loss, such as ``discriminator/critic_b``.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._first: list[float] = []
        self._since: int | None = None
        self._count = 0
        self._told = False

    def lost(self, step: int, value: float) -> str | None:
        """What to say after a value of a step: once for each time that it has won for long.

        A loss that may be negative, as Wasserstein's, has no value at which nothing is left to
        learn, and is passed over.
        """
        if len(self._first) < FIRST:
            self._first.append(value)
            return None
        first = max(self._first)
        if not 0 <= value < WON * first:
            self._since, self._count, self._told = None, 0, False
            return None
        self._since = step if self._since is None else self._since
        self._count += 1
        if self._told or self._count < VALUES or step - self._since < STEPS:
            return None
        self._told = True
        return (
            f"{self.name} tells real from translated almost without error since step "
            f"{self._since} ({value:.2g}, at first {first:.2g}): the generator learns little from "
            "it; more data, a smaller critic or a lower learning rate of it may help"
        )


def ignored(sampled: Sampled) -> Iterator[tuple[str, str]]:
    """Name of a route, and what its translations ignore, where they do."""
    for key, signals in sampled.samples.batch.signals.items():
        outputs = {name: made for name, made in sampled.outputs[key].items() if name != key}
        where = "" if key == MIXED else f"of {key} "
        text = ignored_target(signals, outputs)
        if text is not None:
            yield f"{key}/", f"translations {where}ignore the target: {text}"
        for name, made in outputs.items() if key != MIXED else ():
            part = difference(made, signals) / scale(signals)
            if part < ALIKE:
                yield (
                    f"{key}/{name}",
                    f"translations of {key} to {name} are their inputs (they differ by {part:.2%} "
                    "of the inputs' standard deviation)",
                )


def ignored_target(signals: Tensor, outputs: Mapping[str, Tensor]) -> str | None:
    """What shows that the target makes no difference to translations; None where it does.

    Args:
        signals: (N, *S) inputs.
        outputs: (N, *S) translations by target; there is nothing to compare with fewer than two.
    """
    if len(outputs) < 2:
        return None
    part = max(difference(x, y) for x, y in pairwise(outputs.values())) / scale(signals)
    if part >= ALIKE:
        return None
    return f"{', '.join(outputs)} differ by {part:.2%} of the inputs' standard deviation"


def difference(x: Tensor, y: Tensor) -> float:
    """Root of the mean squared difference of signals (N, *S)."""
    return float((x.float() - y.float()).square().mean().sqrt())


def scale(signals: Tensor) -> float:
    """Standard deviation of all elements of signals (N, *S); never 0."""
    return max(float(signals.float().std(correction=0)), 1e-6)
