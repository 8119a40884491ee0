"""What a run writes and says."""

import io
import json
from pathlib import Path

from rich.console import Console

from zoo_core.train.logs import Logs, Terminal, cut, last_values


def lines(path: Path) -> list[int]:
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def test_stats_have_one_object_per_logged_step(tmp_path: Path) -> None:
    logs = Logs(tmp_path)
    logs.write(10, {"loss/generator/cycle": 0.5, "lr/generator": 1e-4, "images_per_second": 3.0})
    logs.write(20, {"loss/generator/cycle": 0.25})
    logs.close()
    stats = tmp_path / "log" / "stats.jsonl"
    assert lines(stats) == [10, 20]
    assert last_values(stats)["loss/generator/cycle"] == 0.25
    assert list((tmp_path / "log").glob("events.*")), "TensorBoard wrote nothing"


def test_lines_beyond_the_checkpoint_and_torn_ones_are_cut(tmp_path: Path) -> None:
    stats = tmp_path / "stats.jsonl"
    stats.write_text('{"step": 10}\n{"step": 20}\n{"step": 30}\n{"st')
    cut(stats, 20)
    assert lines(stats) == [10, 20]


def test_resumed_logs_go_on_after_the_checkpoint(tmp_path: Path) -> None:
    first = Logs(tmp_path)
    for step in (10, 20, 30):
        first.write(step, {"a": 1.0})
    first.close()
    again = Logs(tmp_path, done=20)
    again.write(30, {"a": 2.0})
    again.close()
    assert lines(tmp_path / "log" / "stats.jsonl") == [10, 20, 30]


def test_without_a_terminal_there_are_plain_lines() -> None:
    out = io.StringIO()
    display = Terminal(Console(file=out, force_terminal=False, soft_wrap=True))
    display.start(0, 100)
    display.tick(5)
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
