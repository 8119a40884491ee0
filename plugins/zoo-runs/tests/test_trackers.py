"""Trackers: each writes what other programs read, and goes on where a run resumes."""

import csv
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from zoo_core.contracts.spec import Progress
from zoo_core.errors import UsageError, ZooError
from zoo_core.host.plugins import host
from zoo_runs.services import _noted
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


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Services that keep all to the folder of the test."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")


def served(name: str, run: Path, done: int) -> None:
    """A run that logs one step with samples, after ``done`` earlier ones, and ends."""
    (run / "log").mkdir(exist_ok=True)
    sheet = run / f"{done + 10:06d}.png"
    Image.new("RGB", (12, 8), (200, 0, 0)).save(sheet)
    tracker: RunEvents = host().load("tracker", name)()
    tracker.started(run, {"method": "cyclegan", "options": {"lr": 0.5}}, Progress(done, 100))
    now = Progress(done + 10, 100)
    tracker.step_done(run, now, {"loss/generator/a->b": done / 100})
    tracker.sampled(run, now, SimpleNamespace(sheet=sheet))
    tracker.closed(run)
    tracker.finished(run, run / "model")


@pytest.mark.usefixtures("offline")
@pytest.mark.filterwarnings("default")  # of the package
def test_mlflow_has_parameters_values_and_samples_of_one_run(tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    for done in (0, 10):
        served("mlflow", tmp_path, done)
    client = mlflow.MlflowClient((tmp_path / "log" / "mlruns").as_uri())
    (run,) = client.search_runs([client.get_experiment_by_name("zoo").experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params == {"method": "cyclegan", "options.lr": "0.5"}
    history = client.get_metric_history(run.info.run_id, "loss/generator/a--b")
    assert [(each.step, each.value) for each in history] == [(10, 0.0), (20, 0.1)]
    samples = client.list_artifacts(run.info.run_id, "samples")
    assert [each.path for each in samples] == ["samples/000010.png", "samples/000020.png"]


@pytest.mark.usefixtures("offline")
@pytest.mark.filterwarnings("default")  # of the package
def test_wandb_has_values_and_samples_of_one_run(tmp_path: Path) -> None:
    wandb = pytest.importorskip("wandb", reason="wandb is not installed")
    for done in (0, 10):
        served("wandb", tmp_path, done)
    wandb.teardown()  # its own process may still be writing what it was handed
    files = list((tmp_path / "log" / "wandb").glob("offline-run-*/run-*.wandb"))
    assert len(files) == 2
    assert len({file.name for file in files}) == 1  # the second goes on with the first
    assert all(b"loss/generator/a->b" in file.read_bytes() for file in files)
    assert all(list(file.parent.glob("files/media/images/samples*.png")) for file in files)


@pytest.mark.usefixtures("offline")
@pytest.mark.filterwarnings("default")  # of the package
@pytest.mark.parametrize("elsewhere", ["file://{elsewhere}", "{elsewhere}", "http://127.0.0.1:9/x"])
def test_a_store_of_others_that_leads_elsewhere_is_refused(elsewhere: str, tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    run = tmp_path / "run"
    run.mkdir()
    served("mlflow", run, 0)
    (tmp_path / "elsewhere").mkdir()
    place = elsewhere.format(elsewhere=tmp_path / "elsewhere")
    for meta in (run / "log" / "mlruns").glob("*/*/meta.yaml"):
        lines = meta.read_text().splitlines()
        lines = [f"artifact_uri: {place}" if "artifact_uri" in line else line for line in lines]
        meta.write_text("\n".join(lines))
    with pytest.raises(ZooError) as caught:
        served("mlflow", run, 10)
    assert caught.value.asked == "tracker mlflow"
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("text", ["../../x", "a" * 100, "\x1b[2J", "a/b", ""])
def test_a_number_that_services_do_not_give_is_not_taken(text: str, tmp_path: Path) -> None:
    (tmp_path / "wandb-run.txt").write_text(text)
    assert _noted(tmp_path / "wandb-run.txt") is None


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_tracker_whose_package_is_absent_names_the_extra(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError) as caught:
        Listeners([name])
    assert caught.value.asked == f"tracker {name}"
    assert caught.value.hint == f'Install it: pip install "zoo-runs[{name}]".'


@pytest.mark.parametrize("variable", ["WANDB_API_KEY", "AWS_SECRET_ACCESS_KEY", "MY_TOKEN"])
def test_a_service_that_quotes_a_secret_is_not_quoted(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "0123456789abcdef")

    def log(values: object) -> None:
        raise ValueError("key 0123456789abcdef is refused by https://me:word@example.org.")

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace())
    tracker = host().load("tracker", "wandb")()
    tracker.run = SimpleNamespace(log=log)
    with pytest.raises(ZooError) as caught:
        tracker.step_done(Path(), Progress(1, 2), {})
    assert caught.value.problem == "key … is refused by https://…example.org"
