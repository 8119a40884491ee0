"""A run that is killed, stopped or out of disk goes on to the bits of an uninterrupted one."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from zoo_core.contracts.component import Component
from zoo_core.contracts.spec import Progress
from zoo_core.errors import TrainingError
from zoo_core.host.plugins import PluginHost, host
from zoo_train.checkpoint import Checkpoints
from zoo_train.config import RunConfig
from zoo_train.directory import save_config
from zoo_train.events import RunEvents
from zoo_train.guard import StoppedError
from zoo_train.request import resolve
from zoo_train.start import resume_run, train_run

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = {
    "cyclegan": {"width": 4, "blocks": 1, "critic_width": 4, "critic_layers": 1, "pool": 6},
    "stargan": {"width": 4, "blocks": 1, "critic_width": 4, "critic_layers": 3},
}
STEPS = 30


def config(method: str, pictures: Path, steps: int = STEPS, **train: object) -> RunConfig:
    loop = {"batch": 2, "steps": steps, "precision": "float32", "flip": True, "ema": 0.9, **train}
    loop |= {"checkpoint_every": 5, "log_every": 5, "sample_every": 1000}
    domains = {name: str(pictures / name) for name in ("dark", "light")}
    settings = {**SMALL[method], **{f"train.{key}": value for key, value in loop.items()}}
    return resolve(
        method=method,
        preset="32px",
        size=16,
        settings=settings,
        domains=domains,
        device="cpu",
    )


def weights(run: Path) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


def logged(run: Path) -> list[int]:
    lines = (run / "log" / "stats.jsonl").read_text().splitlines()
    return [json.loads(line)["step"] for line in lines]


def killed(run: Path, settings: RunConfig, after: int) -> None:
    """Starts a run in a process of its own and kills it once it has a checkpoint."""
    file = run.with_suffix(".yaml")
    file.write_text(settings.to_yaml())
    code = "import sys; from zoo_core.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "train", settings.method, "--config", str(file)]
    process = subprocess.Popen(
        [*command, "--out", str(run)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 240
    while not Checkpoints(run / "checkpoint").steps()[-1:] >= [after]:
        assert process.poll() is None, process.stderr and process.stderr.read().decode()
        assert time.monotonic() < deadline, "the run wrote no checkpoint"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.communicate()


@pytest.mark.numeric
@pytest.mark.slow
@pytest.mark.parametrize("method", SMALL)
def test_a_killed_run_resumes_to_the_same_bytes(
    method: str, pictures: Path, tmp_path: Path
) -> None:
    settings = config(method, pictures)
    train_run(settings, tmp_path / "straight", quiet=True)
    killed(tmp_path / "killed", settings, after=10)
    assert not (tmp_path / "killed" / "model").exists()
    at = Checkpoints(tmp_path / "killed" / "checkpoint").steps()[-1]
    assert 10 <= at < STEPS
    resume_run(tmp_path / "killed", quiet=True)
    assert weights(tmp_path / "killed") == weights(tmp_path / "straight")
    assert logged(tmp_path / "killed") == logged(tmp_path / "straight")
    for name in ("training.safetensors", "golden.safetensors"):
        mine, theirs = (tmp_path / run / "model" / name for run in ("killed", "straight"))
        assert mine.read_bytes() == theirs.read_bytes(), name


def test_the_pool_is_full_before_the_kill_and_part_of_the_checkpoint(
    pictures: Path, tmp_path: Path
) -> None:
    train_run(config("cyclegan", pictures, steps=10), tmp_path / "run", quiet=True)
    state = Checkpoints(tmp_path / "run" / "checkpoint").load()
    assert state is not None
    pools = [v for term in state["losses"][0].values() for k, v in term.items() if "images" in k]
    assert [len(pool) for pool in pools if pool.numel()] == [6, 6]


class Signals(RunEvents):
    """A plugin that has this process handle a signal at a step, as if the system had sent it.

    `test_training_safety` sends real ones, to processes of its own: one that went astray would end
    the process of the tests.
    """

    def __init__(self, number: int, step: int) -> None:
        self.number, self.step = number, step

    def step_done(self, directory: Path, progress: Progress, values: Mapping[str, float]) -> None:
        if progress.step == self.step:
            handler = signal.getsignal(self.number)
            assert callable(handler)
            handler(self.number, None)


class Watches(RunEvents):
    """A plugin that notes a run's events, and fails in one."""

    def __init__(self) -> None:
        self.events: list[tuple[str, object]] = []

    def started(self, directory: Path, config: Mapping[str, object], progress: Progress) -> None:
        self.events.append(("started", config["method"]))
        raise ValueError("a fault of the plugin")

    def step_done(self, directory: Path, progress: Progress, values: Mapping[str, float]) -> None:
        self.events.append(("step", progress.step))
        assert values["images_per_second"] > 0

    def finished(self, directory: Path, model: Path) -> None:
        self.events.append(("finished", model.name))

    def closed(self, directory: Path) -> None:
        self.events.append(("closed", directory.name))


