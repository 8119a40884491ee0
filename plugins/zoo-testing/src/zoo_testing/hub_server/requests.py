"""What the Hub of the tests notes of each request, and the token that it knows."""

from __future__ import annotations

from dataclasses import dataclass

TOKEN = "hf_ATokenThatTheHubOfTheTestsKnows"
"""Opens private repositories and may write."""


@dataclass(frozen=True)
class HubRequest:
    """A request as it came, with the status of the answer.

    Attributes:
        method: ``GET`` and the like.
        path: Path and query.
        status: Status of the answer; 0 where there was none.
        range: The header ``Range``, or nothing.
        token: Whether a token came along.
        store: Whether it came to the store of large files, which is another host to clients.
    """

    method: str
    path: str
    status: int
    range: str
    token: bool
    store: bool
