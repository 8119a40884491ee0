"""Measuring speed, memory and agreement, for the scripts in ``benchmarks/``."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo_core.errors import ZooError

if TYPE_CHECKING:
    from torch import Tensor

_RUN = """
import os, sys
from zoo_core.cli import run
code = run(sys.argv[2:])
lines = open("/proc/self/status").read().splitlines()
peak = next(line.split()[1] for line in lines if line.startswith("VmHWM:"))  # KiB
os.write(int(sys.argv[1]), peak.encode())
sys.exit(code)
"""
"""Runs the command line, then writes its peak of memory to a pipe; needs nothing but the zoo."""


@dataclass(frozen=True)
class Peak:
    """What a process used.

    Attributes:
        mebibytes: Largest resident memory.
        seconds: Wall-clock time.
        cpu: Seconds of CPU time of all its threads, in the program and in the system.
    """

    mebibytes: float
    seconds: float
    cpu: float


def fastest(
    contenders: Mapping[str, Callable[[], object]],
    repeats: int = 5,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """The shortest time in seconds that each contender took, after one unmeasured call.

    The contenders take turns, so that another process that disturbs one disturbs all. With
    `time.process_time` as the clock, and one thread, others hardly disturb at all.
    """
    return {name: min(spent) for name, spent in in_turn(contenders, repeats, clock).items()}


def in_turn(
    contenders: Mapping[str, Callable[[], object]], repeats: int, clock: Callable[[], float]
) -> dict[str, list[float]]:
    """The seconds of ``repeats`` calls of each contender, in turn, after one unmeasured each."""
    spent: dict[str, list[float]] = {name: [] for name in contenders}
    for call in contenders.values():
        call()
    for _ in range(repeats):
        for name, call in contenders.items():
            start = clock()
            call()
            spent[name].append(clock() - start)
    return spent


def psnr(a: Tensor, b: Tensor, span: float = 2.0) -> float:
    """Peak signal-to-noise ratio in dB of two signals (*S) whose range is ``span`` wide."""
    error = float((a.double() - b.double()).square().mean())
    return math.inf if error == 0 else 10 * math.log10(span**2 / error)


def peak_of_zoo(arguments: Sequence[str], python: str = sys.executable) -> Peak:
    """Runs the command line in a process of its own and measures it.

    Args:
        arguments: What follows ``zoo``.
        python: The interpreter of the environment whose ``zoo`` it is.

    Raises:
        ZooError: If it fails.
    """
    start = time.perf_counter()
    reading, writing = os.pipe()
    with os.fdopen(reading) as report:
        process = subprocess.Popen(
            [python, "-c", _RUN, str(writing), *arguments],
            stdout=subprocess.DEVNULL,
            pass_fds=[writing],
        )
        os.close(writing)
        peak = report.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise ZooError(
            f"it ended with exit code {process.returncode}", asked=f"zoo {' '.join(arguments)}"
        )
    seconds = time.perf_counter() - start
    return Peak(int(peak) / 2**10, seconds, usage.ru_utime + usage.ru_stime)


def write_pictures(folder: Path, count: int, size: tuple[int, int]) -> list[Path]:
    """Writes ``count`` smooth colourful pictures (width, height) of one shape."""
    import numpy as np
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    paths = []
    for number in range(count):
        coarse = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
        paths.append(folder / f"{number:04}.png")
        image.save(paths[-1], compress_level=1)
    return paths