@contextmanager
def hearing(monkeypatch: pytest.MonkeyPatch, listener: RunEvents) -> Iterator[None]:
    """Within the block, an object hears of the runs of this process."""
    load = PluginHost.load
    known = host()
    spec = Component("run-events", "watcher", "made:here")
    with monkeypatch.context() as patch:
        patch.setitem(known._tables["run-events"], "watcher", spec)
        patch.setattr(
            PluginHost,
            "load",
            lambda self, kind, name: (
                (lambda: listener) if name == "watcher" else load(self, kind, name)
            ),
        )
        yield


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_after_a_checkpoint_and_the_run_resumes(
    number: signal.Signals, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config("stargan", pictures, steps=20)
    train_run(settings, tmp_path / "straight", quiet=True)
    with (
        hearing(monkeypatch, Signals(number, step=5)),
        pytest.raises(StoppedError) as caught,
    ):
        train_run(settings, tmp_path / "stopped", quiet=True)
    assert "--resume" in (caught.value.hint or "")
    assert caught.value.exit_code == 128 + number
    assert Checkpoints(tmp_path / "stopped" / "checkpoint").steps() == [5]
    train_run(settings, tmp_path / "stopped", resume=True, quiet=True)
    assert weights(tmp_path / "stopped") == weights(tmp_path / "straight")


def test_plugins_hear_of_a_run_and_their_faults_end_nothing(
    pictures: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plugin = Watches()
    with hearing(monkeypatch, plugin):
        train_run(config("stargan", pictures, steps=10), tmp_path / "run")
    assert plugin.events == [
        ("started", "stargan"),
        ("step", 5),
        ("step", 10),
        ("closed", "run"),
        ("finished", "model"),
    ]
    assert "run-events watcher failed in started: ValueError" in capsys.readouterr().out


@pytest.mark.slow
def test_a_full_disk_stops_with_a_message_and_the_run_resumes(
    pictures: Path, tmp_path: Path
) -> None:
    settings = config("stargan", pictures, steps=20)
    train_run(settings, tmp_path / "straight", quiet=True)
    run = tmp_path / "full"
    train_run(config("stargan", pictures, steps=10), run, quiet=True)
    shutil.rmtree(run / "model")
    save_config(settings, run)  # as if the run of 20 steps had come to step 10
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(TrainingError) as caught:
            resume_run(run, quiet=True)
        assert caught.value.asked.startswith("checkpoint of step")
        assert "intact" in caught.value.problem
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert Checkpoints(run / "checkpoint").load() is not None
    resume_run(run, quiet=True)
    assert (run / "model" / "model.safetensors").is_file()


@pytest.mark.slow
def test_a_damaged_newest_checkpoint_costs_only_its_steps(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = config("cyclegan", pictures, steps=20)
    run = tmp_path / "run"
    train_run(settings, run, quiet=True)
    expected = weights(run)
    shutil.rmtree(run / "model")
    newest = Checkpoints(run / "checkpoint").path(20)
    newest.write_bytes(newest.read_bytes()[:-500])
    train_run(settings, run, resume=True)
    said = capsys.readouterr().out
    assert "is damaged" in said
    assert "resumed after step 15" in said
    assert weights(run) == expected


def test_a_loss_that_diverges_keeps_the_last_good_checkpoint(
    pictures: Path, tmp_path: Path
) -> None:
    settings = config("cyclegan", pictures, steps=20)
    settings.options["lr"] = 1e30
    with pytest.raises(TrainingError) as caught:
        train_run(settings, tmp_path / "run", quiet=True)
    assert re.search(r'player "\w+" at step \d+$', caught.value.asked)
    assert caught.value.problem in ("it is nan", "it is inf")
    assert not (tmp_path / "run" / "model").exists()
    for step in Checkpoints(tmp_path / "run" / "checkpoint").steps():
        nets = torch.load(
            Checkpoints(tmp_path / "run" / "checkpoint").path(step), weights_only=True
        )["nets"]
        assert all(torch.isfinite(value).all() for value in nets.values())


def test_snapshots_are_models_and_leave_the_run_as_it_would_be(
    pictures: Path, tmp_path: Path
) -> None:
    plain, kept = tmp_path / "plain", tmp_path / "kept"
    train_run(config("cyclegan", pictures, 6), plain, quiet=True)
    train_run(config("cyclegan", pictures, 6, snapshot_every=2), kept, quiet=True)
    assert weights(kept) == weights(plain)
    assert sorted(path.name for path in (kept / "snapshots").iterdir()) == ["000002", "000004"]
    for step in (2, 4):
        model = kept / "snapshots" / f"{step:06d}"
        assert f"steps: {step}" in (model / "config.yaml").read_text()
        assert (model / "model.safetensors").read_bytes() != weights(kept)
