"""Time of the light commands and of a small translation, also beside another installation.

    python benchmarks/startup.py [--against OTHER/bin/python]
    python benchmarks/startup.py MODEL --to DOMAIN

Of a model: one small picture by an engine that an earlier run prepared, against the time of ``zoo
--help`` and of importing torch together.

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
ZOO = ("-m", "zoo_core")


def seconds(python: str, arguments: tuple[str, ...]) -> tuple[float, float]:
    """Wall time of an interpreter with arguments in a fresh process, and its time of the CPU."""
    settings = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([python, *arguments], stdout=subprocess.DEVNULL, env=settings, check=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare(command: tuple[str, ...], pythons: list[str], count: int) -> None:
    """Prints the times of a command, and their ratio where there are two installations."""
    for python in pythons:
        seconds(python, (*ZOO, *command))
    runs = [[seconds(python, (*ZOO, *command)) for python in pythons] for _ in range(count)]
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


def second_start(model: str, to: str, engine: str, runs: int) -> None:
    """Prints what a picture takes by an engine that is prepared, beyond what every start pays."""
    with tempfile.TemporaryDirectory() as folder:
        translation = ("translate", model, str(PICTURE), "--to", to, "--engine", engine)
        commands = {
            f"{model} by {engine}": (*ZOO, *translation, "--overwrite", "--out", folder),
            "zoo --help": (*ZOO, "--help"),
            "import torch": ("-c", "import torch"),
        }
        for command in commands.values():
            seconds(sys.executable, command)
        spent = [
            [seconds(sys.executable, command) for command in commands.values()] for _ in range(runs)
        ]
    middle = [
        tuple(map(statistics.median, zip(*times, strict=True)))
        for times in zip(*spent, strict=True)
    ]
    for name, (wall, cpu) in zip(commands, middle, strict=True):
        print(f"{name}: wall {wall:.3f} s, CPU {cpu:.3f} s, medians of {runs} runs")
    wall, cpu = (first - usual - torch for first, usual, torch in zip(*middle, strict=True))
    print(f"over zoo --help and torch: wall {wall:.3f} s, CPU {cpu:.3f} s")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", nargs="?", help="name from `zoo list`")
    parser.add_argument("--to", help="its target")
    parser.add_argument("--engine", default="openvino")
    parser.add_argument("--against", metavar="PYTHON", help="Python of another installation.")
    parser.add_argument("--runs", type=int, default=RUNS)
    asked = parser.parse_args()
    if asked.model:
        second_start(asked.model, asked.to, asked.engine, asked.runs)
        return
    pythons = [sys.executable, *([asked.against] if asked.against else [])]
    with tempfile.TemporaryDirectory() as folder:
        for command in (*LIGHT, (*TRANSLATION, "--out", folder)):
            compare(command, pythons, asked.runs)


if __name__ == "__main__":
    main()
