"""How the Hub can misbehave."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Status:
    """Answers with an error.

    Attributes:
        code: Such as 503.
        error: The header ``X-Error-Code``, such as ``GatedRepo``.
        message: The header ``X-Error-Message``.
        headers: Further headers, such as ``{"Retry-After": "1"}``.
    """

    code: int
    error: str = ""
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Truncate:
    """Promises the whole body and closes the connection after a part of it.

    Attributes:
        keep: Part of the body that is sent, 0 to 1.
        ranges: Whether the server still honours a request for the rest.
    """

    keep: float = 0.5
    ranges: bool = True


@dataclass(frozen=True)
class Garble:
    """Sends other bytes of the right length under the right headers."""


@dataclass(frozen=True)
class Hang:
    """Says nothing for a while: before the answer, or after a part of the body.

    Attributes:
        seconds: How long.
        after: Part of the body that is sent before, 0 to 1; None: not even the headers.
    """

    seconds: float
    after: float | None = None


@dataclass(frozen=True)
class Close:
    """Closes the connection without an answer."""


@dataclass(frozen=True)
class Claim:
    """Answers with other headers than it should.

    Attributes:
        headers: The headers by name; None leaves one out.
    """

    headers: Mapping[str, str | None]


@dataclass(frozen=True)
class Endless:
    """Announces no length and never stops sending.

    Attributes:
        compressed: Whether the body is a small one that grows when it is decompressed.
    """

    compressed: bool = False


@dataclass(frozen=True)
class Drip:
    """Sends the body byte by byte.

    Attributes:
        seconds: Pause after each byte.
    """

    seconds: float


Fault = Status | Truncate | Garble | Hang | Close | Claim | Endless | Drip


@dataclass
class Rule:
    """When a fault happens.

    Attributes:
        fault: What happens.
        method: HTTP method; None for all.
        path: A part of the request's path.
        times: How often; None for ever.
    """

    fault: Fault
    method: str | None = None
    path: str = ""
    times: int | None = None

    def fits(self, method: str, path: str) -> bool:
        """Whether the fault happens to this request; counts it."""
        if self.method not in (None, method) or self.path not in path or self.times == 0:
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Faults:
    """The rules, from the newest to the oldest."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._lock = threading.Lock()

    def add(self, rule: Rule) -> None:
        """Adds a rule that goes before the others."""
        with self._lock:
            self._rules.insert(0, rule)

    def clear(self) -> None:
        """Behaves again."""
        with self._lock:
            self._rules.clear()

    def find(self, method: str, path: str) -> Fault | None:
        """The fault that happens to a request."""
        with self._lock:
            return next((rule.fault for rule in self._rules if rule.fits(method, path)), None)
