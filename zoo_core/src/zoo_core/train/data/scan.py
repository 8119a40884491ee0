"""Finds the signals in a folder, in an order that never changes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from zoo_core.errors import DataError


def scan(folder: Path, suffixes: Sequence[str], *, what: str = "picture") -> list[Path]:
    """All files below a folder whose suffix is among ``suffixes``, sorted by path.

    Hidden files and folders are passed over; links to folders are followed once.

    Args:
        folder: Where to look, recursively.
        suffixes: In lower case, with the dot.
        what: What the files are called in errors.

    Raises:
        DataError: If there is no such folder, or nothing in it; says what is there instead.
    """
    check_folder(folder)
    found: list[Path] = []
    others: Counter[str] = Counter()
    seen: set[str] = set()

    def fail(error: OSError) -> None:
        raise DataError(
            f"a folder cannot be listed ({error.strerror})",
            asked=str(error.filename or folder),
            hint="Change its permissions.",
        ) from error

    for where, folders, names in os.walk(folder, followlinks=True, onerror=fail):
        real = os.path.realpath(where)
        if real in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not _hidden(name))
        for name in names:
            if _hidden(name):
                continue
            suffix = Path(name).suffix.lower()
            if suffix in suffixes:
                found.append(Path(where) / name)
            else:
                others[suffix or "no suffix"] += 1
    if not found:
        raise DataError(
            f"there is no {what} in it: {_instead(others)}",
            asked=f"folder {folder}",
            hint=f"Files that count end in {', '.join(suffixes)}.",
        )
    return sorted(found, key=lambda path: path.relative_to(folder).parts)


def check_folder(folder: Path) -> None:
    """Refuses what is no folder.

    Raises:
        DataError: If it is missing or a file.
    """
    try:
        if folder.is_dir():
            return
        there = folder.exists()
    except (OSError, ValueError):
        there = False
    if there:
        raise DataError("it is a file, not a folder", asked=str(folder), hint="Give its folder.")
    parent = next((p for p in folder.absolute().parents if p.is_dir()), None)
    raise DataError(
        "there is no such folder",
        asked=str(folder),
        hint=f"Check the path; {parent} is the part of it that exists." if parent else None,
    )


def subfolders(folder: Path) -> list[Path]:
    """The visible folders directly inside a folder, sorted by name."""
    return sorted(p for p in folder.iterdir() if p.is_dir() and not _hidden(p.name))


def class_numbers(files: Sequence[Path]) -> list[int] | None:
    """The class of each file where all lie in folders named by digits, such as ``7/0012.png``."""
    names = [file.parent.name for file in files]
    if names and all(name.isascii() and name.isdigit() for name in names):
        return [int(name) for name in names]
    return None


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _instead(others: Counter[str]) -> str:
    if not others:
        return "it is empty"
    kinds = ", ".join(f"{count} × {suffix}" for suffix, count in others.most_common(4))
    return f"{sum(others.values())} other files ({kinds})"
