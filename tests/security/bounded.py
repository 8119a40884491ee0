"""Runs commands in a process of their own, and says how each ended and what it took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MOST_BYTES = 3 * 2**29
"""1.5 GiB, of which torch itself takes a third."""
MOST_SECONDS = 10.0
"""Of the CPU, which a busy machine does not change; importing torch included."""

# What the process runs: each command in turn, its end written down before the next begins. The
# system ends it at 4 GiB of its own memory, before it takes the machine with it.
_RUN = """
import contextlib, io, json, resource, sys, time

resource.setrlimit(resource.RLIMIT_DATA, (4 * 2**30, 4 * 2**30))
commands, out = json.loads(sys.argv[1]), sys.argv[2]
from zoo_core.cli import run

for name, command in commands.items():
    said = io.StringIO()
    start = time.process_time()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = run(command)
    taken = time.process_time() - start
    with open("/proc/self/status") as file:  # getrusage counts what the parent process held, too
        peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024
    with open(out, "a") as file:
        row = {"code": code, "said": said.getvalue()[:100_000], "bytes": peak, "seconds": taken}
        file.write(json.dumps([name, row]) + "\\n")
"""


@dataclass(frozen=True)
class Ending:
    """How a command ended.

    Attributes:
        code: Its exit code.
        said: All that it printed.
        bytes: The most memory that the process had held until then.
        seconds: Time of the CPU that it took.
    """

    code: int
    said: str
    bytes: int
    seconds: float

    def require_refused(self, *says: str) -> None:
        """Asserts that it ended within bounds, with a message for people that says something."""
        assert self.code in (1, 2), self
        assert "Traceback" not in self.said
        for part in says:
            assert part in self.said
        self.require_bounded()

    def require_bounded(self) -> None:
        """Asserts that it kept within memory and time."""
        assert self.bytes < MOST_BYTES, self
        assert self.seconds < MOST_SECONDS, self


def endings(
    commands: Mapping[str, Sequence[str | Path]],
    cwd: Path,
    *,
    environment: Mapping[str, str] | None = None,
    patience: float = 600,
) -> dict[str, Ending]:
    """Runs ``zoo`` with each list of arguments, one after another in one process.

    Args:
        commands: Arguments by name.
        cwd: The working directory.
        environment: What is set for them.
        patience: Seconds after which the process is killed.

    Returns:
        How each ended, those that killed the process left out.
    """
    out = cwd / ".endings.jsonl"
    plain = {name: [str(part) for part in command] for name, command in commands.items()}
    process = subprocess.run(
        [sys.executable, "-c", _RUN, json.dumps(plain), str(out)],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TERM": "dumb", **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=patience,
        check=False,
    )
    if process.returncode:
        print(process.stderr[-4000:])  # noqa: T201  (pytest shows it where the test fails)
    rows = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    out.unlink(missing_ok=True)
    return {name: Ending(**row) for name, row in rows}
