"""Two requests: what a file is, and its content. Both within a bounded time.

huggingface_hub names the addresses, brings the token, tells errors apart and holds the connection.
Its own downloader is not used: it does not check content, cannot go on with a download that a
killed process began, and its retries take 23 seconds when there is no network.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from huggingface_hub import (
    get_hf_file_metadata,
    get_session,
    hf_hub_url,
    hf_raise_for_status,
)
from huggingface_hub.errors import FileMetadataError
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # it is public

from zoo_core.hub.failures import CutShortError, is_transient, is_unreachable, retry_after
from zoo_core.hub.reference import Reference
from zoo_core.hub.settings import endpoint

T = TypeVar("T")
Tick = Callable[[int], object]
"""Told how many bytes are there now."""

FIRST_PAUSE = 0.25
"""Seconds before the first retry; each further one waits twice as long."""


@dataclass(frozen=True)
class Remote:
    """What the Hub says of a file.

    Attributes:
        commit: The commit that the revision means.
        size: Its bytes; None where the Hub does not say.
        etag: The sha256 of a large file, git's hash of a small one; a mirror may differ.
    """

    commit: str
    size: int | None
    etag: str


def describe(reference: Reference, seconds: float) -> Remote:
    """Asks what a file is.

    Args:
        reference: Repository, revision and file.
        seconds: Time until the answer, retries and all.
    """
    deadline = time.monotonic() + seconds

    def ask() -> Remote:
        left = max(deadline - time.monotonic(), 0.05)
        found = within(
            left,
            lambda: get_hf_file_metadata(
                _address(reference), timeout=left, endpoint=endpoint(), **_ourselves()
            ),
        )
        if found.commit_hash is None or found.etag is None:
            raise FileMetadataError("no commit or no ETag")
        return Remote(found.commit_hash, found.size, found.etag)

    return _persistently(ask, lambda: deadline)


def download(
    reference: Reference, size: int | None, part: Path, seconds: float, tick: Tick
) -> None:
    """Fetches the content of a file, going on where ``part`` ends.

    Args:
        reference: Repository, commit and file.
        size: Its bytes, where known.
        part: File to write; what it holds already is the beginning of the content.
        seconds: Longest time without anything new.
        tick: Told of progress.
    """
    if size is None or _length(part) > size:
        part.unlink(missing_ok=True)
    best, deadline = _length(part), time.monotonic() + seconds

    def go_on() -> None:
        nonlocal best, deadline
        start = _length(part)
        if start == size:
            return
        left = max(deadline - time.monotonic(), 0.05)
        with _opened(reference, start, left, pause=seconds) as response:
            resumed = response.status_code == 206
            with part.open("ab" if resumed else "wb") as file:
                there = start if resumed else 0
                for chunk in response.iter_bytes():
                    file.write(chunk)
                    there += len(chunk)
                    if there > best:
                        best, deadline = there, time.monotonic() + seconds
                    elif time.monotonic() > deadline:
                        break
                    tick(there)
        if size is not None and there < size:
            raise CutShortError(f"{there:,} of {size:,} bytes")

    _persistently(go_on, lambda: deadline)


def within(seconds: float, call: Callable[[], T]) -> T:
    """The result of a call that may take so long; where it takes longer, it is left behind.

    A timeout of the HTTP client does not bound the search for a host's address.

    Raises:
        TimeoutError: If it is not done in time.
    """
    box: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            box.put((call(), None))
        except BaseException as error:
            box.put((None, error))

    threading.Thread(target=run, daemon=True, name="zoo-hub").start()
    try:
        result, error = box.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:.3g} s") from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]  # a result where there is no error


def _persistently(call: Callable[[], T], deadline: Callable[[], float]) -> T:
    """Calls again, with growing pauses, while the failure may pass and there is time."""
    pause, tries = FIRST_PAUSE, 0
    while True:
        before = deadline()
        try:
            return call()
        except Exception as error:
            if deadline() > before:
                pause, tries = FIRST_PAUSE, 0  # something came: this is another failure
            tries += 1
            wait = max(pause, retry_after(error))
            if not is_transient(error) or time.monotonic() + wait >= deadline():
                raise
            if tries > 1 and is_unreachable(error):
                raise
        time.sleep(wait)
        pause *= 2


@contextmanager
def _opened(reference: Reference, start: int, seconds: float, *, pause: float) -> Iterator[Any]:
    """The answer to the request for a file from byte ``start`` on, its body not yet read.

    It comes within ``seconds``; its body may then pause for as long as ``pause``.
    """

    def send() -> Any:
        client = get_session()
        headers = build_hf_headers(**_ourselves()) | {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        request = client.build_request("GET", _address(reference), headers=headers, timeout=pause)
        return client.send(request, stream=True, follow_redirects=True)

    response = within(seconds, send)
    try:
        if response.status_code >= 400:
            response.read()
        hf_raise_for_status(response)
        yield response
    finally:
        response.close()


def _address(reference: Reference) -> str:
    if reference.file is None:
        raise ValueError(f"{reference} names no file")
    return hf_hub_url(
        reference.repo,
        reference.file,
        repo_type=reference.kind,
        revision=reference.revision,
        endpoint=endpoint(),
    )


def _ourselves() -> dict[str, Any]:
    return {"library_name": "zoo-core", "library_version": version("zoo-core")}


def _length(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
