"""Checkpoints that are whole or absent: written aside, synced, then renamed; the last two kept."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from zoo_core.errors import TrainingError, ZooError
from zoo_core.files import replacing
from zoo_train.pickles import read_own_pickle

FORMAT = 1
"""Version of the layout, raised when an old reader could misread a new checkpoint."""
_NAME = re.compile(r"step-(\d{8,15})\.pt")


class Checkpoints:
    """The checkpoints of one run.

    Args:
        directory: Where they are; made when the first is written.
        keep: How many of the newest are kept.

    Attributes:
        messages: What was wrong with checkpoints that `load` passed over.
    """

    def __init__(self, directory: Path, keep: int = 2) -> None:
        self.directory, self.keep = directory, keep
        self.messages: list[str] = []

    def steps(self) -> list[int]:
        """Steps that have a checkpoint, oldest first."""
        if not self.directory.is_dir():
            return []
        names = {path.name for path in self.directory.iterdir()}
        found = [int(match[1]) for match in map(_NAME.fullmatch, names) if match]
        return sorted(step for step in found if self.path(step).name in names)

    def path(self, step: int) -> Path:
        """Where the checkpoint after so many steps is."""
        return self.directory / f"step-{step:08d}.pt"

    def save(self, step: int, state: Mapping[str, Any]) -> Path:
        """Writes a checkpoint and drops those that are too old.

        Args:
            step: Steps done.
            state: Tensors and plain values, nested in dicts and lists.

        Raises:
            TrainingError: If it cannot be written; earlier checkpoints are as they were.
        """
        path = self.path(step)
        with (
            writing(f"checkpoint of step {step}", self.directory.parent),
            replacing(path, durable=True) as part,
            part.open("wb") as file,
        ):
            torch.save({"format": FORMAT, "step": step, **state}, file)
        for old in self.steps()[: -self.keep]:
            self.path(old).unlink()
        return path

    def clear(self) -> None:
        """Removes all checkpoints, for a run that starts anew."""
        for step in self.steps():
            self.path(step).unlink()

    def load(self, step: int | None = None) -> dict[str, Any] | None:
        """The newest checkpoint that is whole, or None where there is none at all.

        Args:
            step: Of which step it must be; None for any.

        Raises:
            TrainingError: If there are checkpoints and all are damaged.
        """
        self.messages.clear()
        for found in reversed(self.steps() if step is None else [step]):
            try:
                return self._read(self.path(found))
            except Exception as fault:  # whatever a damaged file makes the reader raise
                reason = str(fault).splitlines()[0][:200] if str(fault) else type(fault).__name__
                self.messages.append(
                    f"checkpoint {self.path(found)} is damaged ({reason}); the one before it is "
                    "used"
                )
        if self.messages:
            raise TrainingError(
                f"all its checkpoints are damaged: {'; '.join(self.messages)}",
                asked=f"run {self.directory.parent}",
                hint="Train again into another directory.",
            )
        return None

    def _read(self, path: Path) -> dict[str, Any]:
        with zipfile.ZipFile(path) as archive:  # torch.load itself compares no checksums
            broken = archive.testzip()
        if broken is not None:
            raise ValueError(f"wrong checksum of {broken}")
        state: dict[str, Any] = read_own_pickle(path)
        if state.get("format") != FORMAT:
            raise ValueError(f"format {state.get('format')!r}, this version reads {FORMAT}")
        step = int(path.stem.removeprefix("step-"))
        if {state.get("step"), state.get("done", step)} != {step}:
            raise ValueError("it is that of another step")
        return state


@contextmanager
def writing(what: str, run: Path) -> Iterator[None]:
    """Turns faults of the disk within the block into a `TrainingError`.

    Args:
        what: What is written, such as ``samples``.
        run: Directory of the run.
    """
    try:
        yield
    except TrainingError:
        raise
    except (OSError, RuntimeError, ZooError) as fault:
        cause = disk_fault(fault)
        if cause is None:
            raise
        raise TrainingError(
            f"cannot be written: {cause}; earlier checkpoints are intact",
            asked=f"{what} of run {run}",
            hint=f"Free space or mend the permissions, then zoo train --resume {run}.",
        ) from fault


def disk_fault(fault: BaseException | None) -> str | None:
    """In words, why a file could not be written; None where the fault is of another kind."""
    while fault is not None:
        if isinstance(fault, OSError):
            return fault.strerror or str(fault)
        if "PytorchStreamWriter" in str(fault):  # torch wraps a failed write
            return "the disk may be full"
        fault = fault.__cause__ or fault.__context__
    return None
