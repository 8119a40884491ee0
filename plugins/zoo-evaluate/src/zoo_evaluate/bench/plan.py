"""Which trainings a benchmark needs, and which cells of the table each of them fills."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zoo_core.contracts.component import MethodSpec
from zoo_core.contracts.signals import Domains
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import DataError, UsageError, unknown
from zoo_core.host.plugins import host
from zoo_core.models.modeldir import build_method
from zoo_evaluate.bench.protocol import Benchmark, Override, Task
from zoo_evaluate.bench.work_dir import WorkDir
from zoo_train.config import RunConfig
from zoo_train.data.folders import data_root
from zoo_train.export import model_config
from zoo_train.request import resolve


@dataclass(frozen=True)
class BenchRequest:
    """What a user asks of a benchmark.

    Attributes:
        methods: Names of methods and of variants; empty for the benchmark's own.
        tasks: Names; empty for all.
        seeds: Seeds of the trainings.
        steps: Steps of each training; None for what each method's preset says.
        device: Where to train and measure.
        root: Folder of the data; None looks for it.
    """

    methods: Sequence[str] = ()
    tasks: Sequence[str] = ()
    seeds: Sequence[int] = (0,)
    steps: int | None = None
    device: str = "auto"
    root: Path | None = None


@dataclass(frozen=True)
class Cell:
    """One place in the table; its name is its identity.

    Attributes:
        method: Name of the row: of the method, or of a variant of it.
        task: Name of the task.
        source: Source domain.
        target: Target domain.
        seed: Seed of the training.
        steps: Steps of the training.
    """

    method: str
    task: str
    source: str
    target: str
    seed: int
    steps: int

    @property
    def direction(self) -> str:
        """``source->target``."""
        return f"{self.source}->{self.target}"

    @property
    def name(self) -> str:
        """Name of its file, without suffix."""
        parts = (self.method.replace(" ", "-"), self.task, f"{self.source}-to-{self.target}")
        return "--".join((*parts, f"seed{self.seed}", f"{self.steps}steps"))


@dataclass(frozen=True)
class Training:
    """A run, and the cells that its model fills.

    Attributes:
        config: The run, as ``zoo train`` would be asked for it.
        task: The task.
        cells: The cells.
        override: What the benchmark gives the method beyond its preset.
    """

    config: RunConfig
    task: Task
    cells: tuple[Cell, ...]
    override: Override

    @property
    def name(self) -> str:
        """Name of its directory."""
        first = self.cells[0]
        parts = (first.method, first.task, "-".join(self.config.domains))
        return "--".join((*parts, f"seed{first.seed}", f"{first.steps}steps"))


class Planner:
    """Makes trainings of what is asked.

    Args:
        benchmark: The benchmark.
        asked: What is asked of it.
        folder: The working folder, where the judges are that options may name.

    Raises:
        UsageError: If a method or task is unknown, or a method does not fit the benchmark.
        DataError: If the data is nowhere.
    """

    def __init__(self, benchmark: Benchmark, asked: BenchRequest, folder: WorkDir) -> None:
        self.benchmark, self.asked, self.folder = benchmark, asked, folder
        self.tasks = [benchmark.task(name) for name in asked.tasks] or list(benchmark.tasks)
        self.methods = self._methods()
        self.root = find_root(benchmark, asked.root)

    def sources(self, task: Task, split: str) -> dict[str, str]:
        """Source of each of a task's domains."""
        return {name: self.benchmark.source(name, self.root, split) for name in task.domains}

    def trainings(self, row: str) -> list[Training]:
        """The trainings of one row, all tasks and seeds.

        Raises:
            UsageError: If an option of the override does not fit the method.
        """
        return [
            training
            for seed in self.asked.seeds
            for task in self.tasks
            for domains in self._groups(row, task)
            for training in self._trainings(row, task, domains, seed)
        ]

    def _methods(self) -> list[str]:
        """The rows: what is asked, or what the benchmark has of methods that are installed."""
        benchmark, known = self.benchmark, host().methods()
        every = (*known, *benchmark.variants)
        if self.asked.methods:
            for row in self.asked.methods:
                if row not in every:
                    raise unknown("method", row, every)
                _require_fit(row, host().method(benchmark.method_of(row)), benchmark)
            return list(dict.fromkeys(self.asked.methods))
        specs = {row: known.get(benchmark.method_of(row)) for row in benchmark.methods or every}
        return [row for row, spec in specs.items() if spec and not _misfit(row, spec, benchmark)]

    def _groups(self, row: str, task: Task) -> list[tuple[str, ...]]:
        """The sets of domains that the method is trained on: all at once, or every pair."""
        most = host().method(self.benchmark.method_of(row)).domains[1]
        if most is None or most >= len(task.domains):
            return [task.domains]
        if task.whole and row not in self.asked.methods:
            return []
        return list(itertools.combinations(task.domains, most))

    def _trainings(
        self, row: str, task: Task, domains: tuple[str, ...], seed: int
    ) -> list[Training]:
        """One training for all directions between the domains, or one for each direction."""
        override = self.benchmark.override(row)
        ways = [(a, b) for a, b in task.directions if a in domains and b in domains]
        if not override.one_way:
            config = self._config(row, task, domains, seed)
            targets = build_method(model_config(config, Domains(domains))).targets
            if set(domains) <= set(targets):
                return [self._training(row, config, task, ways)]
        # A training of one direction has its source first and its target last.
        return [
            self._training(row, self._config(row, task, way, seed), task, [way]) for way in ways
        ]

    def _training(
        self, row: str, config: RunConfig, task: Task, ways: Sequence[tuple[str, str]]
    ) -> Training:
        steps, seed = config.train.steps or 0, config.train.seed
        cells = tuple(Cell(row, task.name, a, b, seed, steps) for a, b in ways)
        return Training(config, task, cells, self.benchmark.override(row))

    def _config(self, row: str, task: Task, domains: tuple[str, ...], seed: int) -> RunConfig:
        override, method = self.benchmark.override(row), self.benchmark.method_of(row)
        judge = self.benchmark.source_classifier(domains[0])
        directory = self.folder.judges / judge.name if judge else None
        places = {"source_judge": str(directory)}
        sources = self.sources(task, "train")
        loop: dict[str, Any] = {**override.train, "seed": seed}
        if self.asked.steps is not None:
            loop["steps"] = self.asked.steps
        config = resolve(
            method=method,
            preset=override.preset or self.benchmark.preset,
            settings={
                **filled(override.options, places),
                **{f"train.{name}": value for name, value in loop.items()},
            },
            size=self.benchmark.size or None,
            domains={name: sources[name] for name in domains},
            extra_losses=[text.format(**places) for text in override.extra_losses],
            device=self.asked.device,
        )
        return replace(config, train=self._loop(config.train, method))

    def _loop(self, train: TrainConfig, method: str) -> TrainConfig:
        """The loop's settings that have no influence on the weights."""
        if train.steps is None:
            raise UsageError(
                "its preset gives epochs, not steps", asked=method, hint="Add --steps N."
            )
        return replace(
            train,
            snapshot_every=math.ceil(train.steps / self.benchmark.snapshots),
            sample_every=train.steps,
            checkpoint_every=max(1, min(250, train.steps // 10)),
        )


def filled(options: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """Options with the placeholders in their texts replaced."""
    return {
        key: value.format(**values) if isinstance(value, str) else value
        for key, value in options.items()
    }


def find_root(benchmark: Benchmark, named: Path | None) -> Path | None:
    """The folder of the data: as named, or where data for tests lies.

    Raises:
        DataError: If it is needed and nowhere.
    """
    root = named or data_root()
    if root is None and any("{root}" in source for source in benchmark.sources.values()):
        raise DataError(
            "its data is not named, and ZOO_DATA names none",
            asked=f"benchmark {benchmark.name}",
            hint="Add --data ROOT, a folder with "
            + ", ".join(sorted(_place(source) for source in benchmark.sources.values()))
            + ".",
        )
    return root


def _place(source: str) -> str:
    return source.rpartition("{root}/")[2].replace("{split}", "train")


def _misfit(row: str, spec: MethodSpec, benchmark: Benchmark) -> str | None:
    """Why a row's method cannot take part, if so."""
    preset = benchmark.override(row).preset or benchmark.preset
    if spec.signal != benchmark.signal:
        return f"it translates signals of kind {spec.signal}"
    if "domains" not in spec.conditions:
        return "it does not translate between domains"
    if preset not in spec.presets:
        return f"it has no preset {preset}"
    return None


def _require_fit(row: str, spec: MethodSpec, benchmark: Benchmark) -> None:
    reason = _misfit(row, spec, benchmark)
    if reason is not None:
        raise UsageError(
            reason,
            asked=f'method "{row}" of benchmark {benchmark.name}',
            hint="See zoo list --methods.",
        )
