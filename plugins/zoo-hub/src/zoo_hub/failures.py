"""What went wrong with the Hub, in plain words: what was asked, what is wrong, what to do next."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from huggingface_hub import errors as hf
from huggingface_hub import get_token

from zoo_core.errors import HubError, HubUnreachableError, ZooError
from zoo_hub.reference import HubMissingError, Reference
from zoo_hub.settings import PUBLIC, endpoint, timeout

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that may pass."""
_CONNECTION = frozenset(
    {"TransportError", "TimeoutException", "NetworkError", "RemoteProtocolError", "TimeoutError"}
)
_FOR_GOOD = frozenset({"ProxyError", "UnsupportedProtocol", "InvalidURL", "TooManyRedirects"})


class CutShortError(OSError):
    """A body ended before its time, or comes too slowly."""


@contextmanager
def explaining(reference: Reference, asked: str) -> Iterator[None]:
    """Turns failures of requests within the block into errors for people; others pass.

    Args:
        reference: What is asked of the Hub.
        asked: How the user named it, such as ``model "stargan-celeba"``.
    """
    try:
        yield
    except ZooError:
        raise
    except Exception as error:
        if _is_local(error):
            raise
        raise explained(error, reference, asked) from error


def is_transient(error: BaseException) -> bool:
    """Whether the same request may succeed in a moment."""
    status = status_of(error)
    if status is not None:
        return status in RETRIED
    kinds = _kinds(error)
    return not kinds & _FOR_GOOD and (bool(kinds & _CONNECTION) or isinstance(error, CutShortError))


def is_unreachable(error: BaseException) -> bool:
    """Whether the host is unknown or refuses the connection, which seldom passes in a moment."""
    return _caused(error, socket.gaierror, ConnectionRefusedError)


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


def explained(error: BaseException, reference: Reference, asked: str) -> HubError:
    """The error for people."""
    if (missing := _missing(error, reference)) is not None:
        kind, problem, hint = missing
        return HubMissingError(kind, problem, asked=asked, hint=hint)
    if (refused := _refused(error, reference)) is not None:
        problem, hint = refused
        passing = (status_of(error) or 0) in RETRIED or (status_of(error) or 0) >= 500
        return (HubUnreachableError if passing else HubError)(problem, asked=asked, hint=hint)
    problem, hint = _broken(error)
    return HubUnreachableError(problem, asked=asked, hint=hint)


def _missing(error: BaseException, reference: Reference) -> tuple[str, str, str] | None:
    """What there is not, that it is not there, and what to do."""
    what, page, revision = _what(reference), _page(reference), reference.revision or "main"
    if isinstance(error, hf.GatedRepoError | hf.DisabledRepoError):
        return None
    if isinstance(error, hf.RepositoryNotFoundError):
        hidden, step = "it is private", f"if it is private, {_LOGIN}"
        if get_token() is not None:
            hidden, step = "your token does not open it", "if it is private, use one that opens it"
        problem = f"there is no {what} at {endpoint()}, or {hidden}"
        return "repository", problem, f"Check the name; {step}."
    if isinstance(error, hf.RevisionNotFoundError):
        problem = f'the {what} has no revision "{revision}"'
        return "revision", problem, f"Its revisions: {page}/commits/main."
    if isinstance(error, hf.RemoteEntryNotFoundError):
        problem = f'the {what} has no file "{reference.file}" at revision {revision}'
        return "file", problem, f"Its files: {page}/tree/{revision}."
    return None


_LOGIN = "give a token by HF_TOKEN or `hf auth login`"


