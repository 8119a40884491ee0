"""Folders of pictures with a list of what they show: CelebA's layout, and tables of labels."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from zoo_core.contracts.codec import Codec
from zoo_core.contracts.signals import Domains
from zoo_core.errors import DataError, printable
from zoo_core.finding import LeftOut, find_files, is_hidden, names
from zoo_images.caching import stamp
from zoo_images.format_spec import SUFFIXES
from zoo_images.sources.labelled import LabelledPictures
from zoo_images.sources.matching import match
from zoo_images.sources.meanings import Meanings, meanings, split_named
from zoo_images.sources.tables import TABLES, Table, of_columns, read_table, text_of
from zoo_train.data.folders import SourceFiles
from zoo_train.data.splits import split_of_path

_LISTS = ("labels", "metadata", "attributes", "annotations")
_FOLDERS = ("images", "imgs", "pictures", "photos")
_ENOUGH = 0.5
"""Share of a list's rows that must have a picture."""


@dataclass(frozen=True)
class AttributeList:
    """A list of what pictures show, and the folder that holds them.

    Attributes:
        root: The folder, or the list, that was asked for.
        list: The list: a file, or a data frame.
        signals: Folder of the pictures.
        partition: File that says each picture's split, as ``list_eval_partition.txt`` does.
    """

    root: Path
    list: Any
    signals: Path
    partition: Path | None = None

    def select(self, expression: str, split: str, codec: Codec) -> SourceFiles:
        """See `zoo_train.data.folders.Layout`."""
        return self.read(split, codec).select(expression)

    def label(
        self, attributes: Sequence[str], split: str, codec: Codec
    ) -> tuple[SourceFiles, Domains]:
        """See `zoo_train.data.folders.Layout`."""
        return self.read(split, codec).label(attributes)

    @property
    def meanings(self) -> Meanings:
        """What it means: attributes, and why other columns are none."""
        return self._said[1]

    @property
    def table(self) -> Table:
        """What the list says, as text."""
        return self._said[0]

    @cached_property
    def _said(self) -> tuple[Table, Meanings]:
        if isinstance(self.list, Path):
            return _read(self.list, stamp(self.list))
        table = of_columns(self.list)
        return table, meanings(table)

    def read(self, split: str, codec: Codec) -> LabelledPictures:
        """The pictures of one split, in the list's order.

        Args:
            split: ``train``, ``val``, ``test``, or ``all``.
            codec: Says which files count.

        Raises:
            DataError: If list, pictures and splits contradict each other.
        """
        found = find_files(
            self.signals, codec.suffixes, recognises=codec.recognises, what=codec.noun
        )
        matched, notes = self._matched(found.files)
        left_out, used = LeftOut(), set(matched.values())
        lists = {own for own in (self.list, self.partition) if isinstance(own, Path)}
        for reason, paths in found.left_out.reasons.items():
            for path in paths:
                if path not in lists:  # which are used, though they are no pictures
                    left_out.add(path, reason)
        for file in found.files:
            if file not in used:
                left_out.add(file, f"not in {self._name}")
        splits = self._splits(matched)
        kept = [row for row in matched if splits is None or split in ("all", splits[row])]
        if (splits is None and split not in ("all", "train")) or not kept:
            there = sorted(set(splits.values())) if splits else []
            raise DataError(
                f'no picture belongs to the split "{split}"'
                if splits
                else f'it says no splits, so there is no split "{split}"',
                asked=printable(str(self.root)),
                hint=f"It has {', '.join(there)}."
                if there
                else "Add a column split, or list_eval_partition.txt; or use the split all.",
            )
        for row in matched.keys() - kept if splits else ():
            left_out.add(matched[row], f"of the split {splits[row]}")
        rows = self.meanings.rows
        return LabelledPictures(
            self.table.asked,
            self.meanings.attributes,
            [matched[row] for row in kept],
            [Path(os.path.relpath(matched[row], self.signals)).as_posix() for row in kept],
            [rows[row] for row in kept],
            str(self.signals),
            split if splits else None,
            self.meanings.faults,
            self.meanings.groups,
            left_out,
            notes,
        )

    @property
    def _name(self) -> str:
        return self.list.name if isinstance(self.list, Path) else "the data frame"

    def _matched(self, files: Sequence[Path]) -> tuple[dict[str, Path], list[str]]:
        """The file of each row that has one, and what does not fit, in words."""
        matched = match(self.table.rows, files, self.signals)
        missing = [Path(row) for row in self.table.rows if row not in matched]
        if len(matched) < max(1, _ENOUGH * len(self.table.rows)):
            raise DataError(
                f"{len(missing):,} of its {len(self.table.rows):,} rows have no picture in "
                f"{printable(str(self.signals))}: {names(missing)}",
                asked=self.table.asked,
                hint=f"That folder holds {len(files):,} pictures ({names(files)}); fetch both "
                "again, or put the list beside its pictures.",
            )
        notes = []
        if missing:
            notes.append(
                f"warning: {len(missing):,} rows of {self._name} have no picture: {names(missing)}"
            )
        other = [
            (row, file)
            for row, file in matched.items()
            if Path(row).suffix not in ("", file.suffix)
        ]
        if other:
            row, file = other[0]
            notes.append(
                f"{len(other):,} pictures have another suffix than {self._name} says, such as "
                f"{printable(file.name)} for {printable(row)}"
            )
        return matched, notes

    def _splits(self, matched: Mapping[str, Path]) -> dict[str, str] | None:
        """The split of each row that has a picture; None where nothing says any."""
        if self.partition is not None:
            given, asked = parse_partition(self.partition), printable(str(self.partition))
        elif self.meanings.split is not None:
            given, asked = self.meanings.split, self.table.asked
        else:
            above = {
                row: split_of_path(file.relative_to(self.signals).parts[:-1])
                for row, file in matched.items()
            }
            return (
                {row: known or "train" for row, known in above.items()}
                if any(above.values())
                else None
            )
        lacking = [Path(row) for row in matched if row not in given]
        if lacking:
            raise DataError(
                f"it gives no split for {len(lacking):,} pictures: {names(lacking)}",
                asked=asked,
                hint=f"{self._name} lists them; fetch both files again.",
            )
        return {row: given[row] for row in matched}


