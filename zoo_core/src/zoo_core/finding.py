"""Finds the files of a folder for every command, and accounts for those that are left out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zoo_core.errors import DataError, printable

IGNORED_FILES = frozenset(
    {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "zoo-outputs.jsonl"}
)
"""Files that systems, and the zoo, put beside pictures, in lower case."""
IGNORED_FOLDERS = frozenset({"__macosx", "__pycache__", "@eadir", "$recycle.bin", "lost+found"})
"""Folders that systems and tools put beside data, in lower case."""
BROUGHT_BY = {
    "picture": {
        **dict.fromkeys((".dcm", ".dicom", ".ima", ".nii", ".nii.gz"), "zoo-medical"),
        **dict.fromkeys((".heic", ".heif"), "pillow-heif"),
        **dict.fromkeys((".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"), "zoo-video"),
    }
}
"""Distribution that reads files of a suffix, by what a file holds."""


@dataclass
class LeftOut:
    """Files that were found and not used, by reason.

    Attributes:
        reasons: Paths by reason, such as ``hidden``, in the order in which they were found.
    """

    reasons: dict[str, list[Path]] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(len(paths) for paths in self.reasons.values())

    def add(self, path: Path, reason: str) -> None:
        """Notes one file."""
        self.reasons.setdefault(reason, []).append(path)

    def extend(self, other: LeftOut) -> None:
        """Notes all files of another account."""
        for reason, paths in other.reasons.items():
            self.reasons.setdefault(reason, []).extend(paths)

    def lines(self) -> list[str]:
        """One line per reason: how many, why, and the first names."""
        return [f"{len(p)} {reason}: {names(p)}" for reason, p in sorted(self.reasons.items())]


@dataclass
class Found:
    """What a folder holds.

    Attributes:
        files: The files to use, sorted by path.
        left_out: All others.
    """

    files: list[Path] = field(default_factory=list)
    left_out: LeftOut = field(default_factory=LeftOut)


def find_files(
    folder: Path,
    suffixes: Sequence[str],
    *,
    recognises: Callable[[Path], bool] | None = None,
    what: str = "signal",
) -> Found:
    """The files of a folder and its subfolders that can be used.

    A suffix that is known counts; any other file is used where its content is recognised. Links
    to folders are followed once, hidden files and what `IGNORED_FILES` and `IGNORED_FOLDERS` name
    are left out.

    Args:
        folder: Where to look.
        suffixes: Known suffixes in lower case, with the dot.
        recognises: Tells from its content whether a file of another suffix can be used.
        what: What one file holds, for the reasons: ``picture``.

    Raises:
        DataError: If there is no such folder, or it cannot be listed.
    """
    require_folder(folder)
    found, seen = Found(), set[tuple[int, int]]()

    def fail(fault: OSError) -> None:
        raise DataError(
            f"a folder cannot be listed ({fault.strerror})",
            asked=printable(str(fault.filename or folder)),
            hint="Change its permissions.",
        ) from fault

    for where, folders, names_ in os.walk(folder, followlinks=True, onerror=fail):
        place = Path(where)
        state = place.stat()
        if (state.st_dev, state.st_ino) in seen:
            found.left_out.add(place, "linked folders that were visited already")
            folders.clear()
            continue
        seen.add((state.st_dev, state.st_ino))
        for name in filter(is_hidden, folders):
            found.left_out.add(place / name, "hidden or system folders")
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        here = sift(
            (place / name for name in sorted(names_)), suffixes, recognises=recognises, what=what
        )
        found.files += here.files
        found.left_out.extend(here.left_out)
    found.files.sort(key=lambda path: path.relative_to(folder).parts)
    return found


def sift(
    paths: Iterable[Path],
    suffixes: Sequence[str],
    *,
    recognises: Callable[[Path], bool] | None = None,
    what: str = "signal",
) -> Found:
    """Which of some paths can be used; see `find_files`."""
    found = Found()
    for path in paths:
        reason = _reason(path, suffixes, recognises, what)
        if reason is None:
            found.files.append(path)
        else:
            found.left_out.add(path, reason)
    return found


def nothing_found(left_out: LeftOut, asked: str, suffixes: Sequence[str], what: str) -> DataError:
    """The error where nothing that was looked at can be used."""
    others = f"{len(left_out)} other files ({by_suffix(left_out.reasons)})"
    return DataError(
        f"it holds no {what} that can be read: {others if left_out.reasons else 'it is empty'}",
        asked=printable(asked),
        hint=f"Files end in {', '.join(suffixes)}.",
    )


def require_folder(folder: Path) -> None:
    """Refuses what is no folder.

    Raises:
        DataError: If it is missing or a file.
    """
    asked = printable(str(folder))
    try:
        if folder.is_dir():
            return
        there = os.path.lexists(folder)
    except (OSError, ValueError):
        there = False
    if there:
        raise DataError("it is a file, not a folder", asked=asked, hint="Give its folder.")
    parent = next((p for p in folder.absolute().parents if p.is_dir()), None)
    raise DataError(
        "there is no such folder",
        asked=asked,
        hint=f"Check the path; {printable(str(parent))} is the part of it that exists."
        if parent
        else None,
    )


def names(paths: Sequence[Path], shown: int = 3) -> str:
    """The first names, and how many more there are."""
    first = ", ".join(printable(path.name, limit=60) for path in paths[:shown])
    rest = len(paths) - shown
    return f"{first} and {rest} more" if rest > 0 else first


def by_suffix(reasons: Mapping[str, Sequence[Path]]) -> str:
    """How many files of each suffix there are, for messages: ``2 × .txt, 1 × no suffix``."""
    paths = (path for group in reasons.values() for path in group)
    counts = Counter(printable(path.suffix.lower(), limit=12) or "no suffix" for path in paths)
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:4]
    return ", ".join(f"{count} × {suffix}" for suffix, count in ordered)


def is_hidden(name: str) -> bool:
    """Whether a name is hidden, or one that systems put beside data."""
    lower = name.lower()
    return name.startswith(".") or lower in IGNORED_FILES or lower in IGNORED_FOLDERS


def _reason(
    path: Path, suffixes: Sequence[str], recognises: Callable[[Path], bool] | None, what: str
) -> str | None:
    """Why a file is left out; None where it is used."""
    if is_hidden(path.name):
        return "hidden or system files"
    if not path.is_file():
        return "links that lead nowhere" if path.is_symlink() else "no regular files"
    is_known = path.name.lower().endswith(tuple(suffixes))
    if is_known or (recognises is not None and recognises(path)):
        return None
    suffix = printable(path.suffix.lower(), limit=12) or "no suffix"
    package = brought_by(path, what)
    needs = f"; pip install {package}" if package else ""
    return f"not a {what} that can be read ({suffix}{needs})"


def brought_by(path: Path, what: str) -> str | None:
    """The distribution that reads files of this name, where one is known."""
    name = path.name.lower()
    known = BROUGHT_BY.get(what, {}).items()
    return next((package for suffix, package in known if name.endswith(suffix)), None)
