"""Files and folders that are there whole or not at all, whoever else writes them meanwhile."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from zoo_core.errors import DataError

STALE_SECONDS = 24 * 3600
"""Age from which a folder that was never finished counts as left behind by a killed writer."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside ``path`` to write to; within the block's success it becomes ``path``.

    Its folder is made. A reader sees the old file or the new one, and two writers do not meet.

    Args:
        path: The file to be.

    Raises:
        OSError: If it cannot be written; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".zoo-{os.getpid()}-{uuid.uuid4().hex[:8]}.part")
    try:
        yield part
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def caching(folder: Path, whole: Callable[[], bool], *, what: str) -> Iterator[Path]:
    """A new folder beside ``folder`` to fill; within the block's success it becomes ``folder``.

    A whole one that another writer finished meanwhile stays, since it may be in use; a damaged one
    is replaced. What killed writers left beside it a day ago is removed.

    Args:
        folder: The folder to be, in a cache.
        whole: Whether what ``folder`` now holds can be used.
        what: What is kept there, for the error.

    Raises:
        DataError: If it cannot be written; nothing is left behind.
    """
    work = folder.with_name(f".part-{os.getpid()}-{uuid.uuid4().hex[:8]}")
    try:
        work.mkdir(parents=True)
        _sweep(folder.parent)
        yield work
        if folder.exists():
            if whole():
                return
            folder.rename(work / "before")
        work.rename(folder)
        shutil.rmtree(folder / "before", ignore_errors=True)
    except OSError as error:
        if whole():
            return  # another writer renamed its own into place in between
        raise DataError(
            f"{what} cannot be kept there ({error.strerror or error})",
            asked=f"cache {folder.parent}",
            hint="Choose a cache folder that may be written to and has space left.",
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def stamp(path: Path) -> bytes:
    """What changes when a file does: its path, time and size, for the keys of caches."""
    try:
        state = path.stat()
        text = f"{path.absolute()}\0{state.st_mtime_ns}\0{state.st_size}\n"
    except OSError:  # a broken link, say: who reads it will name it
        text = f"{path.absolute()}\0absent\n"
    return text.encode("utf-8", errors="surrogateescape")


def _sweep(folder: Path) -> None:
    for old in folder.glob(".part-*"):
        with contextlib.suppress(OSError):
            if time.time() - old.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(old, ignore_errors=True)
