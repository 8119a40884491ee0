"""``zoo compare``: several runs on one page."""

from __future__ import annotations

from pathlib import Path

import click

from zoo_core.cli import output
from zoo_core.errors import UsageError, printable
from zoo_core.files import replacing


@click.command(epilog="zoo compare out/first out/second --out out/compared.html")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("compared.html"),
    show_default=True,
    help="The page.",
)
def compare(runs: tuple[Path, ...], out: Path) -> None:
    """Shows RUNS side by side: figures, settings that differ, curves, and samples of one step.

    Runs may be finished, stopped or going on. The page is one file that needs nothing else.
    """
    from zoo_runs.compare.facts import curve_names, differing, read_runs
    from zoo_runs.compare.page import figures, render

    if len(runs) < 2:
        raise UsageError("there is nothing to compare it with", asked=f"zoo compare {runs[0]}")
    found = read_runs(runs)
    with replacing(out) as part:
        part.write_text(render(found), encoding="utf-8")
    names = [name for name in curve_names(found) if name.startswith("validation/")]
    for run in found:
        output.say(f"{run.name}: {run.done:,} steps")
        for name in names:
            output.say(f"  {name.removeprefix('validation/')}: {figures(run, name)}")
    for key, values in differing(found).items():
        output.say(f"{key}: {', '.join(values)}")
    click.echo(printable(f"page: {out}"))
