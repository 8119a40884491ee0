"""Files and folders that are there whole or not at all, and whether a file is the one meant.

Importing this module imports no torch.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path

from zoo_core.errors import DataError, WeightsError

STALE_SECONDS = 24 * 3600
"""Age from which what was never finished counts as left behind by a killed writer."""
_before: ContextVar[Callable[[Path, Path], None] | None] = ContextVar("before", default=None)
_AGAIN = "Restore the file, or export the model again."


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
    part = _aside(path)
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


@contextlib.contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """As `replacing`, for a folder of files: the old one stays until the new one is whole.

    What killed writers left beside it a day ago is removed.

    Args:
        folder: The folder to be.

    Raises:
        OSError: If it cannot be written; nothing is left behind.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    sweep(folder.parent)
    work = _aside(folder)
    old = _aside(folder)
    try:
        work.mkdir()
        yield work
        for path in work.iterdir():
            sync(path)
        if folder.exists():
            folder.rename(old)
        try:
            work.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
        sync(folder.parent)
    finally:
        for left in (work, old):
            shutil.rmtree(left, ignore_errors=True)


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
    work = _aside(folder)
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


def verify(path: Path, *, sha256: str | None = None, size: int | None = None) -> None:
    """Checks that a file is there and is the very file that is meant, before anyone opens it.

    Args:
        path: The file.
        sha256: Expected hash, 64 lowercase hexadecimal digits; None: not checked.
        size: Expected number of bytes; None: not checked.

    Raises:
        WeightsError: If the file is missing or is another.
    """
    asked = f"weights {path}"
    if not path.is_file():
        raise WeightsError("the file is missing", asked=asked, hint=_AGAIN)
    found = path.stat().st_size
    if size is not None and found != size:
        raise WeightsError(f"it has {found} bytes, expected {size}", asked=asked, hint=_AGAIN)
    if sha256 is not None and (digest := file_sha256(path)) != sha256:
        raise WeightsError(
            f"its sha256 is {digest[:16]}…, expected {sha256[:16]}…",
            asked=asked,
            hint="It is damaged or was exchanged; do not use it. " + _AGAIN,
        )


def file_sha256(path: Path) -> str:
    """The sha256 of a file, in lowercase hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def utf8_named(path: Path) -> Iterator[Path]:
    """A file by a name that is UTF-8, for libraries that take no other: its own, or a link's."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        with tempfile.TemporaryDirectory() as folder:
            link = Path(folder) / "file"
            link.symlink_to(path.absolute())
            yield link
    else:
        yield path


def stamp(path: Path) -> bytes:
    """What changes when a file does: its path, time and size, for the keys of caches."""
    try:
        state = path.stat()
        text = f"{path.absolute()}\0{state.st_mtime_ns}\0{state.st_size}\n"
    except OSError:  # a broken link, say: who reads it will name it
        text = f"{path.absolute()}\0absent\n"
    return text.encode("utf-8", errors="surrogateescape")


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


def _aside(path: Path) -> Path:
    """A name beside a file or folder that no other writer has."""
    return path.with_name(f".zoo-{os.getpid()}-{os.urandom(4).hex()}.part")
