"""What fills a cell, whatever the kind of signal: the seam between a benchmark and its figures.

Trainings, locks, cells, the table and its page are the same for all benchmarks. What a model is
measured by is not: a benchmark names its `CellEvaluator`. Importing this module imports no torch.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from zoo_core.errors import PluginError

if TYPE_CHECKING:
    from zoo_core.translate.translator import Translator
    from zoo_evaluate.bench.plan import Planner
    from zoo_evaluate.bench.protocol import Benchmark, Override, Task

MessageCallback = Callable[[str], None]
Figures = dict[str, float | None]
"""Figures by column; None where there is none."""
Facts = dict[str, Any]
"""How figures were found, as a cell records it."""


class CellResult(ABC):
    """A model in one direction.

    Attributes:
        facts: How its figures were found, once they were.
        notes: What was left out, in words.
    """

    facts: Facts
    notes: list[str]

    @abstractmethod
    def score(self) -> float:
        """What the best snapshot has most of; found without any test signal."""

    @abstractmethod
    def figures(self) -> Figures:
        """The figures by column, of test signals."""

    @abstractmethod
    def draw(self, path: Path) -> None:
        """Writes a picture of test signals and their translations."""


class CellEvaluator(ABC):
    """Measures the models of a benchmark, and the rows that frame its table.

    Args:
        planner: The benchmark, what is asked of it, its data and its working folder.
        device: Where to compute.
        report: Where to say what is going on.
    """

    margin: ClassVar[float] = 0.0
    """How far ahead of the last state a snapshot's score must be to count as better."""

    def __init__(self, planner: Planner, device: str, report: MessageCallback) -> None:
        self.planner, self.device, self.report = planner, device, report

    @property
    def benchmark(self) -> Benchmark:
        """The benchmark."""
        return self.planner.benchmark

    @abstractmethod
    def prepare(self, task: Task) -> None:
        """Makes what measures: judges are trained here."""

    def ready(self, source: str, override: Override) -> None:  # noqa: B027 - most refuse nothing
        """Refuses a training that cannot begin, since what it is to learn from is no use.

        Nothing is refused by default.

        Args:
            source: Its source domain.
            override: What the benchmark gives the row.
        """

    @abstractmethod
    def baselines(self, task: Task) -> Mapping[str, Callable[[str, str], tuple[Figures, Facts]]]:
        """Rows between which every method should lie; each is asked for (source, target)."""

    @abstractmethod
    def evaluate(
        self, task: Task, source: str, target: str, model: Translator, override: Override
    ) -> CellResult:
        """A model in one direction."""


def evaluator_class(benchmark: Benchmark) -> type[CellEvaluator]:
    """The class that a benchmark names.

    Raises:
        PluginError: If it cannot be imported.
    """
    module, _, name = benchmark.evaluator.partition(":")
    try:
        found: type[CellEvaluator] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise PluginError(
            f"it cannot be imported: {error}", asked=f"evaluator {benchmark.evaluator}"
        ) from error
    return found
