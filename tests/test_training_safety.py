"""What a run refuses, what it cleans up, and how it ends when it is asked to."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from zoo_core.errors import DataError, TrainingError, UsageError, ZooError
from zoo_train.checkpoint import Checkpoints
from zoo_train.config import RunConfig
from zoo_train.directory import CONFIG, LOCK, PROGRESS, WRITER, sole_writer
from zoo_train.request import resolve
from zoo_train.start import resume_run, train_run

SMALL = {"width": 4, "blocks": 1, "critic_width": 4, "critic_layers": 3}
CODE = "import sys; from zoo_core.cli import main; main(sys.argv[1:])"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    root = tmp_path / "pictures"
    rng = np.random.default_rng(0)
    for name, base in (("dark", 20), ("light", 150)):
        (root / name).mkdir(parents=True)
        for index in range(6):
            draw(root / name / f"{index}.png", rng, base)
    return root


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def draw(path: Path, rng: np.random.Generator, base: int = 50) -> None:
    pixels = rng.integers(0, 100, (16, 16, 3), dtype=np.uint8) + base
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def config(pictures: Path, steps: int = 4, processes: int = 1, **train: object) -> RunConfig:
    loop = {"batch": 2, "steps": steps, "precision": "float32", "sample_every": 1000, **train}
    return resolve(
        method="stargan",
        preset="32px",
        size=16,
        settings={**SMALL, **{f"train.{key}": value for key, value in loop.items()}},
        domains={name: str(pictures / name) for name in ("dark", "light")},
        device="cpu",
        processes=processes,
    )


def started(settings: RunConfig, run: Path, *more: str) -> subprocess.Popen[str]:
    """``zoo train`` in a process of its own."""
    file = run.with_name(f"{run.name}-{settings.train.seed}.yaml")
    file.write_text(settings.to_yaml())
    command = [sys.executable, "-c", CODE, "train", settings.method, "--config", str(file)]
    return subprocess.Popen(
        [*command, "--out", str(run), *more],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(process: subprocess.Popen[str], there: Path) -> None:
    deadline = time.monotonic() + 240
    while not there.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, f"no {there}"
        time.sleep(0.02)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_second_writer_is_told_who_holds_the_run(pictures: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = started(config(pictures, steps=100_000, log_every=1), run)
    try:
        wait_until(process, run / "log" / "stats.jsonl")
        before = (run / CONFIG).read_bytes()
        for resume in (False, True):
            with pytest.raises(ZooError):
                train_run(config(pictures, steps=3), run, resume=resume, quiet=True)
        with pytest.raises(TrainingError) as caught:
            resume_run(run, steps=200_000, quiet=True)
        assert caught.value.asked == f"run {run}"
        assert f"process {process.pid} on " in caught.value.problem
        assert " since 20" in caught.value.problem
        assert (run / CONFIG).read_bytes() == before
    finally:
        process.kill()
        process.communicate()
    with sole_writer(run):
        pass  # the system has let go of what a killed process held


def test_of_two_that_start_at_once_one_trains(pictures: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    both = [started(config(pictures, seed=seed), run) for seed in (1, 2)]
    ends = [process.communicate() and process.returncode for process in both]
    assert sorted(code == 0 for code in ends) == [False, True]
    seed = (1, 2)[ends.index(0)]
    assert RunConfig.read(run / CONFIG).train.seed == seed
    recorded = yaml.safe_load((run / "model" / "config.yaml").read_text())
    assert recorded["training"]["seed"] == seed


def test_fewer_steps_than_are_done_are_refused_and_nothing_is_rewritten(
    pictures: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    train_run(config(pictures), run, quiet=True)
    before = {name: (run / name).read_bytes() for name in files(run)}
    with pytest.raises(UsageError) as caught:
        resume_run(run, steps=3, quiet=True)
    assert caught.value.asked == "--steps 3"
    assert {name: (run / name).read_bytes() for name in files(run)} == before


@pytest.mark.parametrize("gone", ["files", "folder"])
def test_a_run_whose_checkpoints_are_gone_starts_anew_only_when_told_to(
    gone: str, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    train_run(config(pictures), run, quiet=True)
    expected = (run / "model" / "model.safetensors").read_bytes()
    shutil.rmtree(run / "checkpoint")
    if gone == "files":
        (run / "checkpoint").mkdir()
    with pytest.raises(TrainingError) as caught:
        resume_run(run, quiet=True)
    assert caught.value.asked == f"run {run}"
    assert "4 steps were done" in caught.value.problem
    resume_run(run, restart=True)
    assert "4 of 4 steps to go" in capsys.readouterr().out
    assert (run / "model" / "model.safetensors").read_bytes() == expected


def test_a_run_that_had_no_checkpoint_yet_simply_begins(pictures: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = started(config(pictures, steps=100_000, log_every=1), run)
    wait_until(process, run / "log" / "stats.jsonl")
    process.kill()
    process.communicate()
    resume_run(run, steps=2, quiet=True)
    assert Checkpoints(run / "checkpoint").steps() == [2]


def change(pictures: Path, how: str) -> None:
    if how == "more":
        draw(pictures / "dark" / "new.png", np.random.default_rng(1))
    elif how == "fewer":
        (pictures / "dark" / "0.png").unlink()
    elif how == "renamed":
        (pictures / "dark" / "0.png").rename(pictures / "dark" / "00.png")
    else:
        draw(pictures / "dark" / "0.png", np.random.default_rng(2))


@pytest.mark.parametrize("how", ["more", "fewer", "renamed", "repainted"])
def test_changed_data_are_noticed_and_named(how: str, pictures: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_run(config(pictures), run, quiet=True)
    change(pictures, how)
    with pytest.raises(TrainingError) as caught:
        resume_run(run, steps=6, quiet=True)
    assert "dark" in caught.value.problem
    assert "light" not in caught.value.problem
    assert RunConfig.read(run / CONFIG).train.steps == 4


def test_data_that_were_moved_are_the_same_data(pictures: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_run(config(pictures), run, quiet=True)
    moved = pictures.rename(tmp_path / "elsewhere")
    train_run(config(moved, steps=6), run, resume=True, quiet=True)
    assert Checkpoints(run / "checkpoint").steps()[-1] == 6


def test_an_edited_configuration_is_noticed_and_named(pictures: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_run(config(pictures), run, quiet=True)
    settings = RunConfig.read(run / CONFIG)
    edited = replace(settings, options={**settings.options, "cycle": 0.5})
    (run / CONFIG).write_text(edited.to_yaml())
    with pytest.raises(TrainingError) as caught:
        resume_run(run, steps=6, quiet=True)
    assert "options.cycle" in caught.value.problem


@pytest.mark.parametrize("made", [True, False])
def test_a_failed_start_leaves_nothing(made: bool, pictures: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    if made:
        run.mkdir()
    for name in ("0", "1", "2", "3", "4", "5"):
        (pictures / "light" / f"{name}.png").write_bytes(b"no picture")
    with pytest.raises(DataError):
        train_run(config(pictures), run, quiet=True)
    assert run.exists() == made
    assert not made or not any(run.iterdir())


def test_what_killed_writers_left_is_removed(pictures: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_run(config(pictures, steps=2), run, quiet=True)
    (run / "checkpoint" / ".zoo-7-abc.part").write_bytes(b"half")
    (run / ".stats.part").write_bytes(b"half")
    (run / ".model.new-x").mkdir()
    (run / ".model.new-x" / "model.safetensors").write_bytes(b"half")
    (run / WRITER).write_text("{")
    resume_run(run, steps=3, quiet=True)
    assert not [name for name in files(run) if ".part" in name or ".new-" in name]
    assert not (run / WRITER).exists()


def test_a_resumed_run_has_the_losses_of_an_uninterrupted_one_on_its_card(
    pictures: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    model = train_run(config(pictures, 9, log_every=6, checkpoint_every=4), run, quiet=True)
    straight = yaml.safe_load((model / "config.yaml").read_text())["training"]
    Checkpoints(run / "checkpoint").path(9).unlink()
    shutil.rmtree(model)
    resume_run(run, quiet=True)  # from step 8 on, where the last line is of steps 7 to 9
    resumed = yaml.safe_load((model / "config.yaml").read_text())["training"]
    assert resumed == straight
    assert straight["losses"]


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_saves_and_ends_with_its_own_code(
    name: str, processes: int, pictures: Path, tmp_path: Path
) -> None:
    run, number = tmp_path / "run", getattr(signal, name)
    before = set(Path(tempfile.gettempdir()).glob("zoo-train-*"))
    process = started(config(pictures, 100_000, processes, log_every=10), run)
    wait_until(process, run / "log" / "stats.jsonl")
    while not (run / "log" / "stats.jsonl").read_text():
        time.sleep(0.02)
    process.send_signal(number)
    error = process.communicate(timeout=120)[1]
    assert process.returncode == 128 + number, error
    assert f"stopped by {name} after step" in error
    assert "Traceback" not in error
    (step,) = Checkpoints(run / "checkpoint").steps()
    assert step == json.loads((run / PROGRESS).read_text())["steps"]
    assert set(Path(tempfile.gettempdir()).glob("zoo-train-*")) <= before
    model = resume_run(run, steps=step, processes=1, quiet=True)
    assert (model / "model.safetensors").is_file()


def test_an_ignored_signal_stays_ignored(pictures: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        process = started(config(pictures, 100_000, log_every=1), run)
    finally:
        signal.signal(signal.SIGHUP, before)
    wait_until(process, run / "log" / "stats.jsonl")
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None
    process.terminate()
    assert process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM


def test_the_first_line_and_the_first_step_are_told_without_a_terminal(
    pictures: Path, tmp_path: Path
) -> None:
    process = started(config(pictures, 3), tmp_path / "run", "--threads", "1")
    out = process.communicate()[0].splitlines()
    assert process.returncode == 0
    assert any("3 of 3 steps to go" in line and "1 thread" in line for line in out)
    assert "step 1/3" in out


def test_the_lock_file_alone_makes_no_directory_taken(pictures: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / LOCK).touch()
    assert train_run(config(pictures, 1), run, quiet=True).is_dir()