class AttributeLists:
    """The data source ``attribute-list``: recognises a folder by its list, or a list by itself."""

    @staticmethod
    def recognise(root: Path) -> AttributeList | None:
        """The parts of a folder in CelebA's layout or with a table of labels; None for others.

        Raises:
            DataError: If there is more than one list of attributes, or of folders of pictures.
        """
        if root.is_file():
            known = root.suffix.lower() in TABLES or root.match("list_attr*")
            return _of_list(root, root) if known else None
        lists = _lists(root, "list_attr*")
        if not lists:
            lists = [path for name in _LISTS for path in _lists(root, name)]
            lists = [path for path in lists if _is_of_pictures(_of_list(root, path).meanings)]
        if not lists:
            return None
        if len(lists) > 1:
            raise DataError(
                f"it holds {names(lists)}: one is needed",
                asked=printable(str(root)),
                hint=f"Name it: {root / lists[0].name}, with :ATTRIBUTE where it is a domain.",
            )
        return _of_list(root, lists[0])


def labels(table: Any, pictures: str | Path) -> AttributeList:
    """A data frame, or the path of a list, with the folder of its pictures.

    It can be given as ``data`` to `zoo_train.data.dataset.open_sources`.

    Args:
        table: A pandas data frame with one row for each picture, or a path.
        pictures: Folder of the pictures.
    """
    folder = Path(pictures)
    return AttributeList(folder, table, folder)


def parse_partition(path: Path) -> dict[str, str]:
    """The split of each picture: 0 (train), 1 (val) or 2 (test), or the split's name.

    Raises:
        DataError: If any line is malformed; names the first, and how many are.
    """
    asked = printable(str(path))
    if path.suffix.lower() in TABLES:
        table = read_table(path)
        pairs = [(row, values[0] if values else "") for row, values in table.rows.items()]
    else:
        lines = [line.rsplit(None, 1) for line in text_of(path).splitlines() if line.strip()]
        pairs = [(line[0], line[-1] if len(line) == 2 else "") for line in lines]
    splits = {row: split_named(text) for row, text in pairs}
    wrong = [(row, text) for row, text in pairs if splits[row] is None]
    if wrong:
        raise DataError(
            f'{len(wrong):,} rows say no split, such as "{printable(wrong[0][1], limit=40)}" for '
            f"{printable(wrong[0][0], limit=40)}",
            asked=asked,
            hint="Rows are a file name and 0 (train), 1 (val) or 2 (test).",
        )
    twice = [row for row, count in Counter(row for row, _ in pairs).items() if count > 1]
    if twice:
        raise DataError(f"it names {len(twice):,} pictures again: {twice[0]}", asked=asked)
    return {row: split for row, split in splits.items() if split is not None}


@lru_cache(maxsize=4)
def _read(path: Path, state: bytes) -> tuple[Table, Meanings]:
    """A list, read once for all domains that are made of it; ``state`` says that it is the same."""
    table = read_table(path)
    return table, meanings(table)


def _of_list(root: Path, file: Path) -> AttributeList:
    """A list with the folder of its pictures.

    That is one that is called so, its own where it holds pictures, or the only one below.
    """
    place = file.parent
    there = [path for path in sorted(place.iterdir()) if not is_hidden(path.name)]
    below = [path for path in there if path.is_dir()]
    beside = any(path.suffix.lower() in SUFFIXES and path.is_file() for path in there)
    named = [p for p in below if p.name.startswith("img_align") or p.name.lower() in _FOLDERS]
    if len(named) > 1:
        raise DataError(
            f"it holds {names(named)}: one folder of pictures is needed",
            asked=printable(str(place)),
            hint="CelebA's layout is img_align*/, list_attr*.txt, list_eval_partition.txt.",
        )
    folder = named[0] if named else below[0] if len(below) == 1 and not beside else place
    partition = next(iter(_lists(place, "list_eval_partition*")), None)
    return AttributeList(root, file, folder, partition)


def _is_of_pictures(means: Meanings) -> bool:
    """Whether a table says what pictures show, if with faults, rather than something else."""
    return bool(means.attributes or means.nearly)


def _lists(folder: Path, name: str) -> list[Path]:
    """The lists directly inside a folder whose name without suffix fits a pattern."""
    kinds = (*TABLES, ".txt") if name.startswith("list_") else TABLES
    return [
        p for p in sorted(folder.glob(f"{name}.*")) if p.suffix.lower() in kinds and p.is_file()
    ]
