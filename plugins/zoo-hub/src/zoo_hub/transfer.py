"""Two requests: what a file is, and its content; bounded in time and bytes, and verified.

huggingface_hub names the addresses, brings the token, tells errors apart and holds the connection.
Its downloader is not used for the content: it compares it with no hash, begins again after a killed
process, writes without a bound where no length is announced, never ends a download of one byte in
three seconds, and gives up only after 20 seconds where there is no network.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha1
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from huggingface_hub import get_hf_file_metadata, get_session, hf_hub_url, hf_raise_for_status
from huggingface_hub.errors import FileMetadataError
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # it is public

from zoo_core.errors import HubError
from zoo_core.files import sync
from zoo_core.untrusted import file_sha256, is_commit, is_sha256
from zoo_hub import failures
from zoo_hub.reference import Expected, Reference
from zoo_hub.settings import DOWNLOAD, endpoint, timeout

T = TypeVar("T")

FIRST_PAUSE = 0.25
"""Seconds before the first retry; each further one waits twice as long."""
SLOWEST = 1000
"""Bytes a second that count as progress."""
_SMALL = 10**7
"""Bytes below which a file may be announced by git's hash of it."""


@dataclass(frozen=True)
class Remote:
    """What the Hub says of a file.

    Attributes:
        commit: The commit that the revision means, 40 digits.
        size: Its bytes; None where the Hub does not say.
        etag: The sha256 of a large file, git's hash of a small one; a mirror may differ.
    """

    commit: str
    size: int | None
    etag: str


class _Patience:
    """How long to wait: anew with all that comes, if it is more than a few drops."""

    def __init__(self) -> None:
        self.seconds, self.there = timeout(), 0
        self.deadline = time.monotonic() + self.seconds

    @property
    def left(self) -> float:
        """Seconds left."""
        return self.deadline - time.monotonic()

    def came(self, there: int) -> None:
        """Notes how many bytes are there now."""
        if there >= self.there + SLOWEST * self.seconds:
            self.there, self.deadline = there, time.monotonic() + self.seconds


def describe(reference: Reference, asked: str) -> Remote:
    """Asks what a file is.

    Args:
        reference: Repository, revision and file.
        asked: How the user named it, for errors.

    Raises:
        HubError: If the Hub has it not, refuses it, cannot be asked, or names no commit, or
            another than the one asked for.
    """
    patience = _Patience()

    def ask() -> Remote:
        left = max(patience.left, 0.05)
        place, options = endpoint(), {"timeout": left, **_ourselves()}
        found = _within(
            left, lambda: get_hf_file_metadata(_address(reference), endpoint=place, **options)
        )
        if not is_commit(found.commit_hash or "") or found.etag is None:
            raise FileMetadataError("no commit or no ETag")
        return Remote(str(found.commit_hash), found.size, found.etag)

    with failures.explaining(reference, asked):
        remote = _persistently(ask, patience)
    if reference.pinned and remote.commit != reference.revision:
        raise HubError(
            f"the Hub answers with another commit, {remote.commit}",
            asked=asked,
            hint="It is not used: a mirror (HF_ENDPOINT) or a proxy answers wrongly.",
        )
    return remote


