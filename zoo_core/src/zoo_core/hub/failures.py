"""What went wrong with the Hub, in plain words: what was asked, what is wrong, what to do next."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from huggingface_hub import get_token
from huggingface_hub.errors import (
    DisabledRepoError,
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from zoo_core.errors import HubError, HubMissingError, HubUnreachableError
from zoo_core.hub.reference import Reference
from zoo_core.hub.settings import PUBLIC, endpoint

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that may pass."""
_CONNECTION = frozenset(
    {"TransportError", "TimeoutException", "NetworkError", "RemoteProtocolError", "TimeoutError"}
)
_LOGIN = "give a token by HF_TOKEN or `hf auth login`"


class CutShortError(OSError):
    """A body ended before its time."""


@dataclass(frozen=True)
class HubRequest:
    """What was asked of the Hub.

    Attributes:
        reference: Repository, revision and file.
        asked: How the user named it, such as ``model "stargan-celeba"``.
        seconds: How long the Hub was given.
    """

    reference: Reference
    asked: str
    seconds: float

    @property
    def page(self) -> str:
        """The repository's page for people."""
        prefix = "" if self.reference.kind == "model" else f"{self.reference.kind}s/"
        return f"{endpoint()}/{prefix}{self.reference.repo}"

    @property
    def what(self) -> str:
        """Kind and name of the repository."""
        return f"{self.reference.kind} repository {self.reference.repo}"


def is_transient(error: BaseException) -> bool:
    """Whether the same request may succeed in a moment."""
    status = status_of(error)
    if status is not None:
        return status in RETRIED
    kinds = _kinds(error)
    if kinds & {"ProxyError", "UnsupportedProtocol", "InvalidURL", "TooManyRedirects"}:
        return False
    return bool(kinds & _CONNECTION) or isinstance(error, CutShortError)


def is_local(error: BaseException) -> bool:
    """Whether it is this machine's disk that failed, not the network."""
    network = (TimeoutError, ConnectionError, socket.gaierror, ssl.SSLError)
    return isinstance(error, OSError) and error.errno is not None and not isinstance(error, network)


def is_unreachable(error: BaseException) -> bool:
    """Whether the host is unknown or refuses the connection, which seldom passes in a moment."""
    kinds = (socket.gaierror, ConnectionRefusedError)
    return any(isinstance(cause, kinds) for cause in _chain(error))


def status_of(error: BaseException) -> int | None:
    """The status of the answer that an error is about."""
    status: int | None = getattr(getattr(error, "response", None), "status_code", None)
    return status


def retry_after(error: BaseException) -> float:
    """Seconds for which the Hub asks to be left alone."""
    headers: Any = getattr(getattr(error, "response", None), "headers", {})
    after = str(headers.get("Retry-After", "")).strip()
    reset = re.search(r"\br=0\b.*\bt=(\d+)", str(headers.get("RateLimit", "")))
    return float(after) if after.isdigit() else float(reset[1]) if reset else 0.0


def explained(error: BaseException, request: HubRequest) -> HubError:
    """The error for people."""
    for describe in (_of_repository, _of_status, _of_connection):
        found = describe(error, request)
        if found is not None:
            return found
    text = f"{type(error).__name__}: {str(error)[:200]}"
    return HubUnreachableError(
        f"the Hub at {endpoint()} could not be asked ({text})",
        asked=request.asked,
        hint="Check the connection and HF_ENDPOINT, and try again.",
    )


def _of_repository(error: BaseException, request: HubRequest) -> HubError | None:
    """What huggingface_hub already tells apart."""
    asked, reference, what = request.asked, request.reference, request.what
    token = get_token() is not None
    if isinstance(error, GatedRepoError):
        step = "wait for its owner, or ask again" if token else f"then {_LOGIN}"
        return HubError(
            f"the {what} is gated: its owner grants access one by one",
            asked=asked,
            hint=f"Ask for access at {request.page}; {step}.",
        )
    if isinstance(error, DisabledRepoError):
        return HubError(
            f"the Hub has disabled the {what}", asked=asked, hint=f"See {request.page}."
        )
    if isinstance(error, RepositoryNotFoundError):
        hidden = "your token does not open it" if token else "it is private"
        step = "use a token that opens it" if token else _LOGIN
        return HubMissingError(
            "repository",
            f"there is no {what} at {endpoint()}, or {hidden}",
            asked=asked,
            hint=f"Check the name; if it is private, {step}.",
        )
    if isinstance(error, RevisionNotFoundError):
        return HubMissingError(
            "revision",
            f'the {what} has no revision "{reference.revision or "main"}"',
            asked=asked,
            hint=f"Its revisions: {request.page}/commits/main.",
        )
    if isinstance(error, RemoteEntryNotFoundError):
        revision = reference.revision or "main"
        return HubMissingError(
            "file",
            f'the {what} has no file "{reference.file}" at revision {revision}',
            asked=asked,
            hint=f"Its files: {request.page}/tree/{revision}.",
        )
    if isinstance(error, FileMetadataError):
        return HubUnreachableError(
            f"what answers at {endpoint()} is no Hub (its answer names no commit)",
            asked=asked,
            hint="Check HF_ENDPOINT; a proxy or the login page of a network may answer instead.",
        )
    return None


