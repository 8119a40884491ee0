"""``zoo audit``: does a model hide its input inside its output?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo_core.cli.complete import models
from zoo_core.errors import UsageError

if TYPE_CHECKING:
    from zoo_core.translate.translator import Translator
    from zoo_evaluate.audit import AuditResult

SHOWN = (
    ("cycle_l1", "L1 of what comes back"),
    ("other_input_l1", "  of another input"),
    ("honesty_gap", "honesty gap"),
    ("white_noise_area", "noise-curve area, white"),
    ("smooth_noise_area", "noise-curve area, smooth"),
    ("swap_fine_wins", "swap: fine detail wins"),
    ("probe_fine_r2", "probe R2, fine detail"),
    ("probe_fine_shuffled_r2", "  of another input"),
    ("probe_fine_reference_r2", "  of the reference"),
    ("probe_faint_r2", "probe R2, faint shades"),
    ("probe_faint_shuffled_r2", "  of another input"),
    ("probe_faint_reference_r2", "  of the reference"),
)
"""Values that the terminal shows, after the score; gaps follow."""


@click.command(epilog="zoo audit cyclegan-mnist-mnistm --domain mnist=mnist:DIR --domain ...")
@click.argument("model", metavar="MODEL", shell_complete=models)
@click.option("--domain", "domains", multiple=True, metavar="NAME=SOURCE", help="Each domain.")
@click.option("--data", metavar="ROOT", help="A folder that holds all domains or attributes.")
@click.option("--split", default="test", show_default=True, help="train, val, test or all.")
@click.option(
    "--json",
    "json_to",
    metavar="FILE",
    is_flag=False,
    flag_value="-",
    help="Write the figures as JSON; without FILE, or with -, print them.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write pictures: the sheet alone as .png, all figures and curves as .html.",
)
@click.option("--quick", is_flag=True, help="The score alone, on 128 inputs per direction.")
@click.option("--num-samples", type=click.IntRange(2), help="Most inputs per direction.")
@click.option("--batch", type=click.IntRange(2), help="Signals at once.")
@click.option(
    "--paired/--unpaired",
    default=None,
    help="Whether files of one name show the same; without it, as the data set declares.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--device", default="auto", show_default=True)
def audit(model: str, json_to: str | None, html: Path | None, **options: Any) -> None:
    """Tells whether MODEL hides its input inside its output.

    Translations of real test data are disturbed in ways that nobody sees, then translated back. The
    score is the share of the input that is lost by that: 0 for nothing hidden, 1 for all. It
    computes in float32, for coarser arithmetic is noise of its own.
    """
    from zoo_core.translate.loading import load
    from zoo_evaluate.audit import AuditConfig
    from zoo_evaluate.audit import audit as measure
    from zoo_evaluate.cli.measuring import with_progress
    from zoo_evaluate.held_out import declared_paired
    from zoo_evaluate.real_data import open_real_data
    from zoo_train.data.sources import parse_domains

    if html is not None and html.suffix.lower() not in (".png", ".html"):
        raise UsageError("it must end in .png or .html", asked=f"--html {html}")
    changes = {key: options[key] for key in ("num_samples", "batch") if options[key] is not None}
    changes |= {"seed": options["seed"], "paired": options["paired"]}
    if changes["paired"] is None:
        changes["paired"] = declared_paired(options["data"])
    if options["quick"]:
        config = AuditConfig.quick(**changes, samples=6 if html else 0)
    else:
        config = AuditConfig(**changes)
    translator = load(model, device=options["device"], precision="float32", engine="torch")
    domains = parse_domains(options["domains"])
    dataset = open_real_data(translator, domains, options["data"], options["split"])
    result = with_progress(
        lambda on_progress: measure(
            translator, dataset, config, name=model, on_progress=on_progress
        )
    )
    if json_to == "-":
        click.echo(result.to_json())
    else:
        _show(result)
    _write(result, translator, json_to, html)


def _write(
    result: AuditResult, translator: Translator, json_to: str | None, html: Path | None
) -> None:
    from zoo_evaluate.audit.picture import render_page, write_sheet
    from zoo_evaluate.report import write_text

    quiet = json_to == "-"
    if json_to is not None and not quiet:
        write_text(Path(json_to), result.to_json() + "\n")
        click.echo(f"figures: {json_to}")
    if html is None:
        return
    if html.suffix.lower() == ".png":
        write_sheet(result, translator.codec, html)
    else:
        write_text(html, render_page(result, translator.codec))
    click.echo(f"page: {html}", err=quiet)


def _show(result: AuditResult) -> None:
    """Prints score and verdict, then the figures of each direction side by side."""
    from zoo_core.cli import output

    click.echo(f"score: {result.score}  {result.verdict}")
    names = list(result.directions)
    scores = [result.directions[name].score for name in names]
    rows = [["score", *(f"{score.value:.4f}" for score in scores)]]
    rows.append(["  95 % interval", *(f"{s.low:.3f} - {s.high:.3f}" for s in scores)])
    rows.append(["shown by", *(result.directions[name].witness for name in names)])
    every = [key for found in result.directions.values() for key in found.values]
    gaps = [(k, f"gap: {k.removeprefix('gap_')}") for k in every if k.startswith("gap_")]
    for key, title in dict.fromkeys([*SHOWN, *gaps]):
        cells = [result.directions[name].values.get(key) for name in names]
        if any(cell is not None for cell in cells):
            rows.append([title, *("" if cell is None else f"{cell:.4f}" for cell in cells)])
    output.table(["", *names], rows, right=names)
    for note in result.notes:
        click.echo(note)
