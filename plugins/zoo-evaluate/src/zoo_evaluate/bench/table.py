"""The table of a benchmark: every finished cell, grouped and averaged, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from statistics import mean, stdev
from typing import Any

from zoo_evaluate.bench.protocol import Benchmark
from zoo_evaluate.bench.selection import selection_text
from zoo_evaluate.bench.work_dir import WorkDir
from zoo_evaluate.judge_card import JudgeCard
from zoo_nn.nets.classifier_card import CARD

OTHERS = "†"
"""Marks rows of other judges than the table's."""
Cells = list[dict[str, Any]]


class Table:
    """All finished cells of a working folder.

    Args:
        benchmark: The benchmark.
        folder: The working folder.

    Attributes:
        judges: Cards of the judges that have been trained.
        cells: The methods' cells, in the order of tasks, directions and names.
        frame: The rows between which they should lie.
    """

    def __init__(self, benchmark: Benchmark, folder: WorkDir) -> None:
        self.benchmark, self.folder = benchmark, folder
        self.judges: dict[str, JudgeCard] = {
            recipe.name: JudgeCard.read(folder.judges / recipe.name)
            for recipe in benchmark.judges
            if (folder.judges / recipe.name / CARD).is_file()
        }
        found = [cell for cell in folder.read_cells() if self._place(cell) is not None]
        found.sort(
            key=lambda cell: (self._place(cell), cell["method"], cell["steps"], cell["seed"])
        )
        hashes = {name: card.short_hash for name, card in self.judges.items()}
        if any("judges" in cell for cell in found):
            # A cell that does not say who judged it is older than those that do.
            for cell in found:
                said = cell.get("judges") or {"": ""}
                cell["others"] = any(hashes.get(name) != value for name, value in said.items())
        self.cells: Cells = [cell for cell in found if not cell.get("baseline")]
        rows = {name: number for number, name in enumerate(benchmark.baselines)}
        self.baselines: Cells = sorted(
            (cell for cell in found if cell.get("baseline")),
            key=lambda cell: (self._place(cell), rows.get(cell["method"], len(rows))),
        )

    def values(self) -> dict[str, Any]:
        """The table as plain values."""
        benchmark = self.benchmark
        return {
            "benchmark": benchmark.name,
            "cells": [_public(cell) for cell in self.cells],
            "baselines": [_public(cell) for cell in self.baselines],
            "judges": {card_name: _card(card) for card_name, card in self.judges.items()},
            "published": [
                {
                    "name": row.name,
                    "direction": row.direction,
                    "column": row.column,
                    "value": row.value,
                    "mark": row.mark,
                    "source": row.source,
                    "note": row.note,
                }
                for row in benchmark.published
            ],
            "protocol": list(benchmark.protocol),
            "selection": selection_text(benchmark),
            "versions": {name: metadata.version(name) for name in ("zoo-core", "torch")},
        }

    def to_json(self) -> str:
        """The table as JSON text."""
        return json.dumps(self.values(), indent=2, allow_nan=False, ensure_ascii=False)

    def directions(self) -> list[tuple[str, str]]:
        """(task, direction) of which there are cells, in the benchmark's order."""
        return [
            (task.name, f"{a}->{b}")
            for task in self.benchmark.tasks
            for a, b in task.directions
            if self.at(self.cells + self.baselines, task.name, f"{a}->{b}")
        ]

    @staticmethod
    def at(cells: Iterable[dict[str, Any]], task: str, direction: str) -> Cells:
        """The cells of one direction."""
        return [c for c in cells if (c["task"], c["direction"]) == (task, direction)]

    def brief(self) -> list[list[str]]:
        """Headings and rows for the terminal."""
        names = [column.name for column in self.benchmark.columns]
        rows = [["method", "direction", "steps", *(name.replace("_", "\n") for name in names)]]
        for task, direction in self.directions():
            for group in grouped(self.at(self.baselines + self.cells, task, direction)):
                values = [averaged(group, "metrics", name)[0] for name in names]
                rows.append(
                    [
                        titled(group[0], group[0]["method"]),
                        direction,
                        str(group[0]["steps"] or ""),
                        *("" if value is None else f"{value:.3f}" for value in values),
                    ]
                )
        return rows

    def _place(self, cell: Mapping[str, Any]) -> tuple[int, int] | None:
        """Where a cell stands; None where this version has no such task or direction."""
        for number, task in enumerate(self.benchmark.tasks):
            ways = [f"{a}->{b}" for a, b in task.directions]
            if task.name == cell["task"] and cell["direction"] in ways:
                return number, ways.index(cell["direction"])
        return None


def grouped(cells: Sequence[dict[str, Any]]) -> list[Cells]:
    """Cells that differ in their seed alone, together; those of other judges apart."""
    groups: dict[tuple[Any, ...], Cells] = {}
    for cell in cells:
        groups.setdefault((cell["method"], cell["steps"], cell.get("others")), []).append(cell)
    return list(groups.values())


def titled(cell: Mapping[str, Any], name: str) -> str:
    """The name of a row, marked where other judges than the table's measured it."""
    return f"{name} {OTHERS}" if cell.get("others") else name


def averaged(
    group: Sequence[Mapping[str, Any]], part: str, name: str
) -> tuple[float | None, float | None]:
    """Mean and standard deviation over seeds; None where there is no figure, or one seed."""
    values = [cell[part].get(name) for cell in group]
    held = [float(value) for value in values if value is not None]
    if not held:
        return None, None
    return mean(held), stdev(held) if len(held) > 1 else None


def _public(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {k: value for k, value in cell.items() if k not in ("file", "baseline", "others")}


def _card(card: JudgeCard) -> dict[str, Any]:
    return {
        "task": card.task,
        "domains": list(card.domains),
        "architecture": card.architecture,
        "steps": card.steps,
        "batch": card.batch,
        "seed": card.seed,
        "data": card.data,
        "accuracy": card.accuracy,
        "sha256": card.sha256,
    }
