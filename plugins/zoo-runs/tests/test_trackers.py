"""Trackers: each writes a file that other programs read, and goes on where a run resumes."""

import csv
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from zoo_core.contracts.spec import Progress
from zoo_core.errors import UsageError
from zoo_core.host.plugins import host
from zoo_train.events import Listeners, RunEvents


def tracked(name: str, run: Path, *steps: int, done: int = 0) -> None:
    """A run that logs at some steps, after ``done`` earlier ones."""
    tracker: RunEvents = host().load("tracker", name)()
    tracker.started(run, {}, Progress(done, 100))
    for step in steps:
        tracker.step_done(run, Progress(step, 100), {"loss/cycle": step / 100, "lr": 0.5})
    tracker.closed(run)


def test_tensorboard_reads_the_values_of_each_step(tmp_path: Path) -> None:
    tracked("tensorboard", tmp_path, 10, 20, 30)
    tracked("tensorboard", tmp_path, 30, 40, done=20)
    events = EventAccumulator(str(tmp_path / "log"))
    events.Reload()
    found = [(event.step, round(event.value, 6)) for event in events.Scalars("loss/cycle")]
    assert found == [(10, 0.1), (20, 0.2), (30, 0.3), (40, 0.4)]


def test_tensorboard_shows_the_samples(tmp_path: Path) -> None:
    sheet = tmp_path / "000010.png"
    Image.new("RGB", (12, 8), (200, 0, 0)).save(sheet)
    tracker = host().load("tracker", "tensorboard")()
    tracker.started(tmp_path, {}, Progress(0, 100))
    tracker.sampled(tmp_path, Progress(10, 100), SimpleNamespace(sheet=sheet))
    tracker.closed(tmp_path)
    events = EventAccumulator(str(tmp_path / "log"))
    events.Reload()
    (shown,) = events.Images("samples")
    assert (shown.step, shown.width, shown.height) == (10, 12, 8)


def test_csv_has_a_row_for_each_value(tmp_path: Path) -> None:
    tracked("csv", tmp_path, 10, 20, 30)
    path = tmp_path / "log" / "stats.csv"
    path.write_text(path.read_text() + "4")  # torn by a kill
    tracked("csv", tmp_path, 30, done=20)
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["step", "name", "value"]
    assert rows[1:] == [
        [str(step), name, value]
        for step in (10, 20, 30)
        for name, value in (("loss/cycle", str(step / 100)), ("lr", "0.5"))
    ]


def test_tensorboard_is_the_tracker_of_a_run_that_asks_for_none() -> None:
    labels = set(Listeners()._listeners)
    assert "tracker tensorboard" in labels
    assert "tracker csv" not in labels
    assert "tracker tensorboard" not in set(Listeners(["csv"])._listeners)


def test_an_unknown_tracker_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        Listeners(["tensorbord"])
    assert caught.value.asked == 'tracker "tensorbord"'
