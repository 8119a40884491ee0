"""Files and folders that are there whole or not at all; no torch is imported for them."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path

from zoo_core.errors import PRIVATE

STALE_SECONDS = 24 * 3600
"""Age from which what was never finished counts as left behind by a killed writer."""
_before: ContextVar[Callable[[Path, Path], None] | None] = ContextVar("before", default=None)


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """A name beside ``path`` to write to; within the block's success it becomes ``path``.

    Its folder is made. A reader sees the old file or the new one, and two writers do not meet.

    Args:
        path: The file to be.
        durable: Whether that must hold after a power cut, too, which takes time.

    Raises:
        OSError: If it cannot be written; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = aside(path)
    try:
        yield part
        if durable:
            sync(part)
        if (act := _before.get()) is not None:
            act(path, part)
        part.replace(path)
        if durable:
            sync(path.parent)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def before_replacing(act: Callable[[Path, Path], None]) -> Iterator[None]:
    """While the block lasts, `replacing` calls ``act`` just before a file takes its place.

    Args:
        act: Takes the file to be, and the one with its content.
    """
    token = _before.set(act)
    try:
        yield
    finally:
        _before.reset(token)


def storable(path: str) -> str:
    """A path that JSON and YAML can hold: bytes that are no text become private signs."""
    return "".join(chr(ord(s) + PRIVATE) if 0xDC80 <= ord(s) <= 0xDCFF else s for s in path)


def restored(path: str) -> str:
    """The path that became a `storable` one."""
    return "".join(
        chr(ord(s) - PRIVATE) if 0xDC80 <= ord(s) - PRIVATE <= 0xDCFF else s for s in path
    )


def aside(path: Path) -> Path:
    """A name beside a file or folder that no other writer has."""
    return path.with_name(f".zoo-{os.getpid()}-{os.urandom(4).hex()}.part")


def sync(path: Path) -> None:
    """Makes sure that a file or directory survives a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(folder: Path) -> None:
    """Removes what killed writers left in a folder a day ago."""
    for old in folder.glob(".zoo-*.part"):
        with contextlib.suppress(OSError):
            if time.time() - old.stat().st_mtime > STALE_SECONDS:
                old.unlink() if old.is_file() else shutil.rmtree(old, ignore_errors=True)
