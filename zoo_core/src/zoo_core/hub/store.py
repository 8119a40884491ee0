"""The cache: files as the repositories hold them, and what was seen of each first.

``hub/models/ORG/REPO/COMMIT/FILE`` are the files. ``trust/models/ORG/REPO.json`` remembers their
hashes and the commits of branches, and outlives the files. Reading needs no lock and no right to
write. Importing this module imports nothing heavy.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo_core.errors import WeightsError
from zoo_core.hub.reference import Reference
from zoo_core.hub.settings import cache_root

_HASH, _COMMIT = re.compile(r"([0-9a-f]{64})?"), re.compile(r"[0-9a-f]{40}")
UNNAMED = ""
"""Key of the commit that is used where no revision is named."""


@dataclass(frozen=True)
class Expected:
    """What a file must be; None: not known beforehand, so what was seen first counts.

    Attributes:
        sha256: Its hash.
        bytes: Its size.
    """

    sha256: str | None = None
    bytes: int | None = None


@dataclass(frozen=True)
class FileRecord:
    """What a file was when it came into the cache first.

    Attributes:
        sha256: Its hash; empty where the repository has no such file.
        bytes: Its size.
        date: The day, as ``2026-01-31``.
    """

    sha256: str
    bytes: int
    date: str = ""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> FileRecord:
        """Reads what `vars` of one gave; raises `ValueError` for anything else."""
        seen = cls(**values)
        kinds = (type(seen.sha256), type(seen.bytes), type(seen.date))
        if kinds != (str, int, str) or not _HASH.fullmatch(seen.sha256):
            raise ValueError("not what was seen of a file")
        return seen

    @property
    def absent(self) -> bool:
        """Whether the commit was found to have no such file."""
        return not self.sha256


@dataclass(frozen=True)
class Record:
    """What is remembered of a repository.

    Attributes:
        commits: Commit by revision, as last seen; for `UNNAMED`, as first seen.
        files: What was seen, by ``COMMIT/FILE``.
    """

    commits: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, FileRecord] = field(default_factory=dict)

    def commit(self, reference: Reference) -> str | None:
        """The commit that a reference means, if that is remembered."""
        if reference.pinned:
            return reference.revision
        return self.commits.get(reference.revision or UNNAMED)

    def seen(self, commit: str, file: str) -> FileRecord | None:
        """What is remembered of a file."""
        return self.files.get(f"{commit}/{file}")


class RepoCache:
    """The cache of one repository.

    Attributes:
        folder: Where its files are, a folder per commit.
        trust: The file that holds its `Record`.
        lock: The file that is locked while a file is fetched.
    """

    def __init__(self, reference: Reference, root: Path | None = None) -> None:
        root = root or cache_root()
        place = Path(f"{reference.kind}s", *reference.repo.split("/"))
        self.folder = root / "hub" / place
        self.trust = root / "trust" / place.with_name(f"{place.name}.json")
        self.lock = root / "locks" / place.with_name(f"{place.name}.lock")

    def path(self, commit: str, file: str) -> Path:
        """Where a file is or would be."""
        return self.folder / commit / file

    def part(self, commit: str, file: str) -> Path:
        """Where a file is while it is being fetched."""
        path = self.path(commit, file)
        return path.with_name(f".{path.name}.part")

    def record(self) -> Record:
        """What is remembered of the repository.

        Raises:
            WeightsError: If the file is damaged.
            OSError: If it cannot be opened.
        """
        try:
            values = json.loads(self.trust.read_text(encoding="utf-8"))
            files = {key: FileRecord.of(value) for key, value in values["files"].items()}
            return Record({key: _commit(value) for key, value in values["commits"].items()}, files)
        except FileNotFoundError:
            return Record()
        except (ValueError, TypeError, KeyError, AttributeError) as fault:
            raise WeightsError(
                f"it cannot be read ({type(fault).__name__}), and without it no hash is known",
                asked=f"record {self.trust}",
                hint="Restore it; or delete it, and what is seen next is trusted anew.",
            ) from fault

    def remember(
        self,
        commit: str,
        revision: str | None = None,
        files: Mapping[str, FileRecord] | None = None,
    ) -> None:
        """Adds to the record; called while the lock is held.

        Args:
            commit: The commit.
            revision: The branch or the like that it was reached by; None: none was named.
            files: What was seen, by path.
        """
        old = self.record()
        commits = dict(old.commits)
        if revision is None:
            commits.setdefault(UNNAMED, commit)
        elif revision != commit:
            commits[revision] = commit
        fresh = {f"{commit}/{file}": seen for file, seen in (files or {}).items()}
        new = Record(commits, {**old.files, **fresh})
        if new != old:
            _replace(self.trust, vars(new))


def _commit(value: str) -> str:
    if not _COMMIT.fullmatch(value):
        raise ValueError("not a commit")
    return value


def today() -> str:
    """The date for a `FileRecord`."""
    return datetime.datetime.now(tz=datetime.UTC).date().isoformat()


def all_files(root: Path | None = None) -> Iterator[tuple[Reference, Path, FileRecord]]:
    """All cached files of whatever repository, with what was seen of them first."""
    root = root or cache_root()
    for trust in sorted((root / "trust").glob("*/*/*.json")):
        kind, org, name = trust.parts[-3][:-1], trust.parts[-2], trust.stem
        reference = Reference(f"{org}/{name}", kind)  # type: ignore[arg-type]  # as written
        store = RepoCache(reference, root)
        for key, seen in store.record().files.items():
            commit, _, file = key.partition("/")
            path = store.path(commit, file)
            if not seen.absent and path.is_file():
                yield Reference(reference.repo, reference.kind, commit, file), path, seen


def _replace(path: Path, values: Mapping[str, Any]) -> None:
    """Writes JSON, all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(values, file, indent=1, sort_keys=True, default=vars)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
