"""The table of a benchmark: every finished cell as JSON, as a page, and as pictures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from PIL import Image

from zoo_core.evaluate.bench import page
from zoo_core.evaluate.bench.pictures import Panel, bars, sheet
from zoo_core.evaluate.bench.protocol import Benchmark
from zoo_core.evaluate.bench.selection import in_words
from zoo_core.evaluate.bench.work import Folder
from zoo_core.evaluate.judge_card import CARD, JudgeCard
from zoo_core.evaluate.report import write_text
from zoo_core.files import replacing

Cells = list[dict[str, Any]]


class Table:
    """All finished cells of a working folder.

    Args:
        benchmark: The benchmark.
        folder: The working folder.

    Attributes:
        cells: The methods' cells, in the order of tasks, directions and names.
        frame: The rows between which they should lie.
    """

    def __init__(self, benchmark: Benchmark, folder: Folder) -> None:
        self.benchmark, self.folder = benchmark, folder
        found = [cell for cell in folder.read_cells() if self._place(cell) is not None]
        found.sort(
            key=lambda cell: (self._place(cell), cell["method"], cell["steps"], cell["seed"])
        )
        self.cells: Cells = [cell for cell in found if not cell.get("frame")]
        rows = {name: number for number, name in enumerate(benchmark.frame)}
        self.frame: Cells = sorted(
            (cell for cell in found if cell.get("frame")),
            key=lambda cell: (self._place(cell), rows.get(cell["method"], len(rows))),
        )

    def values(self) -> dict[str, Any]:
        """The table as plain values."""
        benchmark = self.benchmark
        return {
            "benchmark": benchmark.name,
            "cells": [_public(cell) for cell in self.cells],
            "frame": [_public(cell) for cell in self.frame],
            "judges": {card_name: _card(card) for card_name, card in self.judges().items()},
            "published": [
                {
                    "name": row.name,
                    "direction": row.direction,
                    "value": row.value,
                    "mark": row.mark,
                    "source": row.source,
                    "note": row.note,
                }
                for row in benchmark.published
            ],
            "protocol": list(benchmark.protocol),
            "selection": in_words(benchmark),
            "versions": {name: metadata.version(name) for name in ("zoo-core", "torch")},
        }

    def to_json(self) -> str:
        """The table as JSON text."""
        return json.dumps(self.values(), indent=2, allow_nan=False, ensure_ascii=False)

    def judges(self) -> dict[str, JudgeCard]:
        """Cards of the judges that have been trained."""
        return {
            recipe.name: JudgeCard.read(self.folder.judges / recipe.name)
            for recipe in self.benchmark.judges
            if (self.folder.judges / recipe.name / CARD).is_file()
        }

    def directions(self) -> list[tuple[str, str]]:
        """(task, direction) of which there are cells, in the benchmark's order."""
        return [
            (task.name, f"{a}->{b}")
            for task in self.benchmark.tasks
            for a, b in task.directions
            if self.at(self.cells + self.frame, task.name, f"{a}->{b}")
        ]

    @staticmethod
    def at(cells: Iterable[dict[str, Any]], task: str, direction: str) -> Cells:
        """The cells of one direction."""
        return [c for c in cells if (c["task"], c["direction"]) == (task, direction)]

    def write(self, out: Path) -> Path:
        """Writes ``NAME.json``, ``NAME.md`` and the pictures below ``NAME/``.

        Returns:
            The page.
        """
        name = self.benchmark.name
        write_text(out / f"{name}.json", self.to_json() + "\n")
        pictures = self._pictures(out)
        write_text(out / f"{name}.md", page.render(self, pictures))
        return out / f"{name}.md"

    def brief(self) -> list[list[str]]:
        """Headings and rows for the terminal."""
        names = [column.name for column in self.benchmark.columns]
        rows = [["method", "direction", "steps", *(name.replace("_", "\n") for name in names)]]
        for task, direction in self.directions():
            for group in grouped(self.at(self.frame + self.cells, task, direction)):
                values = [averaged(group, "metrics", name)[0] for name in names]
                rows.append(
                    [
                        group[0]["method"],
                        direction,
                        str(group[0]["steps"] or ""),
                        *("" if value is None else f"{value:.3f}" for value in values),
                    ]
                )
        return rows

    def _pictures(self, out: Path) -> dict[str, str]:
        """Writes bars and sheets; their paths relative to ``out``, by what they show."""
        name, written = self.benchmark.name, {}
        columns = [column.name for column in self.benchmark.columns if column.percent]
        panels = [self._panel(task, way, columns) for task, way in self.directions()]
        if panels:
            written["bars"] = f"{name}/bars.png"
            _save(bars(panels, columns), out / written["bars"])
        for method in dict.fromkeys(cell["method"] for cell in self.cells):
            own = [cell for cell in self.cells if cell["method"] == method]
            if self.benchmark.one_seed:
                own = [cell for cell in own if cell["seed"] == min(c["seed"] for c in own)]
            strips = [
                (f"{c['direction']}, {c['steps']} steps, seed {c['seed']}", path)
                for c in own
                for path in (self.folder.cells / f"{c['file']}.png",)
                if path.is_file()
            ]
            if strips:
                written[method] = f"{name}/{method}.png"
                page = sheet(strips, self.benchmark.size)
                if self.benchmark.shades:
                    page = page.quantize(self.benchmark.shades, dither=Image.Dither.NONE)
                _save(page, out / written[method])
        return written

    def _panel(self, task: str, direction: str, columns: Sequence[str]) -> Panel:
        framed = self.frame if self.benchmark.all_bars else []
        groups = grouped(self.at(framed + self.cells, task, direction))
        many = {g[0]["method"] for g in groups if len([h for h in groups if _same(g, h)]) > 1}
        rows = []
        for group in groups:
            method, steps = group[0]["method"], group[0]["steps"]
            title = f"{method} ({steps})" if method in many else method
            rows.append((title, [averaged(group, "metrics", name)[0] for name in columns]))
        marks = {
            cell["method"]: value
            for cell in self.at(self.frame, task, direction)
            for value in (cell["metrics"].get("adaptation_accuracy"),)
            if value is not None
        }
        return Panel(direction, rows, marks)

    def _place(self, cell: Mapping[str, Any]) -> tuple[int, int] | None:
        """Where a cell stands; None where this version has no such task or direction."""
        for number, task in enumerate(self.benchmark.tasks):
            ways = [f"{a}->{b}" for a, b in task.directions]
            if task.name == cell["task"] and cell["direction"] in ways:
                return number, ways.index(cell["direction"])
        return None


