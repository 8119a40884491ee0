"""Alarms that look at translations as a person would: inverted colours, and collapse."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from zoo_core.contracts.signals import MIXED
from zoo_core.contracts.spec import Progress
from zoo_train.events import RunEvents, Sampled

FEWEST = 4
"""Signals of a route below which the alarms stay silent: too few to tell."""
INVERTED = -0.2
"""Mean correlation of output and input below which colours count as inverted."""
COLLAPSED = 0.05
"""Variance across outputs, relative to that across inputs, below which they count as one."""


class Alarms(RunEvents):
    """Looks at every grid of samples."""

    def sampled(self, directory: Path, progress: Progress, sampled: Sampled) -> list[str]:
        """One sentence per alarm."""
        return [f"step {progress.step}: {text}" for text in suspicions(sampled)]


def suspicions(sampled: Sampled) -> list[str]:
    """What the alarms say of translations between different domains, or to each attribute."""
    found = []
    for key, signals in sampled.samples.batch.signals.items():
        for name, translated in sampled.outputs[key].items():
            if key != name and len(signals) >= FEWEST:
                title = f"{key}->{name}" if key != MIXED else f"to {name}"
                found += alarms(title, signals, translated)
    return found


def correlation(inputs: Tensor, outputs: Tensor) -> float:
    """Mean over signals of the correlation of each output with its input.

    Args:
        inputs: (N, *S).
        outputs: (N, *S).

    Returns:
        -1 to 1; signals that are constant count as 0.
    """
    x = inputs.flatten(1).float()  # (N, D)
    y = outputs.flatten(1).float()  # (N, D)
    x = x - x.mean(1, keepdim=True)  # (N, D)
    y = y - y.mean(1, keepdim=True)  # (N, D)
    scale = (x.norm(dim=1) * y.norm(dim=1)).clamp_min(1e-8)  # (N,)
    return float(((x * y).sum(1) / scale).mean())


def spread(signals: Tensor) -> float:
    """Variance across the signals (N, *S), averaged over their elements; 0 for one signal."""
    if len(signals) < 2:
        return 0.0
    return float(signals.float().var(dim=0).mean())


def alarms(name: str, inputs: Tensor, outputs: Tensor) -> list[str]:
    """What is suspicious in the translations of one route, in words.

    Args:
        name: The route, such as ``a->b``.
        inputs: (N, *S) sample inputs.
        outputs: (N, *S) their translations.

    Returns:
        One sentence per alarm; empty where nothing is suspicious.
    """
    found = []
    related = correlation(inputs, outputs)
    if related < INVERTED:
        found.append(
            f"{name}: translations correlate negatively with their inputs ({related:.2f}): colours "
            "may be inverted; an identity loss usually mends it"
        )
    before, after = spread(inputs), spread(outputs)
    if before > 0 and after < COLLAPSED * before:
        found.append(
            f"{name}: translations hardly differ from one another ({after / before:.1%} of the "
            "variance of the inputs): the generator may have collapsed"
        )
    return found
