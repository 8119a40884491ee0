"""What ``zoo bench`` writes of a table: JSON, a page, and its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from zoo_core.files import replacing
from zoo_evaluate.bench import page
from zoo_evaluate.bench.pictures import BarPanel, bars, sheet
from zoo_evaluate.bench.table import Cells, Table, averaged, grouped
from zoo_evaluate.report import write_text


def write_table(table: Table, out: Path) -> Path:
    """Writes ``NAME.json``, ``NAME.md`` and the pictures below ``NAME/``.

    Returns:
        The page.
    """
    name = table.benchmark.name
    write_text(out / f"{name}.json", table.to_json() + "\n")
    pictures = _pictures(table, out)
    write_text(out / f"{name}.md", page.render(table, pictures))
    return out / f"{name}.md"


def _pictures(table: Table, out: Path) -> dict[str, str]:
    """Writes bars and sheets; their paths relative to ``out``, by what they show."""
    name, written = table.benchmark.name, {}
    columns = [column.name for column in table.benchmark.columns if column.percent]
    panels = [_panel(table, task, way, columns) for task, way in table.directions()]
    if panels:
        written["bars"] = f"{name}/bars.png"
        _save(bars(panels, columns), out / written["bars"])
    for method in dict.fromkeys(cell["method"] for cell in table.cells):
        own = [cell for cell in table.cells if cell["method"] == method]
        if table.benchmark.one_seed:
            own = [cell for cell in own if cell["seed"] == min(c["seed"] for c in own)]
        strips = [
            (f"{c['direction']}, {c['steps']} steps, seed {c['seed']}", path)
            for c in own
            for path in (table.folder.cells / f"{c['file']}.png",)
            if path.is_file()
        ]
        if strips:
            written[method] = f"{name}/{method}.png"
            shown = sheet(strips, table.benchmark.size)
            if table.benchmark.shades:
                shown = shown.quantize(table.benchmark.shades, dither=Image.Dither.NONE)
            _save(shown, out / written[method])
        elif (out / name / f"{method}.png").is_file():
            written[method] = f"{name}/{method}.png"  # of cells whose pictures are elsewhere
    return written


def _panel(table: Table, task: str, direction: str, columns: Sequence[str]) -> BarPanel:
    framed = table.baselines if table.benchmark.all_bars else []
    groups = grouped(table.at(framed + table.cells, task, direction))
    many = {g[0]["method"] for g in groups if len([h for h in groups if _same(g, h)]) > 1}
    rows = []
    for group in groups:
        method, steps = group[0]["method"], group[0]["steps"]
        title = f"{method} ({steps})" if method in many else method
        rows.append((title, [averaged(group, "metrics", name)[0] for name in columns]))
    marks = {
        cell["method"]: value
        for cell in table.at(table.baselines, task, direction)
        for value in (cell["metrics"].get("adaptation_accuracy"),)
        if value is not None and cell["method"] in ("source only", table.benchmark.last)
    }
    return BarPanel(direction, rows, marks)


def _same(one: Cells, other: Cells) -> bool:
    return bool(one[0]["method"] == other[0]["method"])


def _save(image: Image.Image, path: Path) -> None:
    with replacing(path) as part:
        image.save(part, "PNG", optimize=True)
