"""How many threads compute on a CPU.

Threads wait for one another after every operation. Where other programs take cores away, that may
take far longer than to compute with one thread, so no more are used than there are cores for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def allowed_cores() -> int:
    """The cores that this process may use: by its affinity, and by its control group's quota."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        cores = os.cpu_count() or 1
    try:
        quota, period = _QUOTA.read_text().split()
        return max(1, min(cores, int(quota) // int(period)))
    except (OSError, ValueError):  # no control groups, or "max"
        return cores


@contextmanager
def computing_threads(count: int | None = None, processes: int = 1) -> Iterator[int]:
    """Within the block, torch computes with a number of threads on the CPU.

    Args:
        count: How many; None for as many as torch would use, but no more than there are cores for.
        processes: Processes that share the cores.

    Yields:
        How many.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count or max(1, min(before, allowed_cores() // processes)))
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
