"""What is in a run's directory is the run's own: no links to elsewhere but allowed ones."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from zoo_core.errors import TrainingError

CACHE, CHECKPOINT, SNAPSHOTS = "cache", "checkpoint", "snapshots"
LARGE = (CACHE, CHECKPOINT, SNAPSHOTS)
"""Folders of a run that may be links, where `ALLOWED` says so."""
ALLOWED = "ZOO_RUN_LINKS"
"""Environment variable: folders, as in PATH, in which those of runs may lie that are links.

It is neither an option of a run nor a note in it: both may be a stranger's, links included.
"""


def require_own_files(out: Path) -> None:
    """Makes sure that what is in a run's directory is of the directory.

    Others may have made it: what is written into a run must not end up elsewhere, and a pipe has
    no end. A folder of `LARGE` may be a link to a folder in one that `ALLOWED` names.

    Raises:
        TrainingError: That names another link out of the directory, or what is neither file nor
            folder.
    """
    if not out.is_dir():
        return
    linked = _allowed_links(out)
    for folder in (out, *linked):
        whole = folder.resolve()
        for path in _within(folder):
            mode = path.lstat().st_mode
            if path in linked:
                continue
            if stat.S_ISLNK(mode) and not path.resolve().is_relative_to(whole):
                problem = "it is a link out of the run, which would be written to"
            elif not (stat.S_ISLNK(mode) or stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                problem = "it is neither a file nor a folder"
            else:
                continue
            raise TrainingError(problem, asked=str(path), hint=_hint(path, out))


def _allowed_links(out: Path) -> list[Path]:
    """The folders of a run that are links to folders below one that the user allows."""
    texts = filter(None, os.environ.get(ALLOWED, "").split(os.pathsep))
    roots = [Path(text).expanduser().resolve() for text in texts]
    return [
        path
        for path in (out / name for name in LARGE)
        if path.is_symlink()
        and path.is_dir()
        and any(root in path.resolve().parents for root in roots)
    ]


def _within(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        yield from (Path(parent, name) for name in (*folders, *files))


def _hint(path: Path, out: Path) -> str:
    if path.parent == out and path.name in LARGE and path.is_symlink():
        return (
            f"If you made it, allow links of runs to where it leads: {ALLOWED}=FOLDER, with a "
            f"folder of your own above {path.resolve()}, which must exist. Otherwise remove it."
        )
    return "Remove it, or put there what it stands for; the whole run may be a link."
