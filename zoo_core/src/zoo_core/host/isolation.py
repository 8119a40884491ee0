"""Runs what plugins wrote so that no fault of theirs reaches anything else."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

from zoo_core.errors import PluginError, ZooError

T = TypeVar("T")


def isolated(act: Callable[[], T], seconds: float) -> T:
    """The result of ``act``, which may raise anything, print, or never end.

    It runs in a thread of its own, so that a plugin's ``KeyboardInterrupt`` is told from the
    user's. What it prints goes to stderr, since stdout may be read by a program.

    Args:
        act: What to run.
        seconds: How long it may take.

    Raises:
        PluginError: If it raises anything or does not end in time.
    """
    results: list[T] = []
    faults: list[BaseException] = []

    def work() -> None:
        try:
            results.append(act())
        except BaseException as fault:
            faults.append(fault)

    thread = threading.Thread(target=work, name="zoo-plugin", daemon=True)
    with contextlib.redirect_stdout(sys.stderr):
        thread.start()
        thread.join(seconds)
    if results:
        return results[0]
    if not faults:
        raise PluginError(f"it did not end within {seconds:g} seconds")
    raise PluginError(fault_text(faults[0])) from faults[0]


def fault_text(fault: BaseException) -> str:
    """What a fault says, in one line, with its type unless it is one of ours."""
    text = " ".join(str(fault).split()).rstrip(".")
    if isinstance(fault, ZooError):
        return text
    return f"{type(fault).__name__}: {text}" if text else type(fault).__name__
