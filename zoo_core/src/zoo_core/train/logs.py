"""What a run tells: a line or a progress bar, TensorBoard, and ``log/stats.jsonl``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

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

from zoo_core.train.disk import writing


class Display(Protocol):
    """Where a run's messages go."""

    def note(self, text: str) -> None:
        """A message."""
        ...

    def warn(self, text: str) -> None:
        """A warning."""
        ...

    def decoding(self, name: str, done: int, total: int) -> None:
        """So many files of a domain are decoded."""
        ...

    def start(self, done: int, steps: int) -> None:
        """The loop starts or goes on after ``done`` steps."""
        ...

    def tick(self, done: int, values: Mapping[str, float] | None = None) -> None:
        """A step is done; with ``values`` where it was logged."""
        ...

    def stop(self) -> None:
        """The loop has ended."""
        ...


class Silent:
    """Tells nothing."""

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


class Terminal:
    """A progress bar on a terminal, plain lines elsewhere.

    Args:
        console: Where to write; None for standard output.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(soft_wrap=True, highlight=False)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._steps = 0

    def note(self, text: str) -> None:
        """A message."""
        self._console.print(text, markup=False)

    def warn(self, text: str) -> None:
        """A warning."""
        self._console.print(f"warning: {text}", style="yellow", markup=False)

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
        """A step is done; with ``values`` where it was logged."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done)
            if values is not None:
                self._bar.update(self._task, values=_short(values, "  "))
        elif values is not None:
            rate = values.get("steps_per_second", 0.0)
            left = _duration((self._steps - done) / rate) if rate else "?"
            self.note(f"step {done}/{self._steps}  {_short(values, '  ')}  left {left}")

    def stop(self) -> None:
        """The loop has ended."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class Logs:
    """The files under ``log/``: TensorBoard's events and one JSON object per logged step.

    Args:
        run: Directory of the run.
        done: Steps done when the run starts or resumes; later lines are cut.
    """

    def __init__(self, run: Path, done: int = 0) -> None:
        self._run = run
        directory = run / "log"
        with writing("log", run):
            directory.mkdir(parents=True, exist_ok=True)
            cut(directory / "stats.jsonl", done)
            self._stats = (directory / "stats.jsonl").open("a", encoding="utf-8")
            from torch.utils.tensorboard import SummaryWriter

            purge = done + 1 if done else None
            self._events = SummaryWriter(str(directory), purge_step=purge)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Writes the values of a logged step.

        Raises:
            TrainingError: If the disk is full.
        """
        with writing("log", self._run):
            self._stats.write(json.dumps({"step": step, **values}) + "\n")
            self._stats.flush()
            for name, value in values.items():
                self._events.add_scalar(name, value, step)

    def close(self) -> None:
        """Ends the files."""
        with writing("log", self._run):
            self._stats.close()
            self._events.close()


def cut(path: Path, done: int) -> None:
    """Removes lines of ``stats.jsonl`` beyond a step, and a line that a killed run left torn."""
    if not path.exists():
        return
    kept = [line for line in path.read_text(encoding="utf-8").splitlines() if _within(line, done)]
    aside = path.with_name(".stats.part")
    aside.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    aside.replace(path)


def last_values(path: Path) -> dict[str, Any]:
    """The last line of ``stats.jsonl``, or nothing."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return dict(json.loads(lines[-1])) if lines else {}


def _within(line: str, done: int) -> bool:
    try:
        return int(json.loads(line)["step"]) <= done
    except (ValueError, KeyError, TypeError):
        return False


def _short(values: Mapping[str, float], between: str) -> str:
    return between.join(_shown(values))


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
