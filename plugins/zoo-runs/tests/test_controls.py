"""Controls of a run: one that ends it early leaves a model, and the run can go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

import zoo
from zoo_core.contracts.component import Component
from zoo_core.errors import UsageError
from zoo_core.host.plugins import host
from zoo_runs.time_limit import TimeLimit, seconds
from zoo_testing.small_runs import train_small
from zoo_train.command import train as command
from zoo_train.controls import Moment, RunControl


class Ender(RunControl):
    """Ends a run after a step, and notes a value in each."""

    def __init__(self, after: int) -> None:
        self.after = after

    def stepped(self, moment: Moment) -> str | None:
        moment.record({"validation/made-up": float(moment.progress.step)})
        return "enough" if moment.progress.step >= self.after else None


@pytest.fixture
def ender(monkeypatch: pytest.MonkeyPatch) -> None:
    component = Component("run-control", "ender", f"{__name__}:Ender", "Ends a run")
    monkeypatch.setitem(host()._tables["run-control"], "ender", component)


def run(out: Path, pictures: Path, controls: Mapping[str, str], steps: int = 8) -> Path:
    settings = {"train.log_every": 2}
    train_small(out, pictures, settings=settings, controls=controls, steps=steps)
    return out / "model"


def lines(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "log" / "stats.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.usefixtures("ender")
def test_a_run_that_a_control_ends_has_a_model_and_goes_on(pictures: Path, tmp_path: Path) -> None:
    model = run(tmp_path / "run", pictures, {"ender": "3"})
    assert zoo.load(model, device="cpu", precision="float32").config.training["steps"] == 3
    assert [line["step"] for line in lines(tmp_path / "run")] == [1, 2, 3]

    zoo.train(out=tmp_path / "run", resume=True, controls={"ender": "9"}, quiet=True)
    whole = run(tmp_path / "whole", pictures, {})
    for name in ("model.safetensors",):
        assert (model / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.slow
@pytest.mark.usefixtures("ender")
def test_what_a_control_notes_stands_beside_the_losses(pictures: Path, tmp_path: Path) -> None:
    run(tmp_path / "run", pictures, {"ender": "9"}, steps=2)
    first, second = lines(tmp_path / "run")
    assert first == {"step": 1, "validation/made-up": 1.0}
    assert second["validation/made-up"] == 2.0
    assert "loss/generator/cycle_dark" in second


@pytest.mark.parametrize(
    ("text", "found"), [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("2h", 7200)]
)
def test_times_are_read(text: str, found: int) -> None:
    assert seconds(text) == found


@pytest.mark.parametrize("text", ["", "0s", "soon", "30", "-5m"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        TimeLimit(text)
    assert caught.value.asked == f"--time {text}"


def test_an_unknown_option_of_a_control_is_refused_before_anything_is_opened(
    tmp_path: Path,
) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(UsageError) as caught:
        zoo.train(
            "cyclegan",
            domains={"a": tmp_path / "a", "b": tmp_path / "a"},
            controls={"time": "limits=30m"},
            out=tmp_path / "run",
            quiet=True,
        )
    assert "limits" in caught.value.asked


def test_each_control_is_an_option_of_the_command() -> None:
    text = CliRunner().invoke(command, ["--help"]).output
    controls = host().components("run-control")
    assert controls
    assert all(f"--{name}" in text for name in controls)
