"""One self-contained HTML page of several runs."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence

from zoo_runs.compare.curves import COLOURS, POINTS, picture
from zoo_runs.compare.facts import RunFacts, common_sheet, curve_names, differing

STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 84rem; padding: 0 1rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { border: 1px solid #8886; padding: .25rem .6rem; text-align: right }
th:first-child, td:first-child { text-align: left }
i { display: inline-block; width: .8em; height: .8em; border-radius: 50%; margin-right: .4em }
.curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(24rem, 1fr)); gap: 1rem }
.sheets { display: flex; gap: 1.5rem; overflow-x: auto; align-items: flex-start }
.sheets img { max-height: 44rem; display: block; background: #fff }
figure { margin: 0 }
figcaption { font-weight: 600; font-size: 14px }
svg text { font-size: 11px; fill: currentColor; opacity: .7 }
svg line { stroke: #8884 }
svg polyline { fill: none; stroke-width: 1.6; stroke-linejoin: round }
p { opacity: .75 }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What the page may do, should a name in it ever be taken for code: nothing."""
PARTS = {
    "validation/": "Validation",
    "loss/": "Losses",
    "": "Other values",
    "lr/": "Learning rates",
}


def render(runs: Sequence[RunFacts]) -> str:
    """The page as HTML text; pictures are embedded, nothing is fetched."""
    names = [f'<i style="background:{COLOURS[n % len(COLOURS)]}"></i>{html.escape(run.name)}'
             for n, run in enumerate(runs)]  # fmt: skip
    title = html.escape(" · ".join(run.name for run in runs))
    settings = differing(runs)
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            f"<title>{title}</title><style>{STYLE}</style></head><body><h1>Runs compared</h1>",
            "<h2>Figures</h2><p>The last value, and in brackets the lowest and the highest where",
            "values differ, each with its step.</p>",
            _table(["", *names], _figures(runs)),
            "<h2>Settings that differ</h2>",
            _table(
                ["", *names], ([html.escape(k), *map(html.escape, v)] for k, v in settings.items())
            )
            if settings
            else "<p>None: these runs are of the same configuration.</p>",
            *_sheets(runs, names),
            *_curves(runs),
            "</body></html>",
        ]
    )


def figures(run: RunFacts, name: str) -> str:
    """The last of a run's values, and where they differ the lowest and highest with their steps."""
    curve = run.curves.get(name)
    if not curve:
        return "–"
    (low_step, low), (high_step, high) = (
        pick(curve, key=lambda point: point[1]) for pick in (min, max)
    )
    last = f"{curve[-1][1]:.4g}"
    if low == high:
        return last
    return f"{last} ({low:.4g} at {low_step:,} to {high:.4g} at {high_step:,})"


def _figures(runs: Sequence[RunFacts]) -> Iterable[list[str]]:
    yield ["steps done", *(f"{run.done:,}" for run in runs)]
    for name in curve_names(runs):
        if not name.startswith("lr/"):
            yield [html.escape(name), *(figures(run, name) for run in runs)]


def _curves(runs: Sequence[RunFacts]) -> Iterable[str]:
    names = curve_names(runs)
    shown: set[str] = set()
    for start, title in PARTS.items():
        starts = [name for name in names if name.startswith(start) and name not in shown]
        if start == "":
            starts = [name for name in starts if not name.startswith("lr/")]
        shown.update(starts)
        if starts:
            drawn = (picture(name, [run.curves.get(name, []) for run in runs]) for name in starts)
            yield f'<h2>{title}</h2><div class="curves">{"".join(drawn)}</div>'
    if any(len(curve) > POINTS for run in runs for curve in run.curves.values()):
        yield f"<p>Curves of more than {POINTS} values are means of neighbours.</p>"


def _sheets(runs: Sequence[RunFacts], names: Sequence[str]) -> Iterable[str]:
    if not any(run.sheets for run in runs):
        return
    step = common_sheet(runs)
    yield "<h2>Samples</h2>"
    yield "<p>" + ("the last of each run" if step is None else f"after step {step:,}") + "</p>"
    figures = []
    for run, name in zip(runs, names, strict=True):
        at = max(run.sheets, default=None) if step is None else step
        if at is not None:
            data = base64.b64encode(run.sheets[at].read_bytes()).decode()
            alt = html.escape(f"samples of {run.name} after step {at}", quote=True)
            figures.append(
                f"<figure><figcaption>{name}, step {at:,}</figcaption>"
                f'<img alt="{alt}" src="data:image/png;base64,{data}"></figure>'
            )
    yield f'<div class="sheets">{"".join(figures)}</div>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    titles = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{titles}</tr>{body}</table></div>'
