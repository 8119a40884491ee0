"""Content kept against depth: the method ``shallow`` at several depths, all else equal.

    python benchmarks/depth.py [--depths 2,3,4,5,6,8] [--tasks mnist-usps] [--steps 2000]

Trains, measures and judges by the protocol of ``zoo bench digits``, goes on where it was stopped,
and writes shallow-depth.json, shallow-depth.md and shallow-depth.svg to ``--out`` (docs/methods).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import click

from zoo_evaluate.bench.digits import DIGITS
from zoo_evaluate.bench.plan import BenchRequest
from zoo_evaluate.bench.protocol import Override
from zoo_evaluate.bench.runner import Runner
from zoo_evaluate.bench.work_dir import WorkDir

SHARES = {"content_accuracy": "#426eb4", "domain_accuracy": "#e69138"}
"""The figures that are drawn, and the colours of their curves."""
Cells = list[dict[str, Any]]


@click.command()
@click.option("--depths", default="2,3,4,5,6,8", show_default=True)
@click.option("--tasks", default="mnist-usps", show_default=True)
@click.option("--steps", default=2000, show_default=True)
@click.option("--seeds", default="0", show_default=True)
@click.option("--device", default="auto", show_default=True)
@click.option("--data", type=click.Path(path_type=Path), help="Else ZOO_DATA names it.")
@click.option("--work", type=click.Path(path_type=Path), default=Path("runs", "bench", "depth"))
@click.option("--out", type=click.Path(path_type=Path), default=Path("docs", "methods"))
def main(
    *,
    depths: str,
    tasks: str,
    steps: int,
    seeds: str,
    device: str,
    data: Path | None,
    work: Path,
    out: Path,
) -> None:
    """Trains what is missing and writes the table and the curve."""
    chosen = tuple(int(seed) for seed in seeds.split(","))
    asked = BenchRequest(("shallow",), tasks.split(","), chosen, steps, device, data)
    cells: Cells = []
    for depth in (int(number) for number in depths.split(",")):
        cells += measured(depth, asked, work)
    if not cells:
        raise click.ClickException("nothing is finished; another process is at it. Run this again.")
    out.mkdir(parents=True, exist_ok=True)
    (out / "shallow-depth.json").write_text(json.dumps({"cells": cells}, indent=2) + "\n")
    (out / "shallow-depth.md").write_text(table(cells), encoding="utf-8")
    (out / "shallow-depth.svg").write_text(curves(cells), encoding="utf-8")
    print(table(cells))


def measured(depth: int, asked: BenchRequest, work: Path) -> Cells:
    """The cells of one depth; those of another length of training are left out."""
    folder = WorkDir(work / f"depth{depth}")  # with locks of its own; judges and data are shared
    folder.judges, folder.data = (work.absolute() / name for name in ("judges", "data"))
    benchmark = replace(
        DIGITS,
        columns=tuple(column for column in DIGITS.columns if column.name in SHARES),
        adaptation=None,
        overrides={"shallow": Override(options={"depth": depth})},
    )
    outcome = Runner(benchmark, asked, folder, lambda text: click.echo(text, err=True)).run()
    if outcome.failed:
        raise click.ClickException("; ".join(outcome.failed.values()))
    cells = [c for c in folder.read_cells() if c["steps"] == asked.steps and not c.get("baseline")]
    keys = ("task", "direction", "seed", "steps", "device", "seconds", "parameters", "metrics")
    return [{"depth": depth} | {key: cell[key] for key in keys} for cell in cells]


def by_depth(cells: Cells, direction: str, column: str) -> dict[int, float]:
    """The mean over seeds of a figure, by depth."""
    values: dict[int, list[float]] = {}
    for cell in cells:
        if cell["direction"] == direction:
            values.setdefault(cell["depth"], []).append(cell["metrics"][column])
    return {depth: mean(found) for depth, found in sorted(values.items())}


def directions(cells: Cells) -> list[str]:
    """The directions in which something was measured."""
    return list(dict.fromkeys(cell["direction"] for cell in cells))


def table(cells: Cells) -> str:
    """The figures as a table of markdown."""
    steps, devices = cells[0]["steps"], ", ".join(sorted({cell["device"] for cell in cells}))
    seeds = ", ".join(str(seed) for seed in sorted({cell["seed"] for cell in cells}))
    lines = [
        "# Content against depth",
        "",
        f"Method `shallow`, preset `32px`, {steps:,} steps, seed {seeds}, on {devices}; the last "
        "state. Written by `benchmarks/depth.py`.",
        "",
        "| direction | depth | parameters | content accuracy | domain accuracy |",
        "|---|---|---|---|---|",
    ]
    for direction in directions(cells):
        content, domain = (by_depth(cells, direction, column) for column in SHARES)
        size = {cell["depth"]: cell["parameters"] for cell in cells}
        lines += [
            f"| {direction} | {depth} | {size[depth]:,} | {content[depth]:.3f} | "
            f"{domain[depth]:.3f} |"
            for depth in content
        ]
    return "\n".join(lines) + "\n"


def curves(cells: Cells) -> str:
    """A panel per direction: both shares against depth."""
    names = directions(cells)
    panels = [panel(cells, name, 60 + 340 * number) for number, name in enumerate(names)]
    width = 340 * len(names) + 20
    body = "\n".join([*panels, legend()])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="270" '
        f'font-family="sans-serif" font-size="12">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )


def panel(cells: Cells, direction: str, left: int) -> str:
    """Axes and curves of one direction."""
    depths = sorted({cell["depth"] for cell in cells})
    across = {depth: left + 260 * i // max(1, len(depths) - 1) for i, depth in enumerate(depths)}
    parts = [f'<text x="{left}" y="20">{direction.replace(">", "&gt;")}</text>']
    for tenth in range(0, 11, 2):
        y = height(tenth / 10)
        parts.append(f'<path d="M{left} {y}h260" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{tenth / 10}</text>')
    for depth, x in across.items():
        parts.append(f'<text x="{x}" y="235" text-anchor="middle">{depth}</text>')
    for column, colour in SHARES.items():
        parts.append(curve(by_depth(cells, direction, column), across, colour))
    return "\n".join(parts)


def curve(values: Mapping[int, float], across: Mapping[int, int], colour: str) -> str:
    """A line with a dot for each measured depth."""
    points: Sequence[tuple[int, float]] = [(across[d], height(v)) for d, v in values.items()]
    line = " ".join(f"{x},{y}" for x, y in points)
    dots = "".join(f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in points)
    return f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>{dots}'


def height(share: float) -> float:
    """Where a share from 0 to 1 lies on the page."""
    return round(215 - 180 * share, 1)


def legend() -> str:
    """What the colours mean, and what the axis."""
    parts, x = ['<text x="60" y="258">depth (convolutions)</text>'], 200
    for name, colour in SHARES.items():
        words = name.replace("_", " ")
        parts.append(f'<rect x="{x}" y="249" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{x + 14}" y="258">{words}</text>')
        x += 135
    return "\n".join(parts)


if __name__ == "__main__":
    main()
