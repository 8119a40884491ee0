"""One trial of a sweep: a training in a process of its own, watched, and stopped where it lags."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo_train.logs import read_stats

POLL = 1.0
"""Seconds between two looks at a run's log."""
WANTED = "validation/"
Values = dict[int, float]


@dataclass(frozen=True)
class Outcome:
    """How a trial ended.

    Attributes:
        values: The figure by step.
        code: Exit code of the training; 2 for a request that does not fit.
        stopped: Whether it was stopped because it lagged.
        said: What it printed last.
    """

    values: Values
    code: int
    stopped: bool
    said: str


def run_trial(
    arguments: Sequence[str], out: Path, figure: str, lags: Callable[[int, float], bool]
) -> Outcome:
    """Trains, and watches the figure.

    Args:
        arguments: Those of ``zoo train``.
        out: Directory of the run.
        figure: Name of the figure in the log; empty for the first of validation.
        lags: Told each figure with its step; whether the run is not worth going on with.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    said = out.with_suffix(".log")
    command = [sys.executable, "-m", "zoo_core", "train", *arguments, "--out", str(out)]
    seen: Values = {}
    stopped = False
    with said.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                time.sleep(POLL)
                if not stopped and _new(out, figure, seen, lags):
                    process.terminate()  # it saves a checkpoint first
                    stopped = True
        except BaseException:
            process.terminate()
            process.wait()
            raise
    _new(out, figure, seen, lags)
    last = said.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return Outcome(seen, process.returncode, stopped, last[-1] if last else "")


def figures(run: Path, figure: str) -> Values:
    """The figure of a run by step; with no name, the first of validation."""
    found: Values = {}
    for values in read_stats(run):
        name = figure or next((name for name in values if name.startswith(WANTED)), "")
        if name in values:
            figure = name
            found[values["step"]] = float(values[name])
    return found


def _new(out: Path, figure: str, seen: Values, lags: Callable[[int, float], bool]) -> bool:
    """Takes in what has come since; whether the run lags."""
    lagging = False
    for step, value in figures(out, figure).items():
        if step not in seen:
            seen[step] = value
            lagging = lags(step, value)
    return lagging
