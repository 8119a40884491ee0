"""The page of a benchmark, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zoo_evaluate.bench.protocol import Column
from zoo_evaluate.bench.published import published_lines
from zoo_evaluate.bench.selection import selection_text
from zoo_evaluate.bench.table import OTHERS, Table, averaged, grouped, titled

_ARROWS = {"more": "↑", "less": "↓", "one": "→ 1"}


def render(table: Table, pictures: Mapping[str, str]) -> str:
    """The page.

    Args:
        table: The table.
        pictures: Paths of pictures by what they show, relative to the page.
    """
    benchmark = table.benchmark
    parts = [
        f"# Benchmark: {benchmark.title}",
        f"Written by `zoo bench {benchmark.name}`; the same figures with all their settings are in "
        f"[{benchmark.name}.json]({benchmark.name}.json), the protocol is explained in "
        "[benchmarks.md](../benchmarks.md).",
        _protocol(table),
        *(_mean(table, task, ways) for task, ways in _tasks(table).items() if len(ways) > 2),
        *(_direction(table, task, direction) for task, direction in table.directions()),
    ]
    if "bars" in pictures:
        lines = "The red lines are the adaptation accuracy of source only and target only"
        lines += "; adaptation short has lower ones of its own." if benchmark.short else "."
        caption = f"Figures of the last state. {lines if benchmark.adaptation else ''}".strip()
        parts += ["## Bars", caption, f"![bars per method]({pictures['bars']})"]
    methods = [name for name in pictures if name != "bars"]
    if methods:
        parts.append("## Translations")
        parts.append(benchmark.shown)
        parts += [f"### {name}\n\n![{name}]({pictures[name]})" for name in methods]
    return "\n\n".join(parts) + "\n"


def _protocol(table: Table) -> str:
    benchmark = table.benchmark
    lines = ["## Protocol", ""]
    lines += [f"- {line}" for line in benchmark.protocol]
    lines.append(
        f"- Each figure is of the last state. {selection_text(benchmark)} Its "
        "figures stand in brackets, where it is not the last."
    )
    lines += _given(table)
    lines += ["", "| judge | net | steps | real test accuracy |", "|---|---|---:|---:|"]
    lines += [
        f"| {name} | {card.architecture} | {card.steps:,} | {card.accuracy['mean']['test']:.4f} |"
        for name, card in table.judges.items()
    ]
    lines += ["", *_spread(table), *_juries(table)]
    return "\n".join(lines)


def _spread(table: Table) -> list[str]:
    """How far the members of the jury are apart, and which rows were adapted to otherwise."""
    lines = []
    for column in table.benchmark.columns:
        said = [cell.get("jury", {}).get(column.name, []) for cell in table.cells]
        apart = sorted(max(values) - min(values) for values in said if len(values) > 1)
        if apart:
            middle = apart[len(apart) // 2]
            lines.append(
                f"The judges of {column.name.replace('_', ' ')} are {middle:.3f} apart in the "
                f"median cell, and {apart[-1]:.3f} at most; what each said stands in the cells."
            )
    recipe = table.benchmark.adaptation
    other: dict[str, list[str]] = {}
    for cell in table.cells if recipe else []:
        found = cell.get("adaptation", recipe.facts)
        if any(found[key] != recipe.facts[key] for key in ("steps", "batch")):
            words = f"{found['pictures']:,} pictures, {found['steps']:,} steps"
            other.setdefault(words, []).append(f"{cell['method']} ({cell['steps']:,})")
    for words, rows in other.items():
        lines.append(f"Adapted to by {words}: {', '.join(dict.fromkeys(rows))}.")
    return lines


def _juries(table: Table) -> list[str]:
    """Who is missing from a jury, and which rows were judged by others."""
    cells = table.cells + table.baselines
    missing: dict[str, str] = {}
    for cell in cells:
        missing |= cell.get("left_out", {})
    lines = [
        f"Left out of its jury, which is so much smaller: {name}; {reason}."
        for name, reason in missing.items()
    ]
    if any(cell.get("others") for cell in cells):
        lines.append(
            f"Rows marked {OTHERS} were measured by other judges than these: content accuracy, "
            "domain accuracy and FID of theirs are not to be compared with those of other rows."
        )
    return lines


def _given(table: Table) -> list[str]:
    """What the table's rows were given beyond the preset, where they were."""
    rows = dict.fromkeys(cell["method"] for cell in table.cells)
    lines = []
    for row in rows:
        override = table.benchmark.override(row)
        given = [
            f"`{key}={value}`" for key, value in {**override.options, **override.train}.items()
        ]
        given += [f"`--loss {text}`" for text in override.extra_losses]
        if override.method:
            lines.append(f"| {row} | variant of {override.method} | {', '.join(given)} |")
        elif given:
            lines.append(f"| {row} | | {', '.join(given)} |")
    head = ["", "| row | | given beyond the preset |", "|---|---|---|"]
    return [*head, *lines] if lines else []