def _refused(error: BaseException, reference: Reference) -> tuple[str, str] | None:
    """What the Hub answers, and what to do."""
    what, page, place, status = _what(reference), _page(reference), endpoint(), status_of(error)
    if isinstance(error, hf.GatedRepoError):
        step = f"then {_LOGIN}" if get_token() is None else "wait for its owner, or ask again"
        problem = f"the {what} is gated: its owner grants access one by one"
        return problem, f"Ask for access at {page}; {step}."
    if isinstance(error, hf.DisabledRepoError):
        return f"the Hub has disabled the {what}", f"See {page}."
    if isinstance(error, hf.FileMetadataError):
        problem = f"what answers at {place} is no Hub (its answer names no commit)"
        hint = "Check HF_ENDPOINT; a proxy or the login page of a network may answer instead."
        return problem, hint
    if status is None or not isinstance(error, hf.HfHubHTTPError):
        return None
    said = error.response.headers.get("X-Error-Message", "").strip()[:200]
    answer = f'{status}, saying "{said}"' if said else f"{status}"
    if status == 401:
        problem = f"the Hub at {place} does not accept the token ({answer})"
        return problem, "Renew it by `hf auth login`, or unset HF_TOKEN to go without."
    if status == 403:
        problem = f"the Hub refuses access to the {what} ({answer})"
        return problem, f"Use a token that may read it, or see {page}."
    if status == 429:
        wait = retry_after(error)
        hint = f"Try again in {wait:.0f} s." if wait else "Try again in a few minutes."
        hint += "" if get_token() else " A token by HF_TOKEN allows more requests."
        return f"the Hub is asked too often from here ({answer})", hint
    if status >= 500 or status in RETRIED:
        return f"the Hub at {place} has a fault of its own ({answer})", "Try again later."
    return f"the Hub at {place} answers {answer}", "Check the name and HF_ENDPOINT."


def _broken(error: BaseException) -> tuple[str, str]:
    """What the network says, and what to do."""
    place, kinds = endpoint(), _kinds(error)
    unset = "" if place == PUBLIC else f", check HF_ENDPOINT (now {place})"
    hint = f"Check the connection{unset} and try again."
    if isinstance(error, hf.OfflineModeIsEnabled):
        problem = "it is not in the cache, and HF_HUB_OFFLINE forbids asking the Hub"
        return problem, "Unset HF_HUB_OFFLINE once; afterwards it works offline."
    if _caused(error, socket.gaierror):
        problem = f"the host of {place} is unknown here: there is no network, or no such host"
        return problem, hint
    if _caused(error, ConnectionRefusedError):
        return f"{place} refuses the connection", hint
    if _caused(error, ssl.SSLError):
        problem = f"no secure connection to {place} ({str(error)[:200]})"
        return problem, "Check the clock and certificates of this machine, and its proxy."
    if "ProxyError" in kinds:
        problem = f"the proxy does not let requests through to {place}"
        return problem, "Check HTTPS_PROXY and NO_PROXY."
    if "TooManyRedirects" in kinds:
        return f"{place} redirects in a circle", "Check HF_ENDPOINT."
    if isinstance(error, CutShortError):
        return f"{place} does not send the whole file ({error})", "Try again later."
    if "TimeoutException" in kinds or isinstance(error, TimeoutError):
        wait = " ZOO_HUB_TIMEOUT=SECONDS waits longer."
        return f"{place} was silent for {timeout():g} s", hint + wait
    if kinds & _CONNECTION:
        return f"the connection to {place} broke ({str(error)[:200]})", hint
    return f"the Hub at {place} could not be asked ({type(error).__name__}: {error!s:.200})", hint


def _is_local(error: BaseException) -> bool:
    """Whether it is this machine's disk that failed, not the network."""
    network = (TimeoutError, ConnectionError, socket.gaierror, ssl.SSLError)
    return isinstance(error, OSError) and error.errno is not None and not isinstance(error, network)


def _caused(error: BaseException | None, *kinds: type[BaseException]) -> bool:
    """Whether an error, or what caused it, is of a kind."""
    for _ in range(20):
        if error is None or isinstance(error, kinds):
            break
        error = error.__cause__ or error.__context__
    return isinstance(error, kinds)


def _kinds(error: BaseException) -> set[str]:
    """Names of an error's classes: huggingface_hub's HTTP client is httpx or httpx2."""
    return {cls.__name__ for cls in type(error).__mro__}


def _what(reference: Reference) -> str:
    return f"{reference.kind} repository {reference.repo}"


def _page(reference: Reference) -> str:
    prefix = "" if reference.kind == "model" else f"{reference.kind}s/"
    return f"{endpoint()}/{prefix}{reference.repo}"
