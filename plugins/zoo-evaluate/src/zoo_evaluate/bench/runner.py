"""Runs a benchmark: judges, trainings, cells; goes on where it was stopped.

A cell is finished when its file is there. Several processes may share a working folder: each
takes the trainings that no other is at.
"""

from __future__ import annotations

import json
import platform
import shutil
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import torch

from zoo_core.errors import ZooError
from zoo_core.translate.engine import resolve_device
from zoo_core.translate.loading import load
from zoo_core.translate.translator import Translator
from zoo_evaluate.bench.assess import CellResult, Facts, Figures, MessageCallback, evaluator_class
from zoo_evaluate.bench.plan import BenchRequest, Cell, Planner, Training
from zoo_evaluate.bench.protocol import Benchmark, Task
from zoo_evaluate.bench.selection import best_of
from zoo_evaluate.bench.work_dir import WorkDir
from zoo_train.guard import StoppedError
from zoo_train.start import train_run


@dataclass
class BenchOutcome:
    """What became of a run of a benchmark.

    Attributes:
        failed: What went wrong, by cell.
        elsewhere: Trainings that other processes are at.
    """

    failed: dict[str, str] = field(default_factory=dict)
    elsewhere: list[str] = field(default_factory=list)


class Runner:
    """Fills the cells of a benchmark.

    Args:
        benchmark: The benchmark.
        asked: What is asked of it.
        folder: The working folder.
        report: Where to say what is going on.

    Raises:
        UsageError: If a method or task is unknown or does not fit.
        DataError: If the data is nowhere.
    """

    def __init__(
        self, benchmark: Benchmark, asked: BenchRequest, folder: WorkDir, report: MessageCallback
    ) -> None:
        self.benchmark, self.folder, self.report = benchmark, folder, report
        self.device = str(resolve_device(asked.device))
        self.planner = Planner(benchmark, asked, folder)
        self.evaluator = evaluator_class(benchmark)(self.planner, self.device, report)
        self.outcome = BenchOutcome()
        self._loaded: dict[Path, Translator] = {}

    def run(self) -> BenchOutcome:
        """Fills what is missing; a method that fails is told of, and the others go on.

        Raises:
            ZooError: If the judges or the data cannot be used, or a signal stopped a training.
        """
        for task in self.planner.tasks:
            self.evaluator.prepare(task)
        for method in self.planner.methods:
            try:
                trainings = self.planner.trainings(method)
            except Exception as fault:
                self._failed(method, fault)
                continue
            for training in trainings:
                self._fill(training)
        for task in self.planner.tasks:
            self._measure_baselines(task)
        return self.outcome

    def _fill(self, training: Training) -> None:
        """Trains, and measures the cells that are not finished."""
        if all(self.folder.done(cell.name) for cell in training.cells):
            return
        with self.folder.locked(training.name, wait=False) as mine:
            if not mine:
                self.report(f"{training.name}: another process is at it")
                self.outcome.elsewhere.append(training.name)
                return
            try:
                self.evaluator.ready(training.cells[0].source, training.override)
                run = self.train(training)
            except StoppedError:
                raise
            except Exception as fault:
                self._failed(training.name, fault)
                return
            self._loaded.clear()
            for cell in training.cells:
                if not self.folder.done(cell.name):
                    try:
                        self._measure(training, cell, run)
                    except Exception as fault:
                        self._failed(cell.name, fault)
            if all(self.folder.done(cell.name) for cell in training.cells):
                shutil.rmtree(run / "checkpoint", ignore_errors=True)

    def train(self, training: Training) -> Path:
        """The run's directory, trained to its end."""
        run = self.folder.runs / training.name
        if not (run / "model" / "config.yaml").is_file():
            self.report(f"{training.name}: training")
            train_run(training.config, run, resume=True, quiet=True, cache=self.folder.data)
        return run

    def _measure(self, training: Training, cell: Cell, run: Path) -> None:
        """Measures one cell: the last state, and the best snapshot."""
        self.report(f"{cell.name}: measuring")
        models = {int(path.name): path for path in (run / "snapshots").glob("[0-9]*")}
        models[cell.steps] = run / "model"
        scores = {
            step: round(self._case(training, cell, path).score(), 6)
            for step, path in sorted(models.items())
        }
        best = best_of(scores, self.evaluator.margin)
        last_case = self._case(training, cell, models[cell.steps])
        last = last_case.figures()
        chosen = last
        if best != cell.steps:
            chosen = self._case(training, cell, models[best]).figures()
        seconds = training_seconds(run)
        last_case.draw(self.folder.cells / f"{cell.name}.png")
        values = {
            **described(cell),
            **self._machine(),
            "seconds": round(seconds["seconds"], 1),
            "metrics": last,
            "best": {**chosen, "step": best, "scores": {str(k): v for k, v in scores.items()}},
            "seconds_per_step": round(seconds["seconds_per_step"], 5),
            "parameters": parameters(self._model(models[cell.steps])),
            "preset": training.config.preset,
            "variant_of": training.override.method or None,
            "options": dict(training.override.options),
            "added": list(training.override.extra_losses),
            "train": dict(training.override.train),
            **last_case.facts,
            "notes": last_case.notes,
        }
        self.folder.write_cell(cell.name, values)
        self.folder.fault(cell.name, None)
        self.folder.fault(training.name, None)
        self.report(f"{cell.name}: " + summary_line(last))

    def _case(self, training: Training, cell: Cell, model: Path) -> CellResult:
        return self.evaluator.evaluate(
            training.task, cell.source, cell.target, self._model(model), training.override
        )

    def _model(self, path: Path) -> Translator:
        if path not in self._loaded:
            self._loaded[path] = load(path, device=self.device, precision="float32", engine="torch")
        return self._loaded[path]

    def _measure_baselines(self, task: Task) -> None:
        """Rows between which every method should lie."""
        rows = self.evaluator.baselines(task)
        for source, target in task.directions:
            for row, found in rows.items():
                cell = Cell(row, task.name, source, target, 0, 0)
                with self.folder.locked(cell.name, wait=False) as mine:
                    if not mine or self.folder.done(cell.name):
                        continue
                    try:
                        self._measure_baseline(cell, found)
                    except Exception as fault:
                        self._failed(cell.name, fault)

    def _measure_baseline(
        self, cell: Cell, found: Callable[[str, str], tuple[Figures, Facts]]
    ) -> None:
        self.report(f"{cell.name}: measuring")
        metrics, facts = found(cell.source, cell.target)
        values = {
            **described(cell),
            "baseline": True,
            **self._machine(),
            "seconds": 0.0,
            "metrics": metrics,
            "best": metrics,
            **facts,
        }
        self.folder.write_cell(cell.name, values)
        self.folder.fault(cell.name, None)
        self.report(f"{cell.name}: " + summary_line(metrics))

    def _failed(self, name: str, fault: Exception) -> None:
        """Tells of what failed; what is no word to the user is kept with its traceback."""
        text = str(fault) if isinstance(fault, ZooError) else f"{type(fault).__name__}: {fault}"
        path = self.folder.fault(name, "".join(traceback.format_exception(fault)))
        self.outcome.failed[name] = text
        self.report(f"{name}: failed: {text} (see {path})")

    def _machine(self) -> dict[str, Any]:
        return {
            "device": self.device.partition(":")[0],
            "machine": machine(self.device),
            "threads": torch.get_num_threads(),
        }


def described(cell: Cell) -> dict[str, Any]:
    """What a cell is, for its file."""
    return {
        "method": cell.method,
        "task": cell.task,
        "direction": cell.direction,
        "seed": cell.seed,
        "steps": cell.steps,
    }


def summary_line(values: Mapping[str, float | None]) -> str:
    """Figures in one line."""
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items() if value is not None)


def parameters(model: Translator) -> int:
    """Parameters of the nets that translate."""
    return sum(p.numel() for p in model.engine.method.parameters())


def training_seconds(run: Path) -> dict[str, float]:
    """Seconds of training steps in all, and of a step (median), from the run's log."""
    spent, rates, before = 0.0, [], 0
    for line in (run / "log" / "stats.jsonl").read_text(encoding="utf-8").splitlines():
        values = json.loads(line)
        rate = float(values["steps_per_second"])
        spent += (values["step"] - before) / rate
        rates.append(1 / rate)
        before = values["step"]
    return {"seconds": spent, "seconds_per_step": median(rates) if rates else 0.0}


def machine(device: str) -> str:
    """Name of the processor or the accelerator."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2] for line in text.splitlines() if line.startswith("model name")]
    return names[0].strip() if names else platform.machine()
