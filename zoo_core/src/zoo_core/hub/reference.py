"""How a model on the Hub is named: ``[spaces/]org/repo[@revision][:file]``.

Importing this module imports nothing heavy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

from zoo_core.errors import UsageError

Kind = Literal["model", "dataset", "space"]
_PREFIXES: dict[str, Kind] = {"models": "model", "datasets": "dataset", "spaces": "space"}
_NAME = r"[A-Za-z0-9_][\w.-]{0,95}"
_FORM = re.compile(
    rf"(?:(?P<kind>models|datasets|spaces)/)?(?P<repo>{_NAME}/{_NAME})"
    r"(?:@(?P<revision>[^:@\s]+))?(?::(?P<file>[^\s].*))?",
    re.ASCII,
)
_COMMIT = re.compile(r"[0-9a-f]{40}")


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
        return self.revision is not None and _COMMIT.fullmatch(self.revision) is not None

    def __str__(self) -> str:
        """The form that `parse` reads."""
        return (
            ("" if self.kind == "model" else f"{self.kind}s/")
            + self.repo
            + (f"@{self.revision}" if self.revision else "")
            + (f":{self.file}" if self.file else "")
        )


def of_weights(weights: Mapping[str, Any]) -> Reference | None:
    """What the ``weights`` of a registry entry name on the Hub; None where nothing."""
    repo, file = weights.get("repo"), weights.get("file")
    if repo is None or file is None:
        return None
    return Reference(repo, weights.get("repo_type") or "model", weights.get("revision"), file)


def looks_like(text: str) -> bool:
    """Whether a text has the form of a reference; so do many relative paths."""
    return _FORM.fullmatch(text) is not None


def parse(text: str) -> Reference:
    """Reads a reference.

    Args:
        text: ``org/repo``, ``org/repo@revision``, ``spaces/org/repo@revision:folder/file`` …

    Raises:
        UsageError: If it has another form, or its file would leave the repository.
    """
    match = _FORM.fullmatch(text)
    if match is None:
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
    kind = _PREFIXES[match["kind"] or "models"]
    return Reference(match["repo"], kind, match["revision"], file)


def is_inside(path: str) -> bool:
    """Whether a POSIX path is relative and cannot leave its folder."""
    parts = PurePosixPath(path).parts
    odd = path.startswith("/") or path.endswith("/") or "\\" in path or "\0" in path or ":" in path
    return bool(parts) and ".." not in parts and not odd
