"""The working folder of a benchmark: judges, decoded data, runs and finished cells."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from zoo_core.errors import DataError
from zoo_evaluate.report import write_text


class WorkDir:
    """A working folder, which several processes may share.

    Args:
        path: Where it is; made when something is first written.
        judges: Where its judges are, or are put when they are trained; None: in it.
    """

    def __init__(self, path: Path, judges: Path | None = None) -> None:
        self.path = path = path.absolute()  # options of a run may name a judge in it
        self.judges, self.data = (judges or path / "judges").absolute(), path / "data"
        self.runs, self.cells, self.faults = path / "runs", path / "cells", path / "faults"

    def done(self, name: str) -> bool:
        """Whether a cell is finished."""
        return (self.cells / f"{name}.json").is_file()

    def write_cell(self, name: str, values: Mapping[str, Any]) -> None:
        """Keeps a finished cell, whole or not at all."""
        write_text(self.cells / f"{name}.json", json.dumps(values, indent=2, allow_nan=False))

    def read_cells(self) -> list[dict[str, Any]]:
        """All finished cells, whoever finished them, by name.

        Raises:
            DataError: If one of them is damaged.
        """
        cells = []
        for path in sorted(self.cells.glob("*.json")):
            try:
                values = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise DataError(
                    f"it is no JSON ({error})",
                    asked=f"cell {path}",
                    hint="Remove the file; the cell is then measured again.",
                ) from error
            cells.append({**values, "file": path.stem})
        return cells

    def fault(self, name: str, text: str | None) -> Path:
        """Keeps what made a cell fail, or forgets it."""
        path = self.faults / f"{name}.txt"
        if text is None:
            path.unlink(missing_ok=True)
        else:
            write_text(path, text)
        return path

    @contextmanager
    def locked(self, name: str, *, wait: bool) -> Iterator[bool]:
        """Whether this process has something to itself, within the block.

        Args:
            name: What is locked.
            wait: Whether to wait for another process to end with it.
        """
        locks = self.path / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        lock = FileLock(locks / f"{name}.lock", timeout=-1 if wait else 0)
        try:
            lock.acquire()
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()
