"""Sweeps: what may vary, trials that are watched and stopped, and the best of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from click.testing import CliRunner

from zoo_core.errors import TrainingError, UsageError
from zoo_runs.sweep.command import _higher_is_better, sweep
from zoo_runs.sweep.spaces import Space, parse_spaces
from zoo_runs.sweep.trial import Outcome, figures, run_trial

SMALL = ["--set", "blocks=1", "--set", "critic_width=4", "--set", "critic_layers=1", "--batch", "2",
         "--size", "16", "--preset", "32px", "--precision", "float32", "--device", "cpu",
         "--set", "train.hold_out=0.5", "--threads", "1"]  # fmt: skip


def training(pictures: Path, *more: str) -> list[str]:
    domains = [part for name in ("dark", "light")
               for part in ("--domain", f"{name}={pictures / name}")]  # fmt: skip
    return ["cyclegan", *domains, *SMALL, *more]


@pytest.mark.parametrize(
    ("text", "space"),
    [
        ("lr=1e-4..1e-2:log", Space("lr", low=1e-4, high=1e-2, log=True)),
        ("train.batch=4..16", Space("train.batch", low=4, high=16, whole=True)),
        ("identity=0,0.5,1", Space("identity", ("0", "0.5", "1"))),
    ],
)
def test_spaces_are_read(text: str, space: Space) -> None:
    assert parse_spaces([text]) == [space]


@pytest.mark.parametrize("text", ["lr", "lr=", "lr=3", "lr=2..1", "lr=0..1:log", "lr=a..b", "=1,2"])
def test_what_is_no_space_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_spaces([text])
    assert caught.value.asked == f"--over {text}"


def test_values_are_drawn_as_text_of_their_kind() -> None:
    trial = optuna.trial.FixedTrial({"lr": 0.001, "batch": 8, "scale": "own"})
    texts = ["lr=1e-4..1e-2:log", "batch=4..16", "scale=own,whole"]
    assert [space.drawn(trial) for space in parse_spaces(texts)] == ["0.001", "8", "own"]


@pytest.mark.parametrize(
    ("name", "higher"), [("validation/psnr", True), ("domain", True), ("l1", False), ("", False)]
)
def test_a_metric_says_which_way_is_better(name: str, higher: bool) -> None:
    assert _higher_is_better(name) == higher


def test_the_figure_is_the_first_of_validation_or_the_one_named(tmp_path: Path) -> None:
    lines = [{"step": 1, "loss/a": 3.0}, {"step": 2, "validation/l1": 0.5, "validation/b": 7.0}]
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "stats.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert figures(tmp_path, "") == {2: 0.5}
    assert figures(tmp_path, "loss/a") == {1: 3.0}


@pytest.mark.slow
def test_a_trial_that_lags_is_stopped(pictures: Path, tmp_path: Path) -> None:
    arguments = training(pictures, "--steps", "100000", "--validate", "2", "--set", "width=4")
    outcome = run_trial(arguments, tmp_path / "run", "", lambda step, value: True)
    assert outcome.stopped
    assert outcome.values
    assert max(outcome.values) < 100_000
    assert list((tmp_path / "run" / "checkpoint").iterdir())


@pytest.mark.slow
def test_a_sweep_tells_its_best_run_and_goes_on(pictures: Path, tmp_path: Path) -> None:
    request = ["--over", "width=4,8", "--trials", "1", "--out", str(tmp_path / "sweep")]
    request += training(pictures, "--steps", "2", "--validate", "2")
    for count in (1, 2):
        done = CliRunner().invoke(sweep, request, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        runs = sorted(path.name for path in (tmp_path / "sweep").iterdir() if path.is_dir())
        assert runs == ["000", "001"][:count]
    found = {name: figures(tmp_path / "sweep" / name, "")[2] for name in runs}
    best = min(found, key=found.__getitem__)
    assert done.output.splitlines()[-1] == f"best: {tmp_path / 'sweep' / best}"


@pytest.mark.slow
def test_a_setting_that_is_unknown_ends_the_sweep_with_its_error(
    pictures: Path, tmp_path: Path
) -> None:
    request = ["--over", "widht=4,8", "--out", str(tmp_path / "sweep")]
    request += training(pictures, "--steps", "2", "--validate", "2")
    with pytest.raises(UsageError) as caught:
        CliRunner().invoke(sweep, request, catch_exceptions=False)
    assert "widht" in caught.value.problem


@pytest.fixture
def swept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    """Makes one trial, of which nothing is trained, in the folder ``sweep``."""
    outcome = Outcome({2: 0.5}, 0, False, "")
    monkeypatch.setattr("zoo_runs.sweep.trial.run_trial", lambda *given: outcome)

    def sweep_once(*more: str, over: str = "width=4,8") -> str:
        request = ["--over", over, "--trials", "1", "--out", str(tmp_path / "sweep"), "cyclegan"]
        request += ["--validate", "2", *more]
        return CliRunner().invoke(sweep, request, catch_exceptions=False).output

    return sweep_once


@pytest.mark.parametrize(
    "content",
    [b"hello\n", b"\xff\xfe\n", b"[]\n", b"[" * 100_000 + b"\n", b'{"op_code": 4}\n',
     b'{"op_code": 99, "worker_id": "x"}\n'],
)  # fmt: skip
def test_a_record_that_is_damaged_is_named(
    content: bytes, swept: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "study.log").write_bytes(content)
    with pytest.raises(TrainingError) as caught:
        swept()
    assert caught.value.asked == str(tmp_path / "sweep" / "study.log")


def test_a_record_of_gigabytes_is_not_read(swept: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "sweep").mkdir()
    with (tmp_path / "sweep" / "study.log").open("wb") as file:
        file.truncate(6 * 10**9)
    with pytest.raises(TrainingError) as caught:
        swept()
    assert "larger" in caught.value.problem


@pytest.mark.parametrize("name", ["study.log", "000.log", "000/log/stats.jsonl"])
def test_links_out_of_a_sweep_are_not_written_to(
    name: str, swept: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("precious")
    (tmp_path / "sweep" / name).parent.mkdir(parents=True)
    (tmp_path / "sweep" / name).symlink_to(tmp_path / "mine")
    with pytest.raises(TrainingError) as caught:
        swept()
    assert caught.value.asked == str(tmp_path / "sweep" / name)
    assert (tmp_path / "mine").read_text() == "precious"


def test_what_a_killed_sweep_held_is_free_again(swept: Callable[..., str], tmp_path: Path) -> None:
    swept()
    (tmp_path / "sweep" / "study.log.lock").symlink_to(tmp_path / "sweep" / "study.log")
    assert "001" in swept()


def test_trials_of_another_request_do_not_pass_as_these(
    swept: Callable[..., str], tmp_path: Path
) -> None:
    swept()
    with pytest.raises(UsageError) as caught:
        swept("--steps", "9")
    assert caught.value.asked == f"--out {tmp_path / 'sweep'}"


@pytest.mark.parametrize("over", ["width=4,16", "width=4..8"])
def test_other_choices_than_those_of_earlier_trials_are_refused(
    over: str, swept: Callable[..., str]
) -> None:
    swept()
    with pytest.raises(UsageError) as caught:
        swept(over=over)
    assert caught.value.asked == "--over of zoo sweep"
    assert "001" not in swept().splitlines()[-1]


@pytest.mark.parametrize(
    ("more", "asked"), [(["--steps", "2"], "zoo sweep"), (["--out", "x"], "--out of zoo sweep")]
)
def test_what_a_sweep_cannot_do_without_or_gives_itself(
    more: list[str], asked: str, tmp_path: Path
) -> None:
    request = ["--over", "width=4,8", "--out", str(tmp_path / "sweep"), "cyclegan", *more]
    with pytest.raises(UsageError) as caught:
        CliRunner().invoke(sweep, request, catch_exceptions=False)
    assert caught.value.asked == asked
