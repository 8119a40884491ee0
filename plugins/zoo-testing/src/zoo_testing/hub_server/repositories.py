"""What the Hub holds: repositories with commits of 40 digits, branches and other references."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

LARGE = 1_000
"""Size in bytes from which a file counts as large: its ETag is then its sha256, as with LFS."""


@dataclass
class Repository:
    """One repository.

    Attributes:
        name: ``organisation/name``.
        kind: ``model``, ``dataset`` or ``space``.
        private: Whether only the token opens it.
        gated: Whether even the token does not open it.
        commits: Files by path, of each commit.
        refs: Commit of each branch, tag or pull request such as ``refs/pr/1``.
    """

    name: str
    kind: str = "model"
    private: bool = False
    gated: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def commit(
        self, files: Mapping[str, bytes], ref: str = "main", *, deleted: tuple[str, ...] = ()
    ) -> str:
        """Adds a commit on top of a reference; the files of its parent stay unless replaced."""
        parent = self.refs.get(ref, "")
        tree = {**self.commits.get(parent, {}), **files}
        tree = {path: content for path, content in tree.items() if path not in deleted}
        text = repr((self.kind, self.name, parent, len(self.commits), etags(tree)))
        sha = hashlib.sha1(text.encode()).hexdigest()
        self.commits[sha] = tree
        self.refs[ref] = sha
        return sha

    def resolve(self, revision: str) -> str | None:
        """The commit of a revision: a reference or a full commit; None where there is none."""
        if revision in self.commits:
            return revision
        return self.refs.get(revision)

    def describe(self, commit: str) -> dict[str, object]:
        """What ``/api/models/NAME`` says."""
        return {
            "id": self.name,
            "modelId": self.name,
            "sha": commit,
            "private": self.private,
            "gated": "manual" if self.gated else False,
            "tags": [],
            "siblings": [{"rfilename": path} for path in sorted(self.commits[commit])],
        }

    def tree(self, commit: str) -> list[dict[str, object]]:
        """What ``/api/models/NAME/tree/REVISION`` says."""
        return [_listed(path, content) for path, content in sorted(self.commits[commit].items())]


def etag(content: bytes) -> str:
    """The sha256 of a large file, the hash of git's blob of a small one."""
    if len(content) >= LARGE:
        return hashlib.sha256(content).hexdigest()
    return git_hash(content)


def git_hash(content: bytes) -> str:
    """What git calls a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def etags(tree: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """Path and ETag of all files."""
    return sorted((path, etag(content)) for path, content in tree.items())


def _listed(path: str, content: bytes) -> dict[str, object]:
    entry: dict[str, object] = {
        "type": "file",
        "path": path,
        "oid": git_hash(content),
        "size": len(content),
    }
    if len(content) >= LARGE:
        entry["lfs"] = {"oid": etag(content), "size": len(content), "pointerSize": 130}
    return entry