def grouped(cells: Sequence[dict[str, Any]]) -> list[Cells]:
    """Cells that differ in their seed alone, together."""
    groups: dict[tuple[str, int], Cells] = {}
    for cell in cells:
        groups.setdefault((cell["method"], cell["steps"]), []).append(cell)
    return list(groups.values())


def averaged(
    group: Sequence[Mapping[str, Any]], part: str, name: str
) -> tuple[float | None, float | None]:
    """Mean and standard deviation over seeds; None where there is no figure, or one seed."""
    values = [cell[part].get(name) for cell in group]
    held = [float(value) for value in values if value is not None]
    if not held:
        return None, None
    return mean(held), stdev(held) if len(held) > 1 else None


def _same(one: Cells, other: Cells) -> bool:
    return bool(one[0]["method"] == other[0]["method"])


def _public(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in cell.items() if key not in ("file", "frame")}


def _card(card: JudgeCard) -> dict[str, Any]:
    return {
        "task": card.task,
        "domains": list(card.domains),
        "steps": card.steps,
        "batch": card.batch,
        "seed": card.seed,
        "data": card.data,
        "accuracy": card.accuracy,
        "sha256": card.sha256,
    }


def _save(image: Image.Image, path: Path) -> None:
    with replacing(path) as part:
        image.save(part, "PNG", optimize=True)
