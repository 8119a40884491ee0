"""``zoo sweep``: from flags to a study of Optuna."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo_core.cli import output
from zoo_core.errors import TrainingError, UsageError, printable
from zoo_core.host.plugins import host

if TYPE_CHECKING:
    from optuna import Study, Trial

    from zoo_runs.sweep.spaces import Space
    from zoo_runs.sweep.trial import Outcome

OWN = ("--out", "--resume", "--restart")
"""Flags of ``zoo train`` that a sweep gives by itself."""


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="zoo sweep --over lr=1e-4..1e-2:log --over identity=0,0.5,1 --trials 12 --out out/sweep "
    "cyclegan --domain a=A --domain b=B --set train.hold_out=0.1 --validate every=200",
)
@click.option("--over", multiple=True, required=True, metavar="KEY=VALUES", help="What to vary.")
@click.option("--trials", type=click.IntRange(1), default=10, show_default=True, help="How many.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where runs go.")
@click.option("--figure", default="", help="A name in the log; else the first of --validate.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the search.")
@click.argument("train", nargs=-1, required=True, type=click.UNPROCESSED, metavar="TRAIN…")
def sweep(
    *, over: tuple[str, ...], trials: int, out: Path, figure: str, seed: int, train: tuple[str, ...]
) -> None:
    """Trains many times with other settings, and tells which are best.

    TRAIN is what follows `zoo train`, with --validate and without --out. VALUES are LOW..HIGH,
    LOW..HIGH:log or A,B,C. Each trial is a run in the folder --out; one whose figure is worse than
    the median of the others at the same step is stopped. The same command again adds trials.
    """
    from zoo_runs.sweep.spaces import parse_spaces
    from zoo_runs.sweep.study import drawn, open_study
    from zoo_runs.sweep.trial import run_trial

    spaces = parse_spaces(over)
    _require_usable(train, figure)
    higher = _higher_is_better(figure or _first_metric(train))
    request = {"train": list(train), "figure": figure}
    study = open_study(out, seed, higher=higher, request=request)
    for _ in range(trials):
        trial = study.ask()
        run = out / f"{trial.number:03d}"
        chosen = drawn(spaces, study, trial)
        click.echo(printable(f"{run}: {', '.join(f'{k}={v}' for k, v in chosen.items())}"))
        settings = [part for k, v in chosen.items() for part in ("--set", f"{k}={v}")]

        def lags(step: int, value: float, trial: Trial = trial) -> bool:
            trial.report(value, step)
            return bool(trial.should_prune())

        _tell(study, trial, run_trial([*train, *settings], run, figure, lags), run, higher)
    _show(study, spaces, out)


def _require_usable(train: Sequence[str], figure: str) -> None:
    flags = {part.partition("=")[0] for part in train}
    for flag in OWN:
        if flag in flags:
            raise UsageError("a sweep gives it by itself", asked=f"{flag} of zoo sweep")
    if not figure and "--validate" not in flags:
        raise UsageError(
            "nothing says which run is better",
            asked="zoo sweep",
            hint="Add --validate every=N,metrics=NAME, or name a value of the log by --figure.",
        )


def _first_metric(train: Sequence[str]) -> str:
    """The metric that ``--validate`` names first; empty where it names none."""
    named = re.search(r"\bmetrics=([\w-]+)", " ".join(train))
    return named[1] if named else ""


def _higher_is_better(name: str) -> bool:
    """Whether more of a metric, or of a value that it gives, is better; lower where unknown."""
    value = name.removeprefix("validation/")
    for metric in host().components("metric"):
        cls = host().load("metric", metric)
        if value in (metric, *cls.headline[:1]):
            return bool(cls.higher_is_better)
    return False


def _tell(study: Study, trial: Trial, outcome: Outcome, run: Path, higher: bool) -> None:
    """Notes how a trial ended; a request that does not fit ends the sweep."""
    from optuna.trial import TrialState

    if outcome.code == 2:
        study.tell(trial, state=TrialState.FAIL)
        raise UsageError(outcome.said.removeprefix("zoo: "), asked=f"trial {run}")
    if outcome.stopped:
        study.tell(trial, state=TrialState.PRUNED)
        click.echo("  stopped: worse than the others were by then")
    elif outcome.code or not outcome.values:
        study.tell(trial, state=TrialState.FAIL)
        click.echo(printable(f"  failed: {outcome.said}"))
    else:
        best = (max if higher else min)(outcome.values.values())
        study.tell(trial, best)
        click.echo(f"  {best:.4g}")


def _show(study: Study, spaces: Sequence[Space], out: Path) -> None:
    """A table of the trials that came to their end, best first."""
    ended: list[Any] = [trial for trial in study.trials if trial.value is not None]
    if not ended:
        raise TrainingError("no trial came to its end", asked=f"sweep {out}")
    higher = study.direction.name == "MAXIMIZE"
    ended.sort(key=lambda trial: trial.value, reverse=higher)
    rows = [
        [
            f"{trial.number:03d}",
            f"{trial.value:.4g}",
            *(_short(trial.params.get(space.key)) for space in spaces),
        ]
        for trial in ended
    ]
    output.table(["run", "figure", *(space.key for space in spaces)], rows, right=["figure"])
    click.echo(printable(f"best: {out / f'{ended[0].number:03d}'}"))


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
