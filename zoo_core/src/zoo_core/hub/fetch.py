"""Gets a file of the Hub: from the cache, else from the Hub into the cache; verified every time.

A file that is in the cache needs neither the network, nor huggingface_hub, nor a right to write.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from zoo_core.errors import HubMissingError, HubUnreachableError, WeightsError
from zoo_core.files import verify
from zoo_core.hub.progress import note
from zoo_core.hub.reference import Reference
from zoo_core.hub.settings import cache_root, offline
from zoo_core.hub.store import Expected, FileRecord, Record, RepoCache, today


def fetch(reference: Reference, expected: Expected | None = None, *, asked: str = "") -> Path:
    """The path of a file, verified: of the size and hash that are expected or were seen first.

    A cached file of a full commit, or of no named revision, makes no request. A branch is asked
    for its commit each time; where the Hub cannot be reached, the commit seen last counts.

    Args:
        reference: Repository and file, perhaps a revision.
        expected: What the file must be.
        asked: How the user named it, for errors.

    Raises:
        HubUnreachableError: If it is not in the cache and the Hub gives no usable answer.
        HubError: If the Hub has it not, refuses it, or sends something else.
        WeightsError: If the cache cannot be used.
    """
    asked = asked or f'model "{reference}"'
    with cache_errors(asked):
        return _Fetch(reference, expected or Expected(), asked).run()


def fetch_optional(reference: Reference, *, asked: str = "") -> Path | None:
    """As `fetch` for a full commit; None where it has no such file, which is remembered."""
    store, commit, file = RepoCache(reference), reference.revision or "", reference.file or ""
    asked = asked or f'model "{reference}"'
    with cache_errors(asked):
        seen = store.record().seen(commit, file)
    if seen is not None and seen.absent:
        return None
    try:
        return fetch(reference, asked=asked)
    except HubMissingError as error:
        if error.missing != "file":
            raise
    with cache_errors(asked), locked(store):
        store.remember(commit, commit, {file: FileRecord("", 0, today())})
    return None


class _Fetch:
    """One call of `fetch`."""

    def __init__(self, reference: Reference, expected: Expected, asked: str) -> None:
        self.reference, self.expected, self.asked = reference, expected, asked
        self.file = reference.file or ""
        self.store = RepoCache(reference)
        self.follows = reference.revision is not None and not reference.pinned

    def run(self) -> Path:
        """The verified file."""
        record = self.store.record()
        commit = record.commit(self.reference)
        path = self._cached(commit, record)
        if path is not None and (offline() or not self.follows):
            return path
        if offline():
            raise self._without_requests(commit)
        try:
            with locked(self.store):
                return self._from_hub()
        except HubUnreachableError:
            if path is None:
                raise
            return path

    def _from_hub(self) -> Path:
        """Asks the Hub, unless another process did so while the lock was awaited."""
        from zoo_core.hub.download import FileDownload, remote_file  # imports huggingface_hub

        record = self.store.record()
        commit = record.commit(self.reference)
        wanted = self.reference
        if commit is not None and not self.follows:
            path = self._cached(commit, record)
            if path is not None:
                return path
            wanted = replace(self.reference, revision=commit)
        damaged = commit is not None and self.store.path(commit, self.file).exists()
        asked = self.asked + (" (its cached file is damaged)" if damaged else "")
        remote = remote_file(wanted, asked)
        path = self._cached(remote.commit, record)
        files = {}
        if path is None:
            pinned = replace(wanted, revision=remote.commit)
            known = record.seen(remote.commit, self.file)
            arrival = FileDownload(pinned, remote, self.expected, known, asked)
            path = self.store.path(remote.commit, self.file)
            files = {self.file: arrival.download(path, self.store.part(remote.commit, self.file))}
        self.store.remember(remote.commit, self.reference.revision, files)
        return path

    def _cached(self, commit: str | None, record: Record) -> Path | None:
        """The cached file, if it is there and is what it must be."""
        if commit is None:
            return None
        path, seen = self.store.path(commit, self.file), record.seen(commit, self.file)
        sha256 = self.expected.sha256 or (seen.sha256 if seen else None)
        if not sha256 or not path.is_file():
            return None
        size = self.expected.bytes or (seen.bytes if seen else None)
        try:
            verify(path, sha256=sha256, size=size)
        except WeightsError:
            return None
        return path

    def _without_requests(self, commit: str | None) -> HubUnreachableError:
        path = None if commit is None else self.store.path(commit, self.file)
        if path is not None and path.is_file():
            problem = f"the cached file {path} is damaged, and HF_HUB_OFFLINE forbids fetching it"
        else:
            problem = (
                f"it is not in the cache, and HF_HUB_OFFLINE forbids asking the Hub for "
                f"{replace(self.reference, revision=commit or self.reference.revision)}"
            )
        hint = "Unset HF_HUB_OFFLINE once; afterwards it works offline."
        return HubUnreachableError(problem, asked=self.asked, hint=hint)


@contextmanager
def locked(store: RepoCache) -> Iterator[None]:
    """Holds the lock of a repository against other processes and threads."""
    from filelock import FileLock, Timeout

    store.lock.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(store.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        note(f"Another process is fetching from {store.folder.parent.name}/{store.folder.name}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def cache_errors(asked: str) -> Iterator[None]:
    """Turns what the file system refuses into an error for people."""
    try:
        yield
    except OSError as fault:
        root = cache_root()
        full = fault.errno in (errno.ENOSPC, errno.EDQUOT)
        place = fault.filename or root
        raise WeightsError(
            f"the disk of the cache {root} is full; nothing of it was kept"
            if full
            else f"the cache cannot be used: {place}: {fault.strerror or fault}",
            asked=asked,
            hint="Free space, or set ZOO_CACHE to another place."
            if full
            else "Make it writable, or set ZOO_CACHE to another place.",
        ) from fault
