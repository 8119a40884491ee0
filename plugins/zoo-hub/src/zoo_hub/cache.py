"""Files of the Hub: from the cache, else fetched into it; verified every time.

``hub/models/ORG/REPO/COMMIT/FILE`` are the files. ``trust/models/ORG/REPO.json`` remembers their
hashes and the commits of branches, and outlives the files. What is in the cache needs neither the
network, nor huggingface_hub, nor a right to write. Importing this module imports nothing heavy.
"""

from __future__ import annotations

import datetime
import errno
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

from zoo_core.contracts.model_source import FirstSeen
from zoo_core.errors import HubUnreachableError, WeightsError
from zoo_core.files import replacing
from zoo_core.untrusted import is_commit, is_sha256, refuse_while_building, verify
from zoo_hub.reference import ANY, Expected, Kind, Reference
from zoo_hub.settings import cache_root, offline

UNNAMED = ""
"""Key of the commit that is used where no revision is named."""


@dataclass(frozen=True)
class FileRecord(FirstSeen):
    """What a file was when it came into the cache first, as the record of its repository says."""

    def __post_init__(self) -> None:
        kinds = (type(self.sha256), type(self.bytes), type(self.date))
        if kinds != (str, int, str) or not is_sha256(self.sha256):
            raise ValueError("not what was seen of a file")


@dataclass(frozen=True)
class Record:
    """What is remembered of a repository.

    Attributes:
        commits: Commit by revision, as last seen; for `UNNAMED`, as first seen.
        files: What was seen, by ``COMMIT/FILE``.
    """

    commits: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, FileRecord] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not all(is_commit(commit) for commit in self.commits.values()):
            raise ValueError("not a commit")

    def commit(self, reference: Reference) -> str | None:
        """The commit that a reference means, if that is remembered."""
        if reference.pinned:
            return reference.revision
        return self.commits.get(reference.revision or UNNAMED)


class RepoCache:
    """The cache of one repository.

    Args:
        reference: The repository.
        root: The cache; None for the one of this user.

    Attributes:
        trust: The file that holds its `Record`.
    """

    def __init__(self, reference: Reference, root: Path | None = None) -> None:
        root = root or cache_root()
        place = Path(f"{reference.kind}s", *reference.repo.split("/"))
        self.trust = root / "trust" / place.with_name(f"{place.name}.json")
        self._folder = root / "hub" / place
        self._lock = root / "locks" / place.with_name(f"{place.name}.lock")

    def path(self, commit: str, file: str) -> Path:
        """Where a file is or would be."""
        return self._folder / commit / file

    def record(self) -> Record:
        """What is remembered of the repository.

        Raises:
            WeightsError: If the file is damaged.
            OSError: If it cannot be opened.
        """
        try:
            values = json.loads(self.trust.read_text(encoding="utf-8"))
            seen = {key: value for key, value in values["files"].items() if value["sha256"]}
            files = {key: FileRecord(**value) for key, value in seen.items()}
            return Record(dict(values["commits"]), files)
        except FileNotFoundError:
            return Record()
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as fault:
            raise WeightsError(
                f"it cannot be read ({type(fault).__name__}), and without it no hash is known",
                asked=f"record {self.trust}",
                hint="Restore it; or delete it, and what is seen next is trusted anew.",
            ) from fault

    def remember(self, commit: str, revision: str | None, files: Mapping[str, FileRecord]) -> None:
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
        new = Record(commits, {**old.files, **{f"{commit}/{f}": seen for f, seen in files.items()}})
        if new != old:
            with replacing(self.trust, durable=True) as part:
                text = json.dumps(vars(new), indent=1, sort_keys=True, default=vars)
                part.write_text(text, encoding="utf-8")

    def known(self, reference: Reference) -> tuple[Path | None, FileRecord | None]:
        """The cached file that a reference means, unopened, and what was seen of it first."""
        record, file = self.record(), reference.file or ""
        commit = record.commit(reference)
        if commit is None:
            return None, None
        path = self.path(commit, file)
        return path if path.is_file() else None, record.files.get(f"{commit}/{file}")

    def find(self, reference: Reference, expected: Expected) -> Path | None:
        """The cached file that a reference means, if it is there and is what it must be."""
        path, seen = self.known(reference)
        first = ANY if seen is None else Expected(seen.sha256, seen.bytes)
        sha256, size = expected.sha256 or first.sha256, expected.bytes or first.bytes
        if path is None or sha256 is None:
            return None
        try:
            verify(path, sha256=sha256, size=size)
        except WeightsError:
            return None
        return path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the lock of the repository against other processes and threads."""
        from filelock import FileLock, Timeout

        self._lock.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._lock)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if sys.stderr.isatty():
                repo = "/".join(self._folder.parts[-2:])
                print(f"Another process is fetching from {repo}", file=sys.stderr)  # noqa: T201
            lock.acquire()
        try:
            yield
        finally:
            lock.release()


def fetch(reference: Reference, expected: Expected = ANY, *, asked: str = "") -> Path:
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
        WeightsError: If the cache cannot be used, or a model of a stranger asks for it.
    """
    asked = asked or f'model "{reference}"'
    refuse_while_building(f"{reference} of the Hub")
    with cache_errors(asked):
        cache = RepoCache(reference)
        path = cache.find(reference, expected)
        if path is not None and (offline() or reference.pinned or reference.revision is None):
            return path
        if offline():
            raise _without_requests(cache, reference, asked)
        try:
            with cache.locked():
                return _from_hub(cache, reference, expected, asked)
        except HubUnreachableError:
            if path is None:
                raise
            return path


