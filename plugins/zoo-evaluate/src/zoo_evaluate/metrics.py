"""What a metric is, and what it is told of each batch of translations.

Third parties bring metrics as components of kind ``metric``: a target is a `Metric` class.
Shapes: N batch, ``*S`` any signal (an image is C H W).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from zoo_core.contracts.signals import TensorSpec
from zoo_evaluate.context import Direction, TranslatedBatch

NEEDS = {
    "reference": "the references of the inputs, aligned with them (pictures of the same name in "
    "both domains, with --paired)",
    "labels": "class labels of the inputs",
    "domain_judge": "a domain judge that knows the target domain (--judge DIR)",
    "content_judge": "a content judge of the target domain (--judge DIR)",
    "extractor": "a feature extractor (--extractor timm:NAME, judge:DIR or inception)",
    "whole": "the files of the signals",
    "counterparts": "real signals of the target with the same content (class folders in both "
    "domains, or files of the same name but for the domain's)",
}
"""What a metric may need beyond source and translation, and in which words it is missed."""


class Metric(ABC):
    """One measure of one direction of translation.

    A metric is made anew for each direction, updated with every batch, and then asked once.

    Args:
        direction: The direction, its domains, and the tools (judges, extractor) at hand.

    Attributes:
        name: Name for ``--metrics``.
        needs: What it cannot do without: keys of `NEEDS`.
        signals: Kinds of signal that it applies to; empty: any.
        headline: Which of its values the table on the terminal shows; the first is the figure by
            which ``zoo train --validate`` chooses.
        higher_is_better: Whether more of that figure is better.
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[str]] = frozenset()
    signals: ClassVar[tuple[str, ...]] = ()
    headline: ClassVar[tuple[str, ...]] = ()
    higher_is_better: ClassVar[bool] = False

    def __init__(self, direction: Direction) -> None:
        self.direction = direction

    @classmethod
    def applies(cls, signal: TensorSpec) -> bool:
        """Whether signals of this form can be measured by it."""
        return not cls.signals or signal.kind in cls.signals

    @abstractmethod
    def update(self, sample: TranslatedBatch) -> None:
        """Takes in one batch of translations."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """The values of the direction, by name; every one finite.

        Where ``NAME_low`` and ``NAME_high`` are among them, they bound the value ``NAME``.

        Raises:
            UsageError: If nothing can be said of so few signals.
        """

    def protocol(self) -> dict[str, object]:
        """How the values were found, for the report: units, sizes, tools and their hashes."""
        return {}

    def titles(self) -> dict[str, str]:
        """Printed names of values that say little by their name alone, by name."""
        return {}

    def caveats(self) -> list[str]:
        """What a reader of the values must know, a phrase each."""
        return []

    @classmethod
    def mean(cls, directions: Sequence[Mapping[str, float]]) -> dict[str, float]:
        """The values over all directions: the plain mean, unless a metric knows better."""
        names = list(dict.fromkeys(name for values in directions for name in values))
        held = {name: [v[name] for v in directions if name in v] for name in names}
        return {name: sum(values) / len(values) for name, values in held.items()}


class Average:
    """A running mean over samples."""

    def __init__(self) -> None:
        self.total, self.count = 0.0, 0

    def add(self, values: Sequence[float]) -> None:
        """Takes in one value per sample."""
        self.total += float(sum(values))
        self.count += len(values)

    @property
    def value(self) -> float:
        """The mean of all samples so far; 0 before the first."""
        return self.total / max(1, self.count)