@dataclass(frozen=True)
class Download:
    """One file on its way into the cache.

    Attributes:
        reference: Repository, commit and file.
        remote: What the Hub says of it.
        expected: What it must be.
        asked: How the user named it, for errors.
    """

    reference: Reference
    remote: Remote
    expected: Expected
    asked: str

    def run(self, part: Path) -> tuple[str, int]:
        """Fetches and verifies the content.

        Args:
            part: File to write. It stays only where the process is killed, and the next download
                goes on from there.

        Returns:
            Its sha256 and its size.

        Raises:
            HubError: If another file comes, a larger one than announced or allowed, or none.
            OSError: If the cache cannot be written.
        """
        announced = self.remote.etag if is_sha256(self.remote.etag) else None
        self._compare(announced, self.remote.size)
        DOWNLOAD.refuse_beyond(self.remote.size or 0, self.asked, HubError)
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            begun = part.exists()
            self._transfer(part)
            try:
                return self._verified(part)
            except HubError:
                if not begun:
                    raise
            part.unlink()  # what an earlier process had left may have been damaged
            self._transfer(part)
            return self._verified(part)
        except Exception:
            with contextlib.suppress(OSError):
                part.unlink()
            raise

    def _transfer(self, part: Path) -> None:
        """Writes the content, going on where ``part`` ends, again where the connection breaks."""
        size = self.remote.size
        if size is None or _length(part) > size:
            part.unlink(missing_ok=True)
        if (size or 0) - _length(part) > shutil.disk_usage(part.parent).free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(part.parent))
        patience = _Patience()

        def go_on() -> None:
            if _length(part) != size:
                self._write_rest(part, patience, tick)
            if _length(part) < (size or 0):
                raise failures.CutShortError(f"{_length(part):,} of {size:,} bytes")

        title = f"Fetching {self.reference.file} of {self.reference.repo}"
        with failures.explaining(self.reference, self.asked), _progress_bar(title, size) as tick:
            _persistently(go_on, patience)
        sync(part)

    def _write_rest(self, part: Path, patience: _Patience, tick: Callable[[int], object]) -> None:
        """Writes what one answer brings, up to what was announced or is allowed."""
        size = self.remote.size
        bound = size if size is not None else self.expected.bytes or DOWNLOAD.value()
        there = _length(part)
        with _opened(self.reference, there, patience) as response:
            there = there if response.status_code == 206 else 0
            with part.open("ab" if there else "wb") as file:
                for chunk in response.iter_raw():
                    file.write(chunk)
                    there += len(chunk)
                    tick(there)
                    patience.came(there)
                    if there > bound:
                        raise HubError(
                            f"the Hub sends more than the {bound:,} bytes announced or allowed",
                            asked=self.asked,
                            hint="It is not used: a proxy or a mirror (HF_ENDPOINT) changes files.",
                        )
                    if patience.left < 0:
                        raise failures.CutShortError(f"{there:,} bytes so far, drop by drop")

    def _verified(self, part: Path) -> tuple[str, int]:
        """Hash and size of what came, if it is what it must be."""
        size, digest, etag = _length(part), file_sha256(part), self.remote.etag
        self._compare(digest, size)
        announced = digest if is_sha256(etag) else etag
        if is_commit(etag) and size < _SMALL:  # as git calls the content
            content = part.read_bytes()
            announced = sha1(b"blob %d\0" % size + content, usedforsecurity=False).hexdigest()
        if self.remote.size not in (None, size) or etag != announced:
            raise HubError(
                f'what came for "{self.reference.file}" is not what the Hub announced: it was '
                f"damaged on the way (sha256 {digest[:16]}…, {size:,} bytes)",
                asked=self.asked,
                hint="Try again; if it stays so, a proxy or a mirror (HF_ENDPOINT) changes files.",
            )
        return digest, size

    def _compare(self, digest: str | None, size: int | None) -> None:
        """Raises `HubError` where a hash or size is not the expected one, or the one seen first."""
        expected = self.expected
        if digest and expected.sha256 and digest != expected.sha256:
            found, wanted = f"has sha256 {digest[:16]}…", f"{expected.sha256[:16]}…"
        elif size is not None and expected.bytes is not None and size != expected.bytes:
            found, wanted = f"has {size:,} bytes", f"{expected.bytes:,}"
        else:
            return
        problem = f'the file "{self.reference.file}" that the Hub sends {found}, expected {wanted}'
        hint = "It is not used: it was damaged on the way or exchanged. Try again; if it stays "
        hint += "so, tell the plugin's author."
        if expected.record is not None:
            problem += f", as it was seen first, {expected.record}: it was exchanged"
            hint = (
                "It is not used. If you know why it changed, delete that record to trust it anew."
            )
        raise HubError(problem, asked=self.asked, hint=hint)


def _persistently(call: Callable[[], T], patience: _Patience) -> T:
    """Calls again, with growing pauses, while the failure may pass and there is time."""
    pause, tries = FIRST_PAUSE, 0
    while True:
        there = patience.there
        try:
            return call()
        except Exception as error:
            if patience.there > there:
                pause, tries = FIRST_PAUSE, 0  # something came: this is another failure
            tries += 1
            wait = max(pause, failures.retry_after(error))
            hopeless = tries > 1 and failures.is_unreachable(error)
            if hopeless or not failures.is_transient(error) or wait >= patience.left:
                raise
        time.sleep(wait)
        pause *= 2


def _within(seconds: float, call: Callable[[], T]) -> T:
    """The result of a call that may take so long; where it takes longer, it is left behind.

    A timeout of the HTTP client bounds neither the search for a host's address nor an answer
    that comes drop by drop.

    Raises:
        TimeoutError: If it is not done in time.
    """
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(call())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, daemon=True, name="zoo-hub").start()
    return done.result(timeout=seconds)


@contextmanager
def _opened(reference: Reference, start: int, patience: _Patience) -> Iterator[Any]:
    """The answer to the request for a file from byte ``start`` on, its body not yet read."""

    def send() -> Any:
        client, pause = get_session(), patience.seconds
        headers = build_hf_headers(**_ourselves()) | {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        request = client.build_request("GET", _address(reference), headers=headers, timeout=pause)
        return client.send(request, stream=True, follow_redirects=True)

    response = _within(max(patience.left, 0.05), send)
    try:
        if response.status_code >= 400:
            response.read()
        hf_raise_for_status(response)
        yield response
    finally:
        response.close()


@contextmanager
def _progress_bar(title: str, size: int | None) -> Iterator[Callable[[int], object]]:
    """A bar on the standard error, if that is a terminal; yields what is told the bytes there."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    console = Console(stderr=True, highlight=False)
    shown = console.is_terminal
    if shown:
        known = "of unknown size" if size is None else f"{size / 1e6:.1f} MB"
        console.print(f"{title}, {known}", markup=False)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True, disable=not shown) as bars:
        task = bars.add_task("", total=size)
        yield lambda there: bars.update(task, completed=there)


def _address(reference: Reference) -> str:
    return hf_hub_url(
        reference.repo,
        reference.file or "",
        repo_type=reference.kind,
        revision=reference.revision,
        endpoint=endpoint(),
    )


def _ourselves() -> dict[str, Any]:
    return {"library_name": "zoo-hub", "library_version": version("zoo-hub")}


def _length(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
