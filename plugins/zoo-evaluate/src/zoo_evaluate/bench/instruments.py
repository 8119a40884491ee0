"""What measures the cells of a benchmark of pictures: judges and feature extractors."""

from __future__ import annotations

from zoo_evaluate.bench.data import Pictures
from zoo_evaluate.bench.judges import JudgeSet
from zoo_evaluate.bench.protocol import Benchmark, Task
from zoo_evaluate.context import EvalContext
from zoo_evaluate.extractors import JudgeExtractor
from zoo_evaluate.judge import EvalClassifier
from zoo_evaluate.run import PIXELS

SEED = 0
"""Seed of every choice of pictures, whatever the training's seed."""


class Instruments:
    """What measures: judges and extractors, and what they once said of real pictures.

    Args:
        benchmark: The benchmark.
        pictures: The real pictures.
        judges: The judges.
        device: Where judges compute.
    """

    def __init__(
        self, benchmark: Benchmark, pictures: Pictures, judges: JudgeSet, device: str
    ) -> None:
        self.benchmark, self.pictures, self.judges = benchmark, pictures, judges
        self.device = device
        self._juries: dict[tuple[str, str], list[EvalContext]] = {}

    @property
    def batch(self) -> int:
        """Pictures at once."""
        return max(1, PIXELS // self.benchmark.size**2)

    def context(self, task: Task, target: str) -> EvalContext:
        """The first judge of each kind and the extractor of a target domain."""
        return self.jury(task, target)[0]

    def jury(self, task: Task, target: str) -> list[EvalContext]:
        """A context for each member of the jury, kept with what it said of real pictures.

        Each has at most one judge of each kind, the first one all; the extractor is the same.
        """
        key = (task.name, target)
        if key not in self._juries:
            recipes = [r for r in self.benchmark.recipes(task) if r.role == "instrument"]
            judges = self.judges.all(recipes)
            wanted = [j for j in judges if j.card.task == self.benchmark.extractor]
            known = [j for j in wanted if target in j.card.domains]
            extractor = JudgeExtractor(known[0], f"judge of {target}") if known else None
            alike: dict[tuple[str, tuple[str, ...]], list[EvalClassifier]] = {}
            for judge in judges:
                alike.setdefault((judge.card.task, judge.card.domains), []).append(judge)
            members = max((len(same) for same in alike.values()), default=1)
            self._juries[key] = [
                EvalContext(
                    [same[member] for same in alike.values() if member < len(same)],
                    extractor,
                    SEED,
                    self.device,
                    None,
                    self.batch,
                    allow_few=True,
                )
                for member in range(members)
            ]
        return self._juries[key]
