"""Memory that a training step gives back serves the next one."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of glibc's malloc.h
_LARGEST_TRIM, _LARGEST_MMAP = 2**31 - 1, 2**25  # the most that mallopt takes


def keep_freed_memory() -> bool:
    """Has the C library keep what is freed, up to 2 GiB, for what is asked for next.

    Otherwise glibc hands the top of the heap back to the system whenever it is free, at the end of
    every step, and the next step waits for the same pages to be mapped and cleared anew. It applies
    to the whole process, to blocks of up to 32 MiB, and changes nothing but the time.

    Returns:
        Whether the C library is one that can do so.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    # A threshold that is set no longer adapts itself, so both are.
    large = mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP)
    return bool(large and mallopt(_TRIM_THRESHOLD, _LARGEST_TRIM))
