"""Pictures of an audit: a sheet that shows the hidden signal amplified, and a page."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo_evaluate.audit.result import AuditResult, DirectionResult
from zoo_evaluate.page import STYLE, png_uri, sheet_uri

if TYPE_CHECKING:
    from torch import Tensor

    from zoo_core.contracts.codec import Codec

WIDE, HIGH = 320, 180
"""Size of a plotted curve in pixels."""


def write_sheet(result: AuditResult, codec: Codec, path: Path) -> None:
    """Writes the samples of all directions as one labelled picture.

    Columns: the input, its translation and what comes back of it; the translation disturbed, which
    nobody sees, and what comes back of that; the translation's fine detail amplified, and for
    comparison the same detail of a real signal of the target domain.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[str, list[Tensor]]] = []
    columns: list[str] = []
    for found in result.directions.values():
        for exhibit in found.exhibits:
            columns = columns or [_common(title) for title in exhibit.signals]
            rows.append((found.name.replace("->", " to "), list(exhibit.signals.values())))
    codec.sheet(rows, columns, path)


def render_page(result: AuditResult, codec: Codec | None = None) -> str:
    """One self-contained HTML page: verdict, figures, curves and pictures.

    Args:
        result: What was found.
        codec: Draws signals that are no pictures; None leaves them out.
    """
    title = html.escape(f"Audit of {result.model or 'a model'}")
    plain = html.escape(json.dumps(result.values(), indent=2, ensure_ascii=False))
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in result.notes)
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f"<title>{title}</title><style>{STYLE}</style></head><body>",
            f"<h1>{title}</h1>",
            f"<p><strong>{html.escape(str(result.score))}</strong> {html.escape(result.verdict)}.",
            *(_section(found, result, codec) for found in result.directions.values()),
            f"<h2>Left out</h2><ul>{notes}</ul>" if notes else "",
            f"<h2>All figures</h2><pre>{plain}</pre></body></html>",
        ]
    )


def _section(found: DirectionResult, result: AuditResult, codec: Codec | None) -> str:
    name = html.escape(found.name)
    rows = "".join(
        f"<tr><td>{html.escape(key)}</td><td>{value:.4g}</td></tr>"
        for key, value in found.values.items()
    )
    pictures = "".join(
        f"<figure><img src='{png_uri(signal)}' alt='{html.escape(title)}'>"
        f"<figcaption>{html.escape(title)}</figcaption></figure>"
        for exhibit in found.exhibits
        for title, signal in exhibit.signals.items()
        if signal.dim() == 3
    )
    if not pictures and codec is not None and found.exhibits:
        drawn = [(exhibit.name, list(exhibit.signals.values())) for exhibit in found.exhibits]
        columns = [_common(title) for title in found.exhibits[0].signals]
        pictures = f"<img src='{sheet_uri(drawn, columns, codec.spec)}' alt='samples'>"
    curves = "".join(
        f"<figure>{_plot(result.config.sigmas, curve)}<figcaption>{kind} noise: response, "
        f"up to {max(curve):.3f}</figcaption></figure>"
        for kind, curve in found.curves.items()
    )
    head = f"<h2>{name} and back: {html.escape(str(found.score))}</h2>"
    return f"{head}<table>{rows}</table>{curves}<div>{pictures}</div>"


def _plot(sigmas: Sequence[float], curve: Sequence[float]) -> str:
    """A curve as SVG, from 0 to its largest value."""
    top = max(1e-9, *curve)
    points = " ".join(
        f"{sigma / max(sigmas) * WIDE:.1f},{HIGH - value / top * (HIGH - 4):.1f}"
        for sigma, value in zip(sigmas, curve, strict=True)
    )
    line = f"<polyline points='{points}' fill='none' stroke='currentColor' stroke-width='2'/>"
    return f"<svg width='{WIDE}' height='{HIGH}' viewBox='0 0 {WIDE} {HIGH}'>{line}</svg>"


def _common(title: str) -> str:
    """A column's title where directions share it."""
    if title.startswith("with "):
        return "disturbed"
    return "real target" if title.startswith("real ") else title