def _tasks(table: Table) -> dict[str, list[str]]:
    """The directions of each task."""
    tasks: dict[str, list[str]] = {}
    for task, direction in table.directions():
        tasks.setdefault(task, []).append(direction)
    return tasks


def _mean(table: Table, task: str, ways: Sequence[str]) -> str:
    """Means over all directions of a task, of the rows that are finished in all of them."""
    groups = grouped([cell for way in ways for cell in table.at(table.baselines, task, way)])
    groups += grouped([cell for way in ways for cell in table.at(table.cells, task, way)])
    columns = [c for c in table.benchmark.columns if any(_held(table, task, w, c) for w in ways)]
    heads = [f"{c.name.replace('_', ' ')} {_ARROWS[c.better]}" for c in columns]
    lines = [
        f"## {task}, mean of {len(ways)} directions",
        "",
        "| method | steps | " + " | ".join(heads) + " |",
        "|---|---:|" + "---:|" * len(columns),
    ]
    for group in groups:
        if len(group) == len(ways) * len({cell["seed"] for cell in group}):
            first = group[0]
            name = _name(first)
            steps = "" if first.get("baseline") else f"{first['steps']:,}"
            figures = [_text(group, "metrics", c, spread=False) or "–" for c in columns]
            lines.append(f"| {name} | {steps} | " + " | ".join(figures) + " |")
    return "\n".join(lines)


def _direction(table: Table, task: str, direction: str) -> str:
    columns = [c for c in table.benchmark.columns if _held(table, task, direction, c)]
    heads = [f"{c.name.replace('_', ' ')} {_ARROWS[c.better]}" for c in columns]
    lines = [
        f"## {direction}",
        "",
        "| method | steps | seeds | " + " | ".join(heads) + " | s/step | parameters | device |",
        "|---|---:|---:|" + "---:|" * (len(columns) + 2) + "---|",
    ]
    frame = grouped(table.at(table.baselines, task, direction))
    last = table.benchmark.last
    above = [group for group in frame if group[0]["method"] != last]
    below = [group for group in frame if group[0]["method"] == last]
    for group in (*above, *grouped(table.at(table.cells, task, direction)), *below):
        lines.append(_row(group, columns))
    lines += published_lines(table.benchmark, direction)
    return "\n".join(lines)


def _held(table: Table, task: str, direction: str, column: Column) -> bool:
    """Whether any row of a direction has a figure in the column."""
    cells = table.at(table.baselines + table.cells, task, direction)
    return any(cell["metrics"].get(column.name) is not None for cell in cells)


def _row(group: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> str:
    first = group[0]
    framed = bool(first.get("baseline"))
    chosen = any(cell["best"].get("step", cell["steps"]) != cell["steps"] for cell in group)
    cells = [_name(first)]
    cells += ["", ""] if framed else [f"{first['steps']:,}", str(len(group))]
    cells += [_figure(group, column, chosen) for column in columns]
    if framed:
        cells += ["", "", ""]
    else:
        speeds = sorted({f"{cell['seconds_per_step']:.3f}" for cell in group})
        machines = dict.fromkeys(f"{c['device']}, {c['machine']}" for c in group)
        cells += [" to ".join(speeds[:: max(1, len(speeds) - 1)]), f"{first['parameters']:,}"]
        cells.append("; ".join(machines))
    return "| " + " | ".join(cells) + " |"


def _name(cell: Mapping[str, Any]) -> str:
    emphasis = "*" if cell.get("baseline") else ""
    return titled(cell, f"{emphasis}{cell['method']}{emphasis}")


def _figure(group: Sequence[Mapping[str, Any]], column: Column, chosen: bool) -> str:
    """Mean, deviation over seeds, and in brackets the same of the best snapshot."""
    last, best = (_text(group, part, column) for part in ("metrics", "best"))
    if not last:
        return "–"
    return f"{last} ({best})" if chosen and best and best != last else last


def _text(
    group: Sequence[Mapping[str, Any]], part: str, column: Column, *, spread: bool = True
) -> str:
    value, deviation = averaged(group, part, column.name)
    if value is None:
        return ""
    width = f" ± {deviation:.{column.digits}f}" if spread and deviation is not None else ""
    return f"{value:.{column.digits}f}{width}"
