"""How a file on the Hub is named, ``[spaces/]org/repo[@revision][:file]``, and what it must be.

Importing this module imports nothing heavy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from zoo_core.errors import HubError, UsageError
from zoo_core.untrusted import is_commit, is_inside, is_repo

Kind = Literal["model", "dataset", "space"]
_PREFIXES: dict[str, Kind] = {"models": "model", "datasets": "dataset", "spaces": "space"}
_FORM = re.compile(
    r"(?:(?P<kind>models|datasets|spaces)/)?(?P<repo>[\w.-]+/[\w.-]+)"
    r"(?:@(?P<revision>[\w./+-]{1,200}))?(?::(?P<file>[^\s].*))?",
    re.ASCII,
)


@dataclass(frozen=True)
class Reference:
    """A repository on the Hub, and perhaps a revision and a file of it.

    Attributes:
        repo: ``organisation/name``.
        kind: Kind of repository.
        revision: Commit, branch, tag or such as ``refs/pr/1``; None: the main branch as it was
            when it was first used here.
        file: Path in the repository.
    """

    repo: str
    kind: Kind = "model"
    revision: str | None = None
    file: str | None = None

    @property
    def pinned(self) -> bool:
        """Whether the revision is a full commit, whose files never change."""
        return self.revision is not None and is_commit(self.revision)

    def __str__(self) -> str:
        """The form that `parse` reads."""
        return (
            ("" if self.kind == "model" else f"{self.kind}s/")
            + self.repo
            + (f"@{self.revision}" if self.revision else "")
            + (f":{self.file}" if self.file else "")
        )


@dataclass(frozen=True)
class Expected:
    """What a file must be; None: not known beforehand, so what was seen first counts.

    Attributes:
        sha256: Its hash.
        bytes: Its size.
        record: Where and when it was seen first, where that is how it is known.
    """

    sha256: str | None = None
    bytes: int | None = None
    record: str | None = None


ANY = Expected()
"""Nothing is known beforehand."""


class HubMissingError(HubError):
    """The Hub says that there is no such thing.

    Attributes:
        missing: What there is not: ``repository``, ``revision`` or ``file``.
    """

    def __init__(self, missing: str, problem: str, *, asked: str, hint: str) -> None:
        self.missing = missing
        super().__init__(problem, asked=asked, hint=hint)


def of_weights(weights: Mapping[str, Any]) -> Reference | None:
    """What the ``weights`` of a registry entry name on the Hub; None where nothing."""
    repo, file = weights.get("repo"), weights.get("file")
    if repo is None or file is None:
        return None
    return Reference(repo, weights.get("repo_type") or "model", weights.get("revision"), file)


def looks_like(text: str) -> bool:
    """Whether a text has the form of a reference; so do many relative paths."""
    match = _FORM.fullmatch(text)
    return match is not None and is_repo(match["repo"])


def parse(text: str) -> Reference:
    """Reads a reference.

    Args:
        text: ``org/repo``, ``org/repo@revision``, ``spaces/org/repo@revision:folder/file`` …

    Raises:
        UsageError: If it has another form, or its file would leave the repository.
    """
    match = _FORM.fullmatch(text)
    if match is None or not is_repo(match["repo"]):
        raise UsageError(
            "it has not the form of a model on the Hub",
            asked=f'model "{text[:200]}"',
            hint="Write ORGANISATION/NAME, ORGANISATION/NAME@REVISION or spaces/ORGANISATION/NAME.",
        )
    file = match["file"]
    if file is not None and not is_inside(file):
        raise UsageError(
            "its file is no relative path inside the repository", asked=f'model "{text[:200]}"'
        )
    return Reference(match["repo"], _PREFIXES[match["kind"] or "models"], match["revision"], file)
