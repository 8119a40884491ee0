"""How much memory a process took, for tests that bound it."""

from __future__ import annotations

from pathlib import Path

import pytest


def peak_memory() -> int:
    """The most memory that this process has held at once since its program began, in bytes.

    ``resource.getrusage`` does not say it: Linux carries ``ru_maxrss`` over from the process that
    started this one, so that a small program started by a large test counts as large.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        pytest.skip("the peak of a program's memory is read from /proc/self/status")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) << 10
