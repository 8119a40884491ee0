"""What is known of a run from its directory: settings, values by step, sheets of samples."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo_core.errors import WeightsError, printable
from zoo_core.schema import plain
from zoo_core.untrusted import member
from zoo_train.directory import load_config
from zoo_train.logs import read_stats

ASIDE = ("images_per_second", "steps_per_second")
"""Values of the log that depend on the machine; they have no curve."""
NOT_SETTINGS = ("domains", "data", "device", "processes", "threads", "pretrained.model")
"""Keys of a run's configuration that decide nothing that is computed."""
HUGE = 1e300
"""Values from here on, and what is no number, have no place on a curve."""
LARGEST_SHEET = 50_000_000
"""Most bytes of a sheet that is put into the page."""
_SHEET, _PNG = re.compile(r"([0-9]{1,12})\.png"), b"\x89PNG\r\n\x1a\n"
Curve = list[tuple[int, float]]


@dataclass(frozen=True)
class RunFacts:
    """A run.

    Attributes:
        name: The end of its path that tells it from the others.
        settings: Its settings as text, by key.
        curves: Values (step, value) of the log, by name.
        sheets: Sheets of samples, by step.
    """

    name: str
    settings: Mapping[str, str]
    curves: Mapping[str, Curve]
    sheets: Mapping[int, Path]

    @property
    def done(self) -> int:
        """The last step of the log; 0 before the first."""
        return max((curve[-1][0] for curve in self.curves.values()), default=0)


def read_runs(directories: Sequence[Path]) -> list[RunFacts]:
    """The runs in some directories; raises `UsageError` where there is none in one."""
    names = _told_apart([path.resolve() for path in directories])
    return [_read(path, name) for path, name in zip(directories, names, strict=True)]


def differing(runs: Sequence[RunFacts]) -> dict[str, list[str]]:
    """The settings that are not alike in all runs: the text of each run, or a dash."""
    keys = dict.fromkeys(key for run in runs for key in run.settings)
    rows = {key: [run.settings.get(key, "–") for run in runs] for key in keys}
    return {key: row for key, row in rows.items() if len(set(row)) > 1}


def curve_names(runs: Sequence[RunFacts]) -> list[str]:
    """The values that have a curve: those of validation first, learning rates last."""
    names = dict.fromkeys(name for run in runs for name in run.curves if name not in ASIDE)
    order = ("validation/", "loss/", "", "lr/")
    return sorted(names, key=lambda name: order.index(_group(name, order)))


def common_sheet(runs: Sequence[RunFacts]) -> int | None:
    """The last step of which all runs have a sheet; None where there is none."""
    return max(set.intersection(*(set(run.sheets) for run in runs)), default=None)


def _read(path: Path, name: str) -> RunFacts:
    config = load_config(path)
    curves: dict[str, Curve] = {}
    for values in read_stats(path):
        for key, value in values.items():
            if key != "step" and isinstance(value, int | float) and abs(value) < HUGE:
                curves.setdefault(key, []).append((values["step"], float(value)))
    sheets = {
        int(match[1]): sheet
        for file in sorted((path / "samples").glob("*.png"))
        if (match := _SHEET.fullmatch(file.name)) and (sheet := _sheet(path, file))
    }
    settings = {key: printable(str(value)) for key, value in _leaves(plain(config))}
    return RunFacts(name, settings, curves, sheets)


def _sheet(run: Path, file: Path) -> Path | None:
    """A sheet that may be shown: a PNG of the run itself within the bound; else None.

    A run may be a stranger's, and the page is passed on: no link puts another file into it.
    """
    try:
        path = member(run, f"samples/{file.name}")
    except WeightsError:
        return None
    if path is None or path.stat().st_size > LARGEST_SHEET:
        return None
    with path.open("rb") as opened:
        return path if opened.read(len(_PNG)) == _PNG else None


def _leaves(values: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if prefix in NOT_SETTINGS:
        return
    if not isinstance(values, dict):
        yield prefix, values
        return
    for key, value in values.items():
        yield from _leaves(value, f"{prefix}.{key}" if prefix else key)


def _group(name: str, order: Sequence[str]) -> str:
    return next((start for start in order if start and name.startswith(start)), "")


def _told_apart(paths: Sequence[Path]) -> list[str]:
    """For each path as many of its last parts as tell it from the others."""
    most = max(len(path.parts) for path in paths)
    for count in range(1, most + 1):
        names = [printable("/".join(path.parts[-count:])) for path in paths]
        if len(set(names)) == len(names):
            break
    return names
