"""Trackers: files in which other programs read how a run goes."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from zoo_core.contracts.spec import Progress
from zoo_core.errors import UsageError
from zoo_core.files import replacing
from zoo_train.events import RunEvents, Sampled


class TensorBoard(RunEvents):
    """TensorBoard's event files in ``RUN/log``; none where the run's name is no UTF-8."""

    writer: SummaryWriter | None = None

    def started(self, directory: Path, config: Mapping[str, object], progress: Progress) -> None:
        """Begins a file; on resuming, TensorBoard drops what earlier files hold of later steps."""
        done = progress.step
        if str(directory) != str(directory).encode(errors="replace").decode():
            raise UsageError(
                "TensorBoard writes only where the folder's name is UTF-8",
                asked=f"tracker tensorboard in {directory}",
                hint="log/stats.jsonl has the same values.",
            )
        self.writer = SummaryWriter(str(directory / "log"), purge_step=done + 1 if done else None)

    def step_done(self, directory: Path, progress: Progress, values: Mapping[str, float]) -> None:
        """Writes the values of a logged step."""
        if self.writer is not None:
            for name, value in values.items():
                self.writer.add_scalar(name, value, progress.step)

    def sampled(self, directory: Path, progress: Progress, sampled: Sampled) -> Iterable[str]:
        """Shows the sheet of samples, where it is a picture."""
        if self.writer is not None and sampled.sheet.is_file():
            with Image.open(sampled.sheet, formats=["PNG"]) as sheet:
                pixels = np.asarray(sheet.convert("RGB"))  # (H, W, 3)
            self.writer.add_image("samples", pixels, progress.step, dataformats="HWC")
        return ()

    def closed(self, directory: Path) -> None:
        """Ends the file."""
        if self.writer is not None:
            self.writer.close()


class Csv(RunEvents):
    """``RUN/log/stats.csv``: a row ``step,name,value`` for each value of a logged step."""

    def started(self, directory: Path, config: Mapping[str, object], progress: Progress) -> None:
        """Begins the file, or goes on after the steps that are done."""
        path = directory / "log" / "stats.csv"
        rows = _rows(path, progress.step)
        with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("step", "name", "value"), *rows])
        self.file = path.open("a", newline="", encoding="utf-8")

    def step_done(self, directory: Path, progress: Progress, values: Mapping[str, float]) -> None:
        """Writes the values of a logged step."""
        csv.writer(self.file).writerows((progress.step, *item) for item in values.items())
        self.file.flush()

    def closed(self, directory: Path) -> None:
        """Ends the file."""
        self.file.close()


def _rows(path: Path, done: int) -> list[list[str]]:
    """The rows of a file up to a step; a row that a killed run left torn is passed over."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        rows = [row for row in csv.reader(file) if len(row) == 3]
    return [row for row in rows if row[0].isdigit() and int(row[0]) <= done]
