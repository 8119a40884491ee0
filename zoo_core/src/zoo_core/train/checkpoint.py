"""Checkpoints that are whole or absent: written aside, synced, then renamed; the last two kept."""

from __future__ import annotations

import contextlib
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from zoo_core.errors import TrainingError
from zoo_core.train.disk import disk_fault

FORMAT = 1
"""Version of the layout, raised when an old reader could misread a new checkpoint."""
_NAME = re.compile(r"step-(\d+)\.pt")


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
        found = (_NAME.fullmatch(path.name) for path in self.directory.iterdir())
        return sorted(int(match[1]) for match in found if match)

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
        aside = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._sweep()
            with aside.open("wb") as file:
                torch.save({"format": FORMAT, "step": step, **state}, file)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
            sync(self.directory)
            for old in self.steps()[: -self.keep]:
                self.path(old).unlink()
        except (OSError, RuntimeError) as fault:  # torch wraps a failed write in a RuntimeError
            with contextlib.suppress(OSError):
                aside.unlink(missing_ok=True)
            cause = disk_fault(fault)
            if cause is None:
                raise
            raise self._unwritable(step, cause) from fault
        return path

    def load(self) -> dict[str, Any] | None:
        """The newest checkpoint that is whole, or None where there is none at all.

        Raises:
            TrainingError: If there are checkpoints and all are damaged.
        """
        self.messages.clear()
        for step in reversed(self.steps()):
            try:
                return self._read(self.path(step))
            except Exception as fault:  # whatever a damaged file makes the reader raise
                reason = str(fault).splitlines()[0][:200] if str(fault) else type(fault).__name__
                self.messages.append(
                    f"checkpoint {self.path(step)} is damaged ({reason}); the one before it is used"
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
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if state.get("format") != FORMAT:
            raise ValueError(f"format {state.get('format')!r}, this version reads {FORMAT}")
        return state

    def _sweep(self) -> None:
        """Removes what a killed process left half-written."""
        for path in self.directory.glob(".step-*.part"):
            path.unlink(missing_ok=True)

    def _unwritable(self, step: int, cause: str) -> TrainingError:
        kept = self.steps()
        last = f"the checkpoint of step {kept[-1]} is intact" if kept else "there is none before it"
        return TrainingError(
            f"the checkpoint cannot be written: {cause}; {last}",
            asked=f"step {step} of {self.directory.parent}",
            hint=f"Free space, then continue with zoo train --resume {self.directory.parent}.",
        )


def sync(directory: Path) -> None:
    """Makes sure that a rename in a directory survives a power cut."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
