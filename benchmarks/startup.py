"""CPU and wall time of commands that start: median of ten warm runs each.

    python benchmarks/startup.py [MODEL --to DOMAIN]

Of a model: one small picture by an engine that the warm-up prepared, against the time of ``zoo
--help`` and of importing torch together.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarking import write_pictures

RUNS = 10
ZOO = ("-m", "zoo_core")


@dataclass(frozen=True)
class Spent:
    """Medians over the runs of a command, in seconds."""

    wall: float
    cpu: float


def spent(*arguments: str) -> Spent:
    """What the interpreter takes with these arguments, in fresh processes, after one warm-up."""
    walls, cpus = [], []
    for _ in range(RUNS + 1):
        start, before = time.perf_counter(), _children()
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
        walls.append(time.perf_counter() - start)
        cpus.append(_children() - before)
    return Spent(statistics.median(walls[1:]), statistics.median(cpus[1:]))


def _children() -> float:
    """Seconds of CPU time of all processes that ended so far."""
    used = os.times()
    return used.children_user + used.children_system


def line(name: str, seconds: Spent) -> str:
    """A row of the table."""
    return f"{name:32} {seconds.cpu:6.3f} s of CPU, {seconds.wall:6.3f} s"


def second_start(model: str, to: str, engine: str) -> None:
    """Prints what a picture takes by an engine that is prepared, beyond what every program pays."""
    with tempfile.TemporaryDirectory() as place:
        (picture,) = write_pictures(Path(place), 1, (64, 64))
        command = ("translate", model, str(picture), "--to", to, "--engine", engine, "--overwrite")
        found = spent(*ZOO, *command, "--out", str(Path(place) / "out"))
    needed = [spent(*ZOO, "--help"), spent("-c", "import torch")]
    print(line(f"{model} by {engine}", found))
    print(line("import torch", needed[1]))
    wall, cpu = (
        getattr(found, clock) - sum(getattr(each, clock) for each in needed)
        for clock in ("wall", "cpu")
    )
    print(line("over --help and torch", Spent(wall, cpu)))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?")
    parser.add_argument("--to")
    parser.add_argument("--engine", default="openvino")
    asked = parser.parse_args()
    for command in (("list", "--json"), ("--help",)):
        print(line(f"zoo {' '.join(command)}", spent(*ZOO, *command)))
    if asked.model:
        second_start(asked.model, asked.to, asked.engine)


if __name__ == "__main__":
    main()