def _from_hub(cache: RepoCache, reference: Reference, expected: Expected, asked: str) -> Path:
    """Asks the Hub, unless another process did so while the lock was awaited."""
    from zoo_hub.transfer import Download, describe  # imports huggingface_hub

    file, wanted, record = reference.file or "", reference, cache.record()
    damaged, _ = cache.known(reference)
    if reference.pinned or reference.revision is None:
        if (path := cache.find(reference, expected)) is not None:
            return path
        wanted = replace(reference, revision=record.commit(reference))
        asked += " (its cached file is damaged)" if damaged is not None else ""
    remote = describe(wanted, asked)
    pinned = replace(reference, revision=remote.commit)
    files = {}
    if (path := cache.find(pinned, expected)) is None:
        seen = record.files.get(f"{remote.commit}/{file}")
        if seen is not None and expected.sha256 is None:
            expected = Expected(seen.sha256, seen.bytes, f"on {seen.date} by {cache.trust}")
        path = cache.path(remote.commit, file)
        part = path.with_name(f".{path.name}.part")
        sha256, size = Download(pinned, remote, expected, asked).run(part)
        part.replace(path)
        today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
        same = seen is not None and seen.sha256 == sha256
        files = {} if same else {file: FileRecord(sha256, size, today)}
    cache.remember(remote.commit, reference.revision, files)
    return path


def cached_files(root: Path | None = None) -> Iterator[tuple[Reference, Path, FileRecord]]:
    """All cached files of whatever repository, with what was seen of them first."""
    root = root or cache_root()
    kinds: tuple[Kind, ...] = get_args(Kind)
    for kind in kinds:
        for trust in sorted((root / "trust" / f"{kind}s").glob("*/*.json")):
            repository = Reference(f"{trust.parent.name}/{trust.stem}", kind)
            cache = RepoCache(repository, root)
            for key, seen in cache.record().files.items():
                commit, _, file = key.partition("/")
                if (path := cache.path(commit, file)).is_file():
                    yield replace(repository, revision=commit, file=file), path, seen


@contextmanager
def cache_errors(asked: str) -> Iterator[None]:
    """Turns what the file system refuses into an error for people."""
    try:
        yield
    except OSError as fault:
        root = cache_root()
        problem = f"the cache cannot be used: {fault.filename or root}: {fault.strerror or fault}"
        hint = "Make it writable, or set ZOO_CACHE to another place."
        if fault.errno in (errno.ENOSPC, errno.EDQUOT):
            problem = f"the disk of the cache {root} is full; nothing of it was kept"
            hint = "Free space, or set ZOO_CACHE to another place."
        raise WeightsError(problem, asked=asked, hint=hint) from fault


def _without_requests(cache: RepoCache, reference: Reference, asked: str) -> HubUnreachableError:
    path, _ = cache.known(reference)
    if path is not None:
        problem = f"the cached file {path} is damaged, and HF_HUB_OFFLINE forbids fetching it"
    else:
        problem = (
            f"it is not in the cache, and HF_HUB_OFFLINE forbids asking the Hub for {reference}"
        )
    hint = "Unset HF_HUB_OFFLINE once; afterwards it works offline."
    return HubUnreachableError(problem, asked=asked, hint=hint)
