"""How a file enters the cache: announced, transferred, verified, and only then given its name."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path

from zoo_core.errors import HubError, ZooError
from zoo_core.files import file_sha256
from zoo_core.hub import transport
from zoo_core.hub.failures import HubRequest, explained, is_local
from zoo_core.hub.progress import progress_bar
from zoo_core.hub.reference import Reference
from zoo_core.hub.settings import timeout
from zoo_core.hub.store import Expected, FileRecord, RepoCache, today

_SHA256, _GIT = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")


def remote_file(reference: Reference, asked: str) -> transport.Remote:
    """What the Hub says of a file.

    Raises:
        HubError: If it has it not, refuses it, or cannot be asked.
    """
    with _explaining(reference, asked):
        return transport.describe(reference, timeout())


@dataclass(frozen=True)
class FileDownload:
    """One file on its way into the cache.

    Attributes:
        reference: Repository, commit and file.
        remote: What the Hub says of it.
        expected: What it must be.
        seen: What was seen of it first; None: it was never here.
        asked: How the user named it.
    """

    reference: Reference
    remote: transport.Remote
    expected: Expected
    seen: FileRecord | None
    asked: str

    def download(self, path: Path, part: Path) -> FileRecord:
        """Fetches the file; what is there now is what was seen of it.

        Args:
            path: Its place in the cache.
            part: Its place until it is verified. Only where the process is stopped does it stay,
                and the next download goes on from there.

        Raises:
            HubError: If another file comes, or none.
            OSError: If the cache cannot be written.
        """
        self._compare(self._announced(), self.remote.size)
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            begun = part.exists()
            self._transfer(part)
            try:
                seen = self._verified(part)
            except HubError:
                if not begun:
                    raise
                part.unlink()  # what an earlier process had left may have been damaged
                self._transfer(part)
                seen = self._verified(part)
            part.replace(path)
        except Exception:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
        return seen

    def _transfer(self, part: Path) -> None:
        size = self.remote.size
        missing = (size or 0) - (part.stat().st_size if part.exists() else 0)
        free = shutil.disk_usage(part.parent).free
        if missing > free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(part.parent))
        title = f"{self.reference.file} of {self.reference.repo}"
        with _explaining(self.reference, self.asked), progress_bar(title, size) as tick:
            transport.download(self.reference, size, part, timeout(), tick)
        with part.open("rb") as file:
            os.fsync(file.fileno())

    def _verified(self, part: Path) -> FileRecord:
        """What came, if it is what it must be."""
        size, digest = part.stat().st_size, file_sha256(part)
        self._compare(digest, size)
        etag = self.remote.etag
        damaged = self.remote.size not in (None, size)
        damaged |= _SHA256.fullmatch(etag) is not None and etag != digest
        damaged |= _GIT.fullmatch(etag) is not None and size < 10**7 and etag != _git_hash(part)
        if damaged:
            raise HubError(
                f'what came for "{self.reference.file}" is not what the Hub announced: it was '
                f"damaged on the way (sha256 {digest[:16]}…, {size:,} bytes)",
                asked=self.asked,
                hint="Try again; if it stays so, a proxy or a mirror (HF_ENDPOINT) changes files.",
            )
        if self.seen is not None and self.seen.sha256 == digest:
            return self.seen
        return FileRecord(digest, size, today())

    def _announced(self) -> str | None:
        """The sha256 that the Hub states, for large files."""
        return self.remote.etag if _SHA256.fullmatch(self.remote.etag) else None

    def _compare(self, digest: str | None, size: int | None) -> None:
        """Raises `HubError` where a hash or size is not the expected one, or the one seen first."""
        first = self.seen is not None and not self.seen.absent and self.expected.sha256 is None
        sha256 = self.seen.sha256 if first and self.seen else self.expected.sha256
        length = self.seen.bytes if first and self.seen else self.expected.bytes
        wrong = None
        if None not in (digest, sha256) and digest != sha256:
            wrong = f"has sha256 {str(digest)[:16]}…", f"{str(sha256)[:16]}…"
        elif None not in (size, length) and size != length:
            wrong = f"has {size:,} bytes", f"{length:,}"
        if wrong is None:
            return
        what = f'the file "{self.reference.file}" that the Hub sends {wrong[0]}'
        if first and self.seen:
            raise HubError(
                f"{what}, but {wrong[1]} was seen first, on {self.seen.date}: it was exchanged",
                asked=self.asked,
                hint="It is not used. If you know why it changed, delete "
                f"{RepoCache(self.reference).trust} to trust it anew.",
            )
        raise HubError(
            f"{what}, expected {wrong[1]}",
            asked=self.asked,
            hint="It is not used: it was damaged on the way or exchanged. Try again; if it stays "
            "so, tell the plugin's author.",
        )


@contextlib.contextmanager
def _explaining(reference: Reference, asked: str) -> Iterator[None]:
    """Turns failures of a request into errors for people; those of the disk pass."""
    try:
        yield
    except ZooError:
        raise
    except Exception as error:
        if is_local(error):
            raise
        raise explained(error, HubRequest(reference, asked, timeout())) from error


def _git_hash(path: Path) -> str:
    """What git calls the content of a (small) file."""
    content = path.read_bytes()
    return sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
