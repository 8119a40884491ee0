"""Cells of benchmarks of pictures: judges, metrics, strips, and the rows that frame the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

from zoo_core.translate.translator import Translator
from zoo_evaluate.bench import adaptation
from zoo_evaluate.bench.assess import CellEvaluator, CellResult, Facts, Figures, MessageCallback
from zoo_evaluate.bench.data import Pictures
from zoo_evaluate.bench.judges import JudgeSet
from zoo_evaluate.bench.measure import (
    BenchCase,
    Instruments,
    Untranslated,
    measure,
    strip,
    target_only,
)
from zoo_evaluate.bench.pictures import write_strip
from zoo_evaluate.bench.plan import Planner
from zoo_evaluate.bench.protocol import Override, Task
from zoo_evaluate.bench.selection import MARGIN, score
from zoo_evaluate.bench.stand_ins import STAND_INS, StandIn, TargetPictures
from zoo_evaluate.eval_model import as_eval_model

SOURCE_ONLY, TARGET_ONLY, UNTRANSLATED = "source only", "target only", "untranslated"


class PictureCellResult(CellResult):
    """A model of pictures in one direction.

    Args:
        case: The model, with all that its figures are found by.
    """

    def __init__(self, case: BenchCase) -> None:
        self._case = case
        self.facts, self.notes = case.facts, case.notes

    def score(self) -> float:
        """See `zoo_evaluate.bench.selection`."""
        return score(self._case)

    def figures(self) -> Figures:
        """See `zoo_evaluate.bench.measure`."""
        return measure(self._case)

    def draw(self, path: Path) -> None:
        """Writes a strip of test pictures and their translations."""
        write_strip(path, strip(self._case))


class PictureCellEvaluator(CellEvaluator):
    """Measures models of pictures; see `zoo_evaluate.bench.assess.CellEvaluator`."""

    margin: ClassVar[float] = MARGIN

    def __init__(self, planner: Planner, device: str, report: MessageCallback) -> None:
        super().__init__(planner, device, report)
        benchmark = planner.benchmark
        self.pictures = Pictures(planner)
        self.judges = JudgeSet(
            benchmark, planner.folder, self.pictures, device=device, report=report
        )
        self.instruments = Instruments(benchmark, self.pictures, self.judges, device)
        self._targets: dict[tuple[str, str], TargetPictures] = {}

    def prepare(self, task: Task) -> None:
        """Trains the judges of a task that are not there, and tells of those that cannot serve."""
        _, unfit = self.judges.fit(self.benchmark.recipes(task))
        for reason in unfit.values():
            self.report(f"{reason} What does not need it goes on.")

    def ready(self, source: str, override: Override) -> None:
        """Refuses a row that learns from a classifier of its source, where that cannot serve.

        Raises:
            NoInstrumentError: If it reads real pictures too badly.
        """
        recipe = self.benchmark.source_classifier(source)
        if override.one_way and recipe is not None:
            self.judges.judge(recipe)

    def baselines(self, task: Task) -> Mapping[str, Callable[[str, str], tuple[Figures, Facts]]]:
        """The input, stand-ins, and real target pictures where an adaptation is measured."""
        rows = {UNTRANSLATED: self._lower}
        if self.benchmark.adaptation:
            rows = {SOURCE_ONLY: self._lower, TARGET_ONLY: self._upper}
        framed: dict[str, Callable[[str, str], tuple[Figures, Facts]]] = {
            name: lambda source, target, of=of: of(self._same(task, source, target))  # type: ignore[misc]
            for name, of in rows.items()
        }
        for kind in STAND_INS:
            framed[kind.name] = lambda source, target, kind=kind: self._made(  # type: ignore[misc]
                self._stand_in(kind, task, source, target)
            )
        return framed

    def evaluate(
        self, task: Task, source: str, target: str, model: Translator, override: Override
    ) -> PictureCellResult:
        """A model in one direction."""
        translates = as_eval_model(model)
        return PictureCellResult(
            BenchCase(self.instruments, task, source, target, translates, override)
        )

    def _same(self, task: Task, source: str, target: str) -> BenchCase:
        same = Untranslated(task, self.benchmark.size)
        return BenchCase(self.instruments, task, source, target, same)

    def _stand_in(self, kind: type[StandIn], task: Task, source: str, target: str) -> BenchCase:
        case = self._same(task, source, target)
        if (task.name, target) not in self._targets:
            self._targets[task.name, target] = TargetPictures(case)
        case.translator = kind(case, self._targets[task.name, target])
        return case

    def _lower(self, case: BenchCase) -> tuple[Figures, Facts]:
        return measure(case, without=("cycle_l1", "hidden")), case.facts

    def _made(self, case: BenchCase) -> tuple[Figures, Facts]:
        # Adaptation has its own frame: source only and target only.
        learnt = ("adaptation_accuracy", "adaptation_short")
        return measure(case, without=("cycle_l1", "hidden", *learnt)), case.facts

    def _upper(self, case: BenchCase) -> tuple[Figures, Facts]:
        benchmark = self.benchmark
        recipes = {"adaptation_accuracy": benchmark.adaptation, "adaptation_short": benchmark.short}
        adapted = {
            name: adaptation.of_target(case, recipe) for name, recipe in recipes.items() if recipe
        }
        return target_only(case, adapted), case.facts
