"""Folders of signals: their splits, their domains, and the layouts that have attributes.

Nothing is decoded.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from torch import Tensor

from zoo_core.contracts.codec import Codec, InMemorySignal
from zoo_core.contracts.signals import Domains
from zoo_core.errors import DataError, PluginError, UsageError, printable
from zoo_core.finding import LeftOut, is_hidden, names, require_folder
from zoo_core.host.plugins import host
from zoo_train.data.splits import by_split_and_domain, check_split, split_of


@dataclass(frozen=True)
class SourceFiles:
    """What one source holds.

    Attributes:
        files: Files, or signals in memory.
        names: Name of each, relative to the source.
        labels: (M, K) attributes or (M,) class numbers, or None.
        place: Where they come from, in plain words.
        split: The split that they are of; None where the source says none.
        left_out: What was found beside them.
        notes: What was understood, and what is doubtful.
    """

    files: Sequence[Path | InMemorySignal]
    names: Sequence[str]
    labels: Tensor | None
    place: str
    split: str | None = None
    left_out: LeftOut = field(default_factory=LeftOut)
    notes: Sequence[str] = ()


class Layout(Protocol):
    """A folder, or a list of attributes, that a data source has recognised."""

    def select(self, expression: str, split: str, codec: Codec) -> SourceFiles:
        """The signals of a split for which an expression of attributes holds.

        Args:
            expression: Such as ``Blond_Hair,!Male``; empty for all signals.
            split: ``train``, ``val``, ``test``, or ``all``.
            codec: Says which files count.

        Raises:
            DataError: If the folder contradicts itself, or no signal is so.
            UsageError: If an attribute is unknown; names the near match.
        """

    def label(
        self, attributes: Sequence[str], split: str, codec: Codec
    ) -> tuple[SourceFiles, Domains]:
        """The signals of a split with labels (M, K), and the attributes as domains.

        Raises:
            DataError: As `select`, and where an attribute holds for all or for none.
            UsageError: If an attribute is unknown; names the near match.
        """


class AttributeSource(Protocol):
    """A data source that recognises folders, or files with lists, of its own layout."""

    def recognise(self, root: Path) -> Layout | None:
        """The parts of a layout; None where the folder or file is in another one.

        Raises:
            DataError: If it is in this layout, but lacks a part of it.
        """


@dataclass(frozen=True)
class DomainFolders:
    """Where the signals of one domain are.

    Attributes:
        folders: Their folders.
        split: The split that all of them are of; None where no folder says it.
        notes: What was understood.
    """

    folders: Sequence[Path]
    split: str | None = None
    notes: Sequence[str] = field(default=())


def find_layout(root: Path) -> Layout | None:
    """The layout that one of the installed data sources recognises, or None."""
    for source in _sources().values():
        layout = source.recognise(root)
        if layout is not None:
            return layout
    return None


def require_layout(root: Path) -> Layout:
    """As `find_layout`.

    Raises:
        DataError: If no data source recognises it.
    """
    if not os.path.isfile(root):  # noqa: PTH113  (false for names that no disk can hold)
        require_folder(root)
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


def domain_folders(root: Path, split: str) -> dict[str, DomainFolders]:
    """The folders of each domain below ``root``, of one split where it has splits.

    ``trainA`` and ``train_cats`` name split and domain, ``Train/cats`` has a folder for each;
    otherwise each folder is a domain, which may have splits of its own.

    Raises:
        DataError: If there is none, none for the split, or the names may be read in two ways.
        UsageError: If its signals have attributes, of which none is named, or the split is none.
    """
    check_split(split)
    require_folder(root)
    if find_layout(root) is not None:
        raise UsageError(
            "its signals have attributes: name those to translate",
            asked=f"data {root}",
            hint="Add --attributes NAME,NAME, or use --domain NAME=ROOT:ATTRIBUTE.",
        )
    below = {path.name: path for path in _subfolders(root)}
    splits = {name: known for name in below if (known := split_of(name)) is not None}
    if splits:
        placed = [
            (splits[name], path.name, path) for name in splits for path in _subfolders(below[name])
        ]
    else:
        both = by_split_and_domain(list(below))
        splits = {name: known for each in both.values() for known, name in each.items()}
        placed = [
            (known, domain, below[name])
            for domain, each in both.items()
            for known, name in each.items()
        ]
    if not splits and below:
        return {name: DomainFolders([path]) for name, path in below.items()}
    others = [path for name, path in below.items() if name not in splits]
    if others and len(set(splits.values())) == 1 and any(map(split_of, splits)):
        raise DataError(
            f"{', '.join(splits)} is named like a split, {names(others)} not: which are domains?",
            asked=f"data {root}",
            hint="Name each with --domain NAME=FOLDER, or move the other folders out.",
        )
    if splits and split not in (*splits.values(), "all"):
        raise lacks_split(root, split, list(splits))
    wanted = [(domain, path) for known, domain, path in placed if split in (known, "all")]
    if not wanted:
        raise DataError(
            "it has no subfolder per domain",
            asked=f"data {root}",
            hint="Make one folder per domain in it, or name each with --domain NAME=FOLDER.",
        )
    note = understood(splits) + (f"; not used: {names(others)}" if others else "")
    return {
        domain: DomainFolders([path for each, path in wanted if each == domain], split, [note])
        for domain, _ in wanted
    }


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


def lacks_split(folder: Path, split: str, there: Sequence[str]) -> DataError:
    """The error of a folder that has splits, but not this one."""
    return DataError(
        f'it has no split "{split}"',
        asked=f"folder {printable(str(folder))}",
        hint=f"It holds {', '.join(map(printable, there))}; ask for one with --split where you "
        "measure, or name the folders with --domain NAME=FOLDER.",
    )


def understood(splits: Mapping[str, str]) -> str:
    """What was understood of folders that are named like splits."""
    said = (f"{printable(name)} ({split})" for name, split in sorted(splits.items()))
    return f"read as splits: {', '.join(said)}"


def _subfolders(folder: Path) -> list[Path]:
    """The visible folders directly inside a folder, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not is_hidden(path.name))


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
