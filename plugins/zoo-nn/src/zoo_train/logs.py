"""What a run tells: messages and progress on a terminal or as lines, and ``log/stats.jsonl``."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from zoo_core.errors import printable
from zoo_core.files import replacing
from zoo_train.checkpoint import writing

QUIET_SECONDS = 15.0
"""Seconds without a line, where there is no terminal, after which a step is told of."""
LONGEST_LINE, MOST_STEPS = 1_000_000, 1 << 53
"""Signs of a line of the log, and its last step, that are read: it may have come from anywhere."""


class Display:
    """Where a run's messages go; this one tells nothing, `Terminal` does."""

    def note(self, text: str) -> None:
        """A message."""

    def warn(self, text: str) -> None:
        """A warning."""

    def decoding(self, name: str, done: int, total: int) -> None:
        """So many files of a domain are decoded."""

    def start(self, done: int, steps: int) -> None:
        """The loop starts or goes on after ``done`` steps."""

    def tick(self, done: int, values: Mapping[str, float] | None = None) -> None:
        """A step is done; with ``values`` where it was logged."""

    def stop(self) -> None:
        """The loop has ended."""


class Terminal(Display):
    """A progress bar on a terminal, plain lines elsewhere.

    Args:
        console: Where to write; None for standard output.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(soft_wrap=True, highlight=False)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._steps = 0
        self._last_line = 0.0

    def note(self, text: str) -> None:
        """A message."""
        self._tell(text)

    def warn(self, text: str) -> None:
        """A warning."""
        self._tell(f"warning: {text}", style="yellow")

    def decoding(self, name: str, done: int, total: int) -> None:
        """So many files of a domain are decoded."""
        if self._console.is_terminal:
            end = "\n" if done == total else "\r"
            self._console.print(f"decoding {name}: {done}/{total}", markup=False, end=end)

    def start(self, done: int, steps: int) -> None:
        """The loop starts or goes on after ``done`` steps."""
        self._steps = steps
        if self._console.is_terminal:
            self._bar = Progress(
                MofNCompleteColumn(),
                BarColumn(bar_width=20),
                TextColumn("{task.fields[values]}", markup=False),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._task = self._bar.add_task("", total=steps, completed=done, values="")
            self._bar.start()

    def tick(self, done: int, values: Mapping[str, float] | None = None) -> None:
        """A step is done; with ``values`` where it was logged.

        Without a terminal the first step, and one every `QUIET_SECONDS`, has a line, too.
        """
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done)
            if values is not None:
                self._bar.update(self._task, values="  ".join(_shown(values)))
        elif values is not None:
            rate = values.get("steps_per_second", 0.0)
            left = _duration((self._steps - done) / rate) if rate else "?"
            self._line(f"step {done}/{self._steps}  {'  '.join(_shown(values))}  left {left}")
        elif not self._last_line or time.monotonic() - self._last_line > QUIET_SECONDS:
            self._line(f"step {done}/{self._steps}")

    def stop(self) -> None:
        """The loop has ended."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _tell(self, text: str, style: str | None = None) -> None:
        """Prints a message; a log without room, as on a full disk, ends no run."""
        with contextlib.suppress(OSError):
            self._console.print(printable(text), style=style, markup=False)

    def _line(self, text: str) -> None:
        self._last_line = time.monotonic()
        self.note(text)


class Stats:
    """``log/stats.jsonl``: one JSON object per logged step.

    Args:
        run: Directory of the run.
        done: Steps done when the run starts or resumes; later lines, and what a killed run left
            torn, are removed.
    """

    def __init__(self, run: Path, done: int = 0) -> None:
        self._run = run
        path = stats_path(run)
        with writing("log", run):
            with replacing(path) as part, part.open("w", encoding="utf-8") as file:
                for values in read_stats(run):
                    if values["step"] <= done:
                        file.write(json.dumps(values) + "\n")
            self._file = path.open("a", encoding="utf-8")

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Writes the values of a logged step.

        Raises:
            TrainingError: If the disk is full.
        """
        with writing("log", self._run):
            self._file.write(json.dumps({"step": step, **values}) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Ends the file."""
        with writing("log", self._run):
            self._file.close()


def stats_path(run: Path) -> Path:
    """Where the values of a run's logged steps are."""
    return run / "log" / "stats.jsonl"


def read_stats(run: Path) -> Iterator[dict[str, Any]]:
    """The numbers of each logged step, among them ``step``; what is none is passed over."""
    path = stats_path(run)
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        while line := file.readline(LONGEST_LINE):
            try:
                values = json.loads(line)
                values["step"] = int(values["step"])
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
                continue
            if 0 <= values["step"] < MOST_STEPS:
                yield {name: value for name, value in values.items() if _is_number(value)}


def last_losses(run: Path, done: int) -> dict[str, float]:
    """The losses of the last step that was logged, up to one."""
    logged: dict[str, Any] = {}
    for line in read_stats(run):
        if line["step"] <= done and "images_per_second" in line:
            logged = line
    return {
        name.removeprefix("loss/"): round(value, 6)
        for name, value in logged.items()
        if name.startswith("loss/")
    }


def _is_number(value: object) -> bool:
    """Whether a value of the log is a number that fits a float."""
    return isinstance(value, float) or (isinstance(value, int) and value.bit_length() < 1_000)


def _shown(values: Mapping[str, float]) -> Iterable[str]:
    for name, value in values.items():
        if name.startswith("loss/"):
            yield f"{name.removeprefix('loss/')} {value:.3f}"
    if "images_per_second" in values:
        yield f"{values['images_per_second']:.1f} images/s"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
