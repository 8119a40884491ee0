"""Folders of signals: what lies in them, their splits, and the layouts that have attributes.

Files are found in an order that never changes; nothing is decoded.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from zoo_core.errors import DataError, PluginError, UsageError, unknown
from zoo_core.host.plugins import host

SPLITS = ("train", "val", "valid", "test")
"""Names of folders that are splits; ``valid`` is another name for ``val``."""


class AttributeTable(Protocol):
    """Which attributes each signal of a folder has."""

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of the attributes."""

    @property
    def rows(self) -> Mapping[str, tuple[bool, ...]]:
        """For each file's name, whether each attribute holds."""

    def column(self, name: str) -> int:
        """Position of an attribute; an unknown one is an error with the near match."""

    def exclusive_groups(self, wanted: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """Groups of the wanted attributes of which at most one can hold."""


class Layout(Protocol):
    """A folder that a data source has recognised."""

    @property
    def root(self) -> Path:
        """The folder."""

    @property
    def signals(self) -> Path:
        """Folder of the signals' files."""

    def read(self, split: str, suffixes: Sequence[str]) -> tuple[AttributeTable, list[Path]]:
        """The attributes, and the files of one split.

        Args:
            split: ``train``, ``val``, ``test``, or ``all``.
            suffixes: Suffixes of the files that count.

        Raises:
            DataError: If the folder contradicts itself.
        """


class AttributeSource(Protocol):
    """A data source that recognises folders of its own layout."""

    def recognise(self, root: Path) -> Layout | None:
        """The parts of a folder in this layout; None where the folder is in another one.

        Raises:
            DataError: If the folder is in this layout, but lacks a part of it.
        """


def find_layout(root: Path) -> Layout | None:
    """The layout that one of the installed data sources recognises in a folder, or None."""
    for source in _sources().values():
        layout = source.recognise(root)
        if layout is not None:
            return layout
    return None


def require_layout(root: Path) -> Layout:
    """As `find_layout`.

    Raises:
        DataError: If no data source recognises the folder.
    """
    layout = find_layout(root)
    if layout is None:
        known = host().components("source")
        layouts = "; ".join(known[name].summary for name in _sources()) or "none installed"
        raise DataError(
            "it has no list of attributes",
            asked=f"folder {root}",
            hint=f"Layouts with attributes: {layouts}.",
        )
    return layout


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


def split_folder(folder: Path, split: str) -> Path:
    """The subfolder of a split, in a folder that has splits.

    Raises:
        UsageError: If there is no split of this name anywhere.
        DataError: If the folder lacks it.
    """
    if split not in (*SPLITS, "all"):
        raise unknown("split", split, ["train", "val", "test", "all"])
    names = ("val", "valid") if split == "val" else (split,)
    there = [folder / name for name in SPLITS if (folder / name).is_dir()]
    chosen = next((path for path in there if path.name in names), None)
    if chosen is None:
        raise _lacks(folder, split, there)
    return chosen


def domain_folders(root: Path, split: str) -> dict[str, Path]:
    """The folder of each domain below ``root``: ``trainA``, ``train/<domain>`` or ``<domain>``.

    Raises:
        DataError: If there is none, or none for the split.
        UsageError: If its signals have attributes, of which none is named.
    """
    check_folder(root)
    if find_layout(root) is not None:
        raise UsageError(
            "its signals have attributes: name those to translate",
            asked=f"data {root}",
            hint="Add --attributes NAME,NAME, or use --domain NAME=ROOT:ATTRIBUTE.",
        )
    below = subfolders(root)
    lettered = [path for path in below if re.fullmatch(r"(train|val|test)[A-Z]\w*", path.name)]
    if lettered:
        wanted = {p.name.removeprefix(split): p for p in lettered if p.name.startswith(split)}
        if not wanted:
            raise _lacks(root, split, lettered)
        return wanted
    if any(path.name in SPLITS for path in below):
        below = subfolders(split_folder(root, split))
    if not below:
        raise DataError(
            "it has no subfolder per domain",
            asked=f"data {root}",
            hint="Make one folder per domain in it, or name each with --domain NAME=FOLDER.",
        )
    return {path.name: path for path in below}


def data_root() -> Path | None:
    """The folder named by ``ZOO_DATA``, else ``../shared/data`` beside a checkout, else None."""
    named = os.environ.get("ZOO_DATA")
    if named:
        folder = Path(named).expanduser()
        return folder if folder.is_dir() else None
    for parent in Path(__file__).resolve().parents:
        if (parent / "registry.yaml").is_file() or (parent / ".git").exists():
            folder = parent.parent / "shared" / "data"
            return folder if folder.is_dir() else None
    return None


def _sources() -> dict[str, AttributeSource]:
    """The installed data sources that recognise folders, by name."""
    found: dict[str, AttributeSource] = {}
    for name in host().components("source"):
        try:
            source = host().load("source", name)
        except PluginError:
            continue  # said where the source is asked for by its name
        if hasattr(source, "recognise"):
            found[name] = source
    return found


def _lacks(folder: Path, split: str, there: Sequence[Path]) -> DataError:
    return DataError(
        f'it has no split "{split}"',
        asked=f"folder {folder}",
        hint=f"It holds {', '.join(path.name for path in there)}.",
    )


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _instead(others: Counter[str]) -> str:
    if not others:
        return "it is empty"
    kinds = ", ".join(f"{count} × {suffix}" for suffix, count in others.most_common(4))
    return f"{sum(others.values())} other files ({kinds})"
