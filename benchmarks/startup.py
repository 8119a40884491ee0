"""Wall time of the light commands: median of ten warm runs each.

Run: ``python benchmarks/startup.py``
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 10


def seconds(*command: str) -> list[float]:
    """Wall times of a command in fresh processes, after one warm-up."""
    times = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "zoo_core", *command], stdout=subprocess.DEVNULL, check=True
        )
        times.append(time.perf_counter() - start)
    return times[1:]


def main() -> None:
    """Prints the table."""
    for command in (("list", "--json"), ("--help",)):
        times = seconds(*command)
        print(
            f"zoo {' '.join(command):12} median {statistics.median(times):.3f} s, "
            f"min {min(times):.3f} s of {RUNS}"
        )


if __name__ == "__main__":
    main()
