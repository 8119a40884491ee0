"""What measures the cells of a benchmark of pictures: judges and feature extractors."""

from __future__ import annotations

from zoo_evaluate.bench.data import Pictures
from zoo_evaluate.bench.judges import JudgeSet, NoInstrumentError
from zoo_evaluate.bench.protocol import Benchmark, ClassifierConfig, Task
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
        self._known: dict[tuple[str, str], dict[str, str]] = {}
        self._missing: dict[tuple[str, str], dict[str, str]] = {}

    @property
    def batch(self) -> int:
        """Pictures at once."""
        return max(1, PIXELS // self.benchmark.size**2)

    def context(self, task: Task, target: str) -> EvalContext:
        """The first judge of each kind and the extractor of a target domain."""
        return self.jury(task, target)[0]

    def jury(self, task: Task, target: str) -> list[EvalContext]:
        """A context for each member of the jury, kept with what it said of real pictures.

        Each has at most one judge of each kind, the first one all; the extractor is the same. A
        judge that is no instrument is left out, and the next of its kind takes its place.

        Raises:
            NoInstrumentError: If no judge of a kind is an instrument.
        """
        key = (task.name, target)
        if key not in self._juries:
            alike = self._fit(key, self._recipes(task, target))
            judges = [judge for same in alike.values() for judge in same]
            known = [j for j in judges if j.card.task == self.benchmark.extractor]
            extractor = JudgeExtractor(known[0], f"judge of {target}") if known else None
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

    def hashes(self, task: Task, target: str) -> dict[str, str]:
        """The first digits of the SHA-256 of each judge's weights, by name: who has judged."""
        self.jury(task, target)
        return dict(self._known[task.name, target])

    def left_out(self, task: Task, target: str) -> dict[str, str]:
        """Why a judge is left out of the jury, by name."""
        self.jury(task, target)
        return dict(self._missing[task.name, target])

    def _recipes(self, task: Task, target: str) -> list[ClassifierConfig]:
        """The instruments that have a part in translations to a target."""
        recipes = self.benchmark.recipes(task)
        return [r for r in recipes if r.role == "instrument" and target in r.domains]

    def _fit(
        self, key: tuple[str, str], recipes: list[ClassifierConfig]
    ) -> dict[tuple[str, tuple[str, ...]], list[EvalClassifier]]:
        """The judges that are fit to judge, those of one kind together in the recipes' order."""
        judges, unfit = self.judges.fit(recipes)
        alike: dict[tuple[str, tuple[str, ...]], list[EvalClassifier]] = {}
        reasons: dict[tuple[str, tuple[str, ...]], NoInstrumentError] = {}
        for recipe in recipes:
            kind = (recipe.task, recipe.domains)
            if recipe.name in judges:
                alike.setdefault(kind, []).append(judges[recipe.name])
            else:
                reasons.setdefault(kind, unfit[recipe.name])
        for kind, reason in reasons.items():
            if kind not in alike:
                raise reason
        self._known[key] = {name: judge.card.short_hash for name, judge in judges.items()}
        self._missing[key] = {name: reason.problem for name, reason in unfit.items()}
        return alike
