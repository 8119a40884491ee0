"""What a resumed run may change: learning rates and the batch, noted in the run and on its card."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import zoo
from zoo_core.cli import run
from zoo_core.errors import UsageError
from zoo_core.schema import plain
from zoo_testing.small_runs import train_small
from zoo_train.checkpoint import Checkpoints
from zoo_train.config import RunConfig
from zoo_train.directory import load_config
from zoo_train.request import with_settings

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def train(pictures: Path, tmp_path: Path) -> Callable[..., Path]:
    """Trains into the directory of a name, two steps unless it is told otherwise."""

    def train(name: str, **more: Any) -> Path:
        settings = {"train.checkpoint_every": 2} | more.pop("settings", {})
        return train_small(tmp_path / name, pictures, settings=settings, **more)

    return train


def test_a_changed_learning_rate_decides_the_steps_that_follow(
    train: Callable[..., Path],
) -> None:
    out = train("run")
    zoo.train(out=out, resume=True, steps=3, settings={"lr": 0.0}, quiet=True)
    checkpoints = Checkpoints(out / "checkpoint")
    before, after = checkpoints.load(2), checkpoints.load(3)
    assert before
    assert after
    for name, value in before["nets"].items():
        assert torch.equal(after["nets"][name], value), name


def test_changes_are_noted_with_their_step_in_the_run_and_on_the_card(
    train: Callable[..., Path],
) -> None:
    out = train("run")
    words = ["--set", "lr=1e-4", "--set", "train.accumulate=2", "--quiet"]
    assert run(["train", "--resume", str(out), "--steps", "4", *words]) == 0
    zoo.train(out=out, resume=True, steps=5, settings={"train.batch": 4}, quiet=True)
    noted = [
        {"step": 2, "setting": "options.lr", "before": 0.0003, "after": 0.0001},
        {"step": 2, "setting": "train.accumulate", "before": 1, "after": 2},
        {"step": 4, "setting": "train.batch", "before": 2, "after": 4},
    ]
    assert yaml.safe_load((out / "config.yaml").read_text())["changes"] == noted
    assert zoo.load(out, device="cpu", precision="float32").config.training["changes"] == noted
    card = (out / "model" / "README.md").read_text()
    assert "after step 2, options.lr is 0.0001 (before: 0.0003)" in card
    assert "after step 4, train.batch is 4 (before: 2)" in card


def test_the_whole_request_may_change_them_too(train: Callable[..., Path]) -> None:
    train("run")
    out = train("run", steps=3, settings={"lr": 1e-4}, resume=True)
    assert [str(change) for change in load_config(out).changes] == [
        "after step 2, options.lr is 0.0001 (before: 0.0003)"
    ]


def test_a_run_that_begins_anew_has_no_changes(train: Callable[..., Path]) -> None:
    out = train("run")
    zoo.train(out=out, resume=True, settings={"lr": 1e-4}, restart=True, quiet=True)
    assert load_config(out).changes == ()
    assert load_config(out).options["lr"] == 1e-4


@pytest.mark.parametrize("setting", ["cycle", "train.seed", "train.flip", "signal.size"])
def test_other_settings_are_refused(setting: str) -> None:
    with pytest.raises(UsageError) as caught:
        with_settings(RunConfig("cyclegan"), {setting: 1})
    assert caught.value.asked == f"{setting} on resuming"


@pytest.mark.parametrize(
    ("setting", "value"), [("lr", 1e-4), ("train.batch", 8), ("train.log_every", 7)]
)
def test_these_settings_may_change(setting: str, value: float) -> None:
    group, _, name = setting.rpartition(".")
    config = plain(with_settings(RunConfig("cyclegan"), {setting: value}))
    assert config[group or "options"][name] == value
