"""One self-contained HTML page of a report: figures, pictures, protocol."""

from __future__ import annotations

import base64
import html
import io
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from torch import Tensor

from zoo_core.contracts.signals import TensorSpec
from zoo_core.host.plugins import host
from zoo_evaluate.report import Report, SamplePanel

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto }
th, td { border: 1px solid #8886; padding: .25rem .6rem; text-align: right }
th:first-child, td:first-child { text-align: left }
tr.mean { font-weight: bold }
figure { display: inline-block; margin: .3rem; text-align: center }
figure img { width: 96px; image-rendering: pixelated; display: block }
figcaption { font-size: 12px; opacity: .7 }
pre { overflow-x: auto; background: #8881; padding: 1rem }
:root { color-scheme: light dark }
"""


def render_page(report: Report) -> str:
    """The page as HTML text; pictures are embedded, nothing is fetched."""
    title = html.escape(f"Evaluation of {report.model or 'a model'}")
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in report.notes)
    protocol = html.escape(json.dumps(report.protocol, indent=2, ensure_ascii=False))
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f"<title>{title}</title><style>{STYLE}</style></head><body>",
            f"<h1>{title}</h1>",
            _table(report),
            *(f"<p>{html.escape(line)}</p>" for line in report.titled()),
            *(_samples(name, panels, report.signal) for name, panels in report.panels.items()),
            f"<h2>Notes</h2><ul>{notes}</ul>" if notes else "",
            f"<h2>Protocol</h2><pre>{protocol}</pre></body></html>",
        ]
    )


def png_uri(picture: Tensor) -> str:
    """A picture (C, H, W) in [-1, 1] as a PNG data URI."""
    pixels = ((picture.float() + 1) * 127.5).round().clamp(0, 255).byte()  # (C, H, W)
    array = pixels.expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy()  # (H, W, 3)
    data = io.BytesIO()
    Image.fromarray(array).save(data, "PNG")
    return "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()


def sheet_uri(
    rows: Sequence[tuple[str, Sequence[Tensor]]], columns: Sequence[str], signal: TensorSpec
) -> str:
    """Labelled rows of signals (C, *S) as a PNG data URI, drawn by the codec of their kind."""
    codec = host().load("codec", signal.kind)(signal)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sheet.png"
        codec.sheet(rows, columns, path)
        return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def _table(report: Report) -> str:
    names = list(dict.fromkeys([*report.mean, *(k for v in report.directions.values() for k in v)]))
    head = "".join(f"<th>{html.escape(name.replace('_', ' '))}</th>" for name in names)
    rows = [_row(name, values, names) for name, values in report.directions.items()]
    rows.append(_row("mean", report.mean, names, "mean"))
    return f"<table><tr><th>direction</th>{head}</tr>{''.join(rows)}</table>"


def _row(title: str, values: dict[str, float], names: Sequence[str], kind: str = "") -> str:
    cells = "".join(f"<td>{values[n]:.4g}</td>" if n in values else "<td></td>" for n in names)
    return f'<tr class="{kind}"><td>{html.escape(title)}</td>{cells}</tr>'


def _samples(direction: str, panels: Sequence[SamplePanel], signal: TensorSpec | None) -> str:
    rows = []
    if panels and panels[0].source.dim() != 3 and signal is not None:
        signals = [
            (panel.name, [part for _, part in _parts(panel)]) for panel in panels
        ]  # (C, *S) each
        columns = [what for what, _ in _parts(panels[0])]
        uri = sheet_uri(signals, columns, signal)
        return f'<h2>{html.escape(direction)}</h2><img alt="samples" src="{uri}">'
    for panel in panels:
        pictures = _parts(panel)
        cells = "".join(
            f'<figure><img alt="{what}" src="{png_uri(picture)}">'
            f"<figcaption>{what}</figcaption></figure>"
            for what, picture in pictures
        )
        rows.append(f'<div title="{html.escape(panel.name, quote=True)}">{cells}</div>')
    return f"<h2>{html.escape(direction)}</h2>{''.join(rows)}"


def _parts(panel: SamplePanel) -> list[tuple[str, Tensor]]:
    """The signals of a panel with their titles."""
    parts = [("input", panel.source), ("translated", panel.translated)]
    return parts if panel.reference is None else [*parts, ("reference", panel.reference)]
