"""Text of others is shown, never obeyed."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo_core.errors import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cat.png", "cat.png"),
        ("日本 é", "日本 é"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\u202egnp.exe", "a\\u202egnp.exe"),
        ("caf\udce9.png", "caf\\xe9.png"),
        ("one\ntwo\tthree", "one\ntwo\tthree"),
        ("\r", "\\x0d"),
    ],
)
def test_what_could_steer_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(alphabet=st.characters(codec=None), max_size=40))
def test_any_text_can_be_encoded_and_holds_no_control(text: str) -> None:
    shown = printable(text)
    shown.encode("utf-8")
    assert not any(ord(sign) < 32 and sign not in "\n\t" for sign in shown)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_console_that_lacks_a_character_ends_nothing(encoding: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zoo_core", "info", "日本"],
        env={"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_a_full_output_is_said_without_a_traceback() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "zoo_core", "list"],
            stdout=full, stderr=subprocess.PIPE, check=False, text=True,
        )  # fmt: skip
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
