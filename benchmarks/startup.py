"""Time of the light commands and of a small translation, also beside another installation.

Run: ``python benchmarks/startup.py [--against OTHER/bin/python]``

Runs alternate, so that whatever else the machine does meets both alike. The time of the CPU, user
and system, says more than the wall where others compute. Each command runs once beforehand, which
writes the bytecode of its modules.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PICTURE = Path(__file__).parents[1] / "examples" / "emoji" / "noto" / "1f337.png"
LIGHT = (("--help",), ("list",), ("list", "--json"))
TRANSLATION = ("translate", "stargan-emoji", str(PICTURE), "--to", "twemoji", "--overwrite")
RUNS = 15


def seconds(python: str, command: tuple[str, ...]) -> tuple[float, float]:
    """Wall time of a command in a fresh process, and its time of the CPU."""
    settings = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [python, "-m", "zoo_core", *command], stdout=subprocess.DEVNULL, env=settings, check=True
    )
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare(command: tuple[str, ...], pythons: list[str], count: int) -> None:
    """Prints the times of a command, and their ratio where there are two installations."""
    for python in pythons:
        seconds(python, command)
    runs = [[seconds(python, command) for python in pythons] for _ in range(count)]
    print(f"zoo {' '.join(command[:2])}, {count} runs")
    least, middle = [], []
    for python, times in zip(pythons, zip(*runs, strict=True), strict=True):
        walls, cpus = zip(*times, strict=True)
        least.append(min(cpus))
        middle.append(statistics.median(cpus))
        print(
            f"  wall: median {statistics.median(walls):.3f} s, least {min(walls):.3f} s; "
            f"CPU: median {middle[-1]:.3f} s, least {least[-1]:.3f} s; {python}"
        )
    if len(pythons) == 2:
        print(f"  CPU, ratio: median {middle[0] / middle[1]:.2f}, least {least[0] / least[1]:.2f}")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--against", metavar="PYTHON", help="Python of another installation.")
    parser.add_argument("--runs", type=int, default=RUNS)
    asked = parser.parse_args()
    pythons = [sys.executable, *([asked.against] if asked.against else [])]
    with tempfile.TemporaryDirectory() as folder:
        for command in (*LIGHT, (*TRANSLATION, "--out", folder)):
            compare(command, pythons, asked.runs)


if __name__ == "__main__":
    main()
