"""What papers print of a benchmark's direction, as a table of its page."""

from __future__ import annotations

from collections.abc import Sequence

from zoo_evaluate.bench.protocol import MARKS, Benchmark, PublishedFigure


def published_lines(benchmark: Benchmark, direction: str) -> list[str]:
    """Markdown lines: a row per paper's row and source, a column per figure; none if none is known.

    Args:
        benchmark: The benchmark.
        direction: Direction, such as ``mnist->usps``.
    """
    known = [row for row in benchmark.published if row.direction == direction]
    if not known:
        return []
    columns = list(dict.fromkeys(row.column for row in known))
    heads = " | ".join(column.replace("_", " ") for column in columns)
    lines = [
        "",
        "Published figures of this direction, shares in per cent. They were found by others, and "
        "none of them is a figure of this page.",
        "",
        f"| paper's row | {heads} | mark | printed in | differs |",
        "|---|" + "---:|" * len(columns) + "---|---|---|",
        *(_line(rows, columns) for rows in _grouped(known)),
    ]
    used = {row.mark for row in known}
    marks = "; ".join(f"[{mark}] {words}" for mark, words in MARKS.items() if mark in used)
    return [*lines, "", f"{marks[0].upper()}{marks[1:]}."]


def _grouped(known: Sequence[PublishedFigure]) -> list[list[PublishedFigure]]:
    """Figures of one row of one source together."""
    groups: dict[tuple[str, ...], list[PublishedFigure]] = {}
    for row in known:
        groups.setdefault((row.name, row.mark, row.source, row.note), []).append(row)
    return list(groups.values())


def _line(rows: Sequence[PublishedFigure], columns: Sequence[str]) -> str:
    values = {row.column: row.value for row in rows}
    cells = " | ".join(values.get(column, "") for column in columns)
    first = rows[0]
    return f"| {first.name} | {cells} | [{first.mark}] | {first.source} | {first.note} |"
