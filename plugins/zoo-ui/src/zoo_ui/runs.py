"""Training runs below one folder, as far as they are: what the page follows."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from zoo_core.errors import UsageError, unknown
from zoo_runs.compare.curves import picture
from zoo_runs.compare.facts import RunFacts, curve_names, read_runs
from zoo_train.directory import CONFIG, WRITER, load_config
from zoo_train.logs import stats_path

DEEPEST = 3
"""Folders below the one that was named in which runs are looked for."""
MOST_FOLDERS, MOST = 2_000, 100
"""Folders that are looked through, and runs that are offered: those of the newest logs."""


class Runs:
    """The runs below a folder, found anew whenever they are asked for.

    Args:
        folder: Nothing outside it is read, and no link within it is followed.

    Raises:
        UsageError: If it is no folder.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise UsageError(
                "it is no folder", asked=f"--runs {folder}", hint="Give a folder that holds runs."
            )
        self._folder = folder.resolve()

    def names(self) -> list[str]:
        """Names of the runs: their paths below the folder, those with the newest logs first."""
        return [self._name(path) for path in self._found()]

    def told(self, name: str) -> dict[str, Any]:
        """How far a run is, as plain values.

        ``done`` and ``total`` steps and ``rate`` in steps a second (0 where that is not known),
        ``left`` seconds, ``quiet`` seconds since it last wrote (None: not yet), whether it is
        ``training``, its ``curves`` as HTML, and the step of its last ``sheet`` of samples.

        Raises:
            ZooError: If there is no such run, or it cannot be read.
        """
        path = self._path(name)
        facts = _facts(path, _state(path))
        steps = load_config(path).train.steps or 0
        rate = facts.curves.get("steps_per_second", [(0, 0.0)])[-1][1]
        training = (path / WRITER).is_file() and not 0 < steps <= facts.done
        written = _written(path)
        return {
            "done": facts.done,
            "total": steps,
            "rate": rate,
            "left": (steps - facts.done) / rate if training and rate and steps else None,
            "quiet": time.time() - written if written else None,
            "training": training,
            "curves": [picture(name, [facts.curves[name]]) for name in curve_names([facts])],
            "sheet": max(facts.sheets, default=None),
        }

    def sheet(self, name: str, step: str) -> Path | None:
        """The samples of a run after a step; raises as `told` does."""
        path = self._path(name)
        sheets = _facts(path, _state(path)).sheets
        return sheets.get(int(step)) if step.isdecimal() and len(step) < 20 else None

    def _path(self, name: str) -> Path:
        runs = {self._name(path): path for path in self._found()}
        if name not in runs:
            raise unknown("run", name, runs, next_step="Load the page again.")
        return runs[name]

    def _name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix() if path != self._folder else path.name

    def _found(self) -> list[Path]:
        return sorted(self._walked(), key=_written, reverse=True)[:MOST]

    def _walked(self) -> Iterator[Path]:
        folders = 0
        for name, below, files in os.walk(self._folder):
            path, folders = Path(name), folders + 1
            is_run = (
                CONFIG in files and ("log" in below or WRITER in files) and not _leads_out(path)
            )
            if is_run:
                yield path
            depth = len(path.relative_to(self._folder).parts)
            below[:] = [] if is_run or depth >= DEEPEST else [n for n in below if n[0] != "."]
            if folders >= MOST_FOLDERS:
                return


@lru_cache(maxsize=8)
def _facts(path: Path, state: tuple[float, float]) -> RunFacts:
    """What is known of a run in some state."""
    return read_runs([path])[0]


def _state(path: Path) -> tuple[float, float]:
    """What changes whenever a run writes values or samples."""
    return _written(path), _changed(path / "samples")


def _written(path: Path) -> float:
    """When a run last wrote values; 0 where it did not."""
    return _changed(stats_path(path))


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _leads_out(path: Path) -> bool:
    """Whether what is read of a run is a link: it may lead to what nobody meant to show."""
    log = stats_path(path)
    return any(part.is_symlink() for part in (path / CONFIG, log.parent, log))
