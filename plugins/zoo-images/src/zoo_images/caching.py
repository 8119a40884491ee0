"""Folders of what was decoded once: filled aside, kept while whole, renewed when a file changes."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from zoo_core.errors import DataError
from zoo_core.files import aside, sweep


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
    work = aside(folder)
    try:
        work.mkdir(parents=True)
        sweep(folder.parent)
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
