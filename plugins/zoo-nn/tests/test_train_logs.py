"""What a run writes and says."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from zoo_train import logs as module
from zoo_train.logs import Stats, Terminal, read_stats


def steps(run: Path) -> list[int]:
    return [values["step"] for values in read_stats(run)]


def written(run: Path, *numbers: int, done: int = 0) -> None:
    stats = Stats(run, done)
    for step in numbers:
        stats.write(step, {"loss/generator/cycle": 1 / step})
    stats.close()


def test_stats_have_one_object_per_logged_step(tmp_path: Path) -> None:
    written(tmp_path, 10, 20)
    assert [values["loss/generator/cycle"] for values in read_stats(tmp_path)] == [0.1, 0.05]
    assert steps(tmp_path) == [10, 20]


def test_lines_beyond_the_checkpoint_are_cut_when_a_run_resumes(tmp_path: Path) -> None:
    written(tmp_path, 10, 20, 30)
    written(tmp_path, 30, done=20)
    assert steps(tmp_path) == [10, 20, 30]


@pytest.mark.parametrize("torn", [b'{"st', b"\xff\xfe", b"[1]", b'{"loss": 1}', b"null"])
def test_lines_that_are_no_values_are_passed_over(tmp_path: Path, torn: bytes) -> None:
    written(tmp_path, 10)
    stats = tmp_path / "log" / "stats.jsonl"
    stats.write_bytes(stats.read_bytes() + torn)
    assert steps(tmp_path) == [10]
    written(tmp_path, 20, done=10)
    assert steps(tmp_path) == [10, 20]


def test_without_a_terminal_the_first_step_and_one_now_and_then_have_a_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    out = io.StringIO()
    display = Terminal(Console(file=out, force_terminal=False, soft_wrap=True))
    display.start(0, 100)
    for done in range(1, 6):
        display.tick(done)
        now += module.QUIET_SECONDS / 2 + 0.1
    assert out.getvalue().splitlines() == ["step 1/100", "step 3/100", "step 5/100"]


def test_without_a_terminal_logged_steps_have_plain_lines() -> None:
    out = io.StringIO()
    display = Terminal(Console(file=out, force_terminal=False, soft_wrap=True))
    display.start(0, 100)
    values = {"loss/g/cycle": 0.5, "images_per_second": 12.34, "steps_per_second": 2.0}
    display.tick(10, values)
    display.stop()
    assert out.getvalue() == "step 10/100  g/cycle 0.500  12.3 images/s  left 0:00:45\n"


def test_on_a_terminal_there_is_a_bar() -> None:
    out = io.StringIO()
    display = Terminal(Console(file=out, force_terminal=True, width=120))
    display.start(0, 100)
    display.tick(10, {"loss/g/cycle": 0.5, "images_per_second": 12.34})
    display.stop()
    assert "g/cycle 0.500" in out.getvalue()
    assert "10/100" in out.getvalue()


def test_brackets_in_messages_are_shown_as_they_are() -> None:
    out = io.StringIO()
    Terminal(Console(file=out, force_terminal=False)).warn("folder [a] is odd")
    assert out.getvalue() == "warning: folder [a] is odd\n"