def _of_status(error: BaseException, request: HubRequest) -> HubError | None:
    """What the status alone says."""
    status = status_of(error)
    if status is None or not isinstance(error, HfHubHTTPError):
        return None
    said = error.response.headers.get("X-Error-Message", "").strip()[:200]
    quoted = f', saying "{said}"' if said else ""
    if status == 401:
        problem = f"the Hub at {endpoint()} does not accept the token (401{quoted})"
        hint = "Renew it by `hf auth login`, or unset HF_TOKEN to go without."
    elif status == 403:
        problem = f"the Hub refuses access to the {request.what} (403{quoted})"
        hint = f"Use a token that may read it, or see {request.page}."
    elif status == 429:
        wait = retry_after(error)
        problem = f"the Hub is asked too often from here (429{quoted})"
        hint = f"Try again in {wait:.0f} s." if wait else "Try again in a few minutes."
        hint += "" if get_token() else " A token by HF_TOKEN allows more requests."
    elif status >= 500 or status in RETRIED:
        problem = f"the Hub at {endpoint()} has a fault of its own ({status}{quoted})"
        hint = "Try again later."
    else:
        problem = f"the Hub at {endpoint()} answers {status}{quoted}"
        hint = "Check the name and HF_ENDPOINT."
    kind = HubUnreachableError if status in RETRIED or status >= 500 else HubError
    return kind(problem, asked=request.asked, hint=hint)


def _of_connection(error: BaseException, request: HubRequest) -> HubError | None:
    """What the network says."""
    place, causes, kinds = endpoint(), list(_chain(error)), _kinds(error)
    unset = "" if place == PUBLIC else f", check HF_ENDPOINT (now {place})"
    hint = f"Check the connection{unset} and try again."
    if isinstance(error, OfflineModeIsEnabled):
        return HubUnreachableError(
            "it is not in the cache, and HF_HUB_OFFLINE forbids asking the Hub",
            asked=request.asked,
            hint="Unset HF_HUB_OFFLINE once; afterwards it works offline.",
        )
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        problem = f"the host of {place} is unknown here: there is no network, or no such host"
    elif any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        problem = f"{place} refuses the connection"
    elif any(isinstance(cause, ssl.SSLError) for cause in causes):
        problem = f"no secure connection to {place} ({str(error)[:200]})"
        hint = "Check the clock and certificates of this machine, and its proxy."
    elif "ProxyError" in kinds:
        problem = f"the proxy does not let requests through to {place}"
        hint = "Check HTTPS_PROXY and NO_PROXY."
    elif "TooManyRedirects" in kinds:
        problem = f"{place} redirects in a circle"
        hint = "Check HF_ENDPOINT."
    elif isinstance(error, CutShortError):
        problem = f"{place} ends the file before its time ({error})"
        hint = "Try again later."
    elif "TimeoutException" in kinds or isinstance(error, TimeoutError):
        problem = f"{place} was silent for {request.seconds:g} s"
        hint += " ZOO_HUB_TIMEOUT=SECONDS waits longer."
    elif kinds & _CONNECTION:
        problem = f"the connection to {place} broke ({str(error)[:200]})"
    else:
        return None
    return HubUnreachableError(problem, asked=request.asked, hint=hint)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen = 0
    while error is not None and seen < 20:
        yield error
        error, seen = error.__cause__ or error.__context__, seen + 1


def _kinds(error: BaseException) -> set[str]:
    """Names of an error's classes: huggingface_hub's HTTP client is httpx or httpx2."""
    return {cls.__name__ for cls in type(error).__mro__}
