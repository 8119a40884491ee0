"""``zoo verify``: what must be true of a file in the cache."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from zoo_hub.cache import FileRecord, RepoCache
from zoo_hub.verify import _of_model

PINNED = hashlib.sha256(b"pinned").hexdigest()
SEEN = hashlib.sha256(b"seen").hexdigest()


@pytest.mark.parametrize(
    ("pinned", "seen", "content", "right"),
    [
        (PINNED, SEEN, b"pinned", True),
        (PINNED, SEEN, b"seen", False),
        (PINNED, None, b"seen", False),
        (None, SEEN, b"seen", True),
        (None, SEEN, b"other", False),
        (None, None, b"other", False),
    ],
)
def test_what_was_seen_first_counts_only_where_nothing_is_pinned(
    pinned: str | None,
    seen: str | None,
    content: bytes,
    right: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "w.bin"
    path.write_bytes(content)
    record = None if seen is None else FileRecord(seen, len(content), "2026-01-01")
    monkeypatch.setattr(RepoCache, "known", lambda *_: (path, record))
    weights = {"repo": "some/one", "file": "w.bin", "revision": "1" * 40}
    entry = SimpleNamespace(
        weights=SimpleNamespace(sha256=pinned, bytes=None, path=None, file="w.bin")
    )
    model: Any = SimpleNamespace(
        id="m", entry=entry, data={"weights": weights}, file=None, embedded=False
    )
    found = _of_model(model)
    assert (found.name, found.place) == ("m:w.bin", "cache")
    assert (not found.problem) is right
