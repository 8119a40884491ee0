"""``zoo evaluate``: measure a model on real test data, by a named protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo_core.cli.complete import models

if TYPE_CHECKING:
    from zoo_evaluate.report import Report


@click.command(epilog="zoo evaluate runs/emoji --data emoji --judge judges/emoji --html page.html")
@click.argument("model", metavar="MODEL", shell_complete=models)
@click.option("--domain", "domains", multiple=True, metavar="NAME=SOURCE", help="Each domain.")
@click.option("--data", metavar="ROOT", help="A folder that holds all domains or attributes.")
@click.option("--split", default="test", show_default=True, help="train, val, test or all.")
@click.option("--metrics", metavar="A,B", help="Names; without it all that apply.")
@click.option("--judge", "judges", multiple=True, metavar="DIR", help="Judge directories.")
@click.option(
    "--extractor",
    metavar="NAME",
    help="For FID and KID: timm:NAME[@FILE], judge:DIR or inception; else the domain judge.",
)
@click.option(
    "--json",
    "json_to",
    metavar="FILE",
    is_flag=False,
    flag_value="-",
    help="Write the figures as JSON; without FILE, or with -, print them.",
)
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write an HTML page.")
@click.option(
    "--num-samples", type=click.IntRange(2), help="Most inputs per direction; all without."
)
@click.option("--batch", type=click.IntRange(1), help="Signals at once.")
@click.option("--allow-few", is_flag=True, help="FID and KID of fewer than 50 signals, too.")
@click.option("--samples", type=click.IntRange(0), default=8, show_default=True)
@click.option(
    "--paired/--unpaired",
    default=None,
    help="Whether files of one name show the same; without it, as the data set declares.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--device", default="auto", show_default=True)
@click.option("--precision", default="auto", show_default=True)
def evaluate(model: str, json_to: str | None, html: Path | None, **options: Any) -> None:
    """Measures MODEL on real test data, in every direction.

    FID and KID compare the features of translations and real signals. Judges (zoo judge train)
    say whether a translation is of the target domain and shows what its input shows. With --paired
    pictures of the same name are references: L1, PSNR, SSIM and retrieval compare with them, beside
    the untranslated input. Pictures that the model was trained on are counted. Conversions of
    voices are compared as whole recordings: distortion to takes of the same words, and global
    variance.
    """
    from zoo_evaluate.cli.measuring import with_progress
    from zoo_evaluate.evaluate import evaluate as measure
    from zoo_train.data.sources import parse_domains

    names = options["metrics"]
    options["metrics"] = (
        None if names is None else [n.strip() for n in names.split(",") if n.strip()]
    )
    options["domains"] = parse_domains(options["domains"])
    report = with_progress(lambda on_progress: measure(model, **options, on_progress=on_progress))
    _give(report, json_to, html)


def _give(report: Report, json_to: str | None, html: Path | None) -> None:
    from zoo_evaluate.report import write_text

    if json_to == "-":
        click.echo(report.to_json())
    else:
        _show(report)
        if json_to is not None:
            report.write_json(Path(json_to))
            click.echo(f"figures: {json_to}")
    if html is not None:
        from zoo_evaluate.page import render_page

        write_text(html, render_page(report))
        click.echo(f"page: {html}", err=json_to == "-")


def _show(report: Report) -> None:
    """Prints the values that the metrics name as their headlines, and what was left out."""
    from zoo_core.cli import output
    from zoo_evaluate.report import shown_value
    from zoo_evaluate.run import metric_classes

    headlines = [name for cls in metric_classes() for name in cls.headline]
    shown = [name for name in headlines if name in report.mean]
    shown += [] if shown else list(report.mean)
    headings = {name: _heading(report.title(name)) for name in shown}
    for part in _fitting(headings, [*report.directions, "direction"]):
        rows = [
            [title, *(shown_value(values, name) for name in part)]
            for title, values in (*report.directions.items(), ("mean", report.mean))
        ]
        columns = [headings[name] for name in part]
        output.table(["direction", *columns], rows, right=columns)
    for line in report.titled():
        output.say(line)
    click.echo(f"split: {report.protocol['split']}")
    for note in _grouped(report.notes):
        click.echo(note)


def _heading(title: str) -> str:
    """A heading in short lines: ``domain_accuracy`` in two, a title's brackets in lines below."""
    name, mark, rest = title.partition(" (")
    return name + "\n(" + rest.replace(", ", ",\n") if mark else name.replace("_", "\n")


def _fitting(headings: Mapping[str, str], titles: Sequence[str]) -> list[list[str]]:
    """Splits the columns so that each table fits the terminal: numbers are not to be folded."""
    from rich.console import Console

    room = Console().width - max(len(title) for title in titles) - 2
    parts: list[list[str]] = [[]]
    used = 0
    for name, heading in headings.items():
        interval = 14 if heading.startswith(("FID", "KID")) else 0
        width = max(10 + interval, *(len(line) + 2 for line in heading.split("\n")))
        if parts[-1] and used + width > room:
            parts.append([])
            used = 0
        parts[-1].append(name)
        used += width
    return parts


def _grouped(notes: Sequence[str]) -> list[str]:
    """Notes ``direction: reason`` with the same reason as one line."""
    directions: dict[str, list[str]] = {}
    for note in notes:
        direction, _, reason = note.partition(": ")
        directions.setdefault(reason, []).append(direction)
    return [f"{', '.join(names)}: {reason}" for reason, names in directions.items()]
