"""The cache, what killed processes left behind, and the places that must be writable."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from zoo_core.files import STALE_SECONDS
from zoo_doctor.finding import Finding, State
from zoo_hub.settings import cache_root

SECONDS = 600
"""How long reading all weights may take."""
_LEAST_SPACE = 1_000_000_000
_LEFTOVERS = (".zoo-*.part", ".*.part", ".part-*", ".*.new-*")
_WRITER, _LOCK = ".writer.json", ".lock"


def weights() -> Iterator[Finding]:
    """Size and sha256 of all weights that are here, by ``zoo verify`` in a process of its own."""
    command = [sys.executable, "-m", "zoo_core", "verify", "--all", "--json"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=os.sep
        )
        rows = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as fault:
        found = f"zoo verify gave no answer ({type(fault).__name__})"
        yield Finding("weights", "zoo verify", "wrong", found, "Run zoo verify --all.")
        return
    there = [row for row in rows if row["place"] != "nowhere"]
    for row in there:
        if row["problem"]:
            mend = "Load it once online." if row["place"] == "cache" else "Reinstall its plugin."
            yield Finding("weights", row["name"], "wrong", f"{row['path']}: {row['problem']}", mend)
    good = sum(not row["problem"] for row in there)
    yield Finding("weights", "files", "ok", f"{good} of {len(there)} are what they must be")


def leftovers(folders: Sequence[Path]) -> Iterator[Finding]:
    """What killed processes left in the cache, among temporary files, and in the named folders."""
    temporary, now = Path(tempfile.gettempdir()), time.time()
    found = list(temporary.glob("zoo-train-*"))
    for folder in [cache_root(), *folders]:
        for pattern in _LEFTOVERS:
            found += folder.rglob(pattern)
    for path in sorted(set(found)):
        try:
            age = now - path.stat().st_mtime
        except OSError:
            continue
        if age > STALE_SECONDS:
            text = f"left behind {age / 86400:.0f} days ago"
            yield Finding("leftovers", str(path), "note", text, f"rm -r {path}")
    for folder in folders:
        for path in sorted(folder.rglob(_WRITER)):
            if _abandoned(path.parent):
                text = "its training was killed; checkpoints up to then are whole"
                mend = f"zoo train --resume {path.parent}"
                yield Finding("leftovers", str(path.parent), "note", text, mend)


def writable() -> Iterator[Finding]:
    """The places that are written to, and the space that is left there."""
    places = {"cache": cache_root(), "temporary files": Path(tempfile.gettempdir())}
    for name, place in {**places, "current folder": Path.cwd()}.items():
        there = next(path for path in (place, *place.parents) if path.exists())
        free = shutil.disk_usage(there).free
        state: State = "ok"
        text, mend = f"{place}, {free / 1e9:,.0f} GB free", ""
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            state, text = "wrong", f"{place} cannot be written to"
            mend = "Set ZOO_CACHE to another place." if name == "cache" else "Change its owner."
            if name == "current folder":
                state, mend = "note", "Give outputs another place, with --out."
        elif free < _LEAST_SPACE:
            state, mend = "note", "Free some space."
        yield Finding("places", name, state, text, mend)


def safety() -> Iterator[Finding]:
    """What makes the machine less safe than it could be."""
    root = cache_root()
    if root.exists() and root.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        text = f"{root} may be written to by others, who could exchange what is trusted"
        yield Finding("safety", "cache", "wrong", text, f"chmod -R go-w {root}")
    home = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    token = Path(os.environ.get("HF_TOKEN_PATH") or Path(home) / "token")
    if token.is_file() and token.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        text = f"{token} may be read by others"
        yield Finding("safety", "token", "wrong", text, f"chmod 600 {token}")
    hub = os.environ.get("HF_ENDPOINT", "")
    host = hub.removeprefix("http://").rpartition("@")[2].partition("/")[0].partition(":")[0]
    if hub.startswith("http://") and host not in ("localhost", "127.0.0.1", "[::1]"):
        text = f"HF_ENDPOINT asks {host} without encryption: answers and tokens can be read"
        yield Finding("safety", "HF_ENDPOINT", "wrong", text, "Use an https:// address.")
    for name in sorted(os.environ):
        if name.startswith("ZOO_MAX_"):
            text = f"the limit is set to {os.environ[name][:40]}"
            yield Finding("safety", name, "note", text, f"unset {name}, unless you need it.")
    yield Finding("safety", "other settings", "ok", "as they come")


def _abandoned(run: Path) -> bool:
    """Whether nobody holds a run, though its last writer did not take its leave."""
    if not (run / _LOCK).is_file():
        return True
    lock = FileLock(run / _LOCK, timeout=0)
    try:
        lock.acquire()
    except (Timeout, OSError):
        return False
    lock.release()
    return True
