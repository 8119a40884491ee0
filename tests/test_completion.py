"""What the shell completes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from zoo_core.cli import cli


def completions(*words: str) -> dict[str, str | None]:
    *args, incomplete = words
    found = ShellComplete(cli, {}, "zoo", "_ZOO_COMPLETE").get_completions(args, incomplete)
    return {item.value: item.help for item in found}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("trans",), {"translate"}),
        (("translate", "stargan-emoji-"), {"stargan-emoji-64"}),
        (("translate", "stargan-emoji", "a.png", "--to", "f"), {"fluent"}),
        (("translate", "stargan-emoji-64", "a.png", "--to", "f"), set()),
        (("translate", "stargan-emoji", "a.png", "--from", "open"), {"openmoji"}),
        (("train", "starg"), {"stargan", "stargan-vc"}),
        (("info", "stargan-e"), {"stargan-emoji", "stargan-emoji-64"}),
        (("options", "cyclegan-"), {"cyclegan-vc"}),
        (("evaluate", "stargan-emoji-"), {"stargan-emoji-64"}),
    ],
)
def test_names_are_completed(words: tuple[str, ...], expected: set[str]) -> None:
    assert set(completions(*words)) == expected


def test_models_come_with_their_summaries() -> None:
    assert "Fluent" in (completions("translate", "stargan-emoji")["stargan-emoji"] or "")


def test_what_names_no_model_is_completed_as_a_file() -> None:
    found = ShellComplete(cli, {}, "zoo", "_ZOO_COMPLETE").get_completions(["translate"], "out/")
    assert [item.type for item in found] == ["file"]


def test_the_command_writes_the_script_that_switches_it_on(tmp_path: Path) -> None:
    zoo = Path(sys.executable).with_name("zoo")
    done = subprocess.run(
        [zoo],
        env={**os.environ, "_ZOO_COMPLETE": "zsh_source"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "_ZOO_COMPLETE=zsh_complete zoo" in done.stdout
