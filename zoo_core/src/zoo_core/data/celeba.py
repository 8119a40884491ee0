"""CelebA's layout on disk: a folder of pictures, a list of attributes, a list of splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo_core.errors import DataError, unknown

SPLITS = {"train": 0, "val": 1, "test": 2}
"""Numbers of the splits in ``list_eval_partition.txt``."""

_HAIR = ("black", "blond", "blonde", "brown", "gray", "grey", "red", "white", "blue", "pink")


@dataclass(frozen=True)
class AttributeList:
    """What a list of attributes says.

    Attributes:
        attributes: Names of the attributes.
        rows: For each picture's file name, whether each attribute holds.
    """

    attributes: tuple[str, ...]
    rows: dict[str, tuple[bool, ...]]

    def column(self, name: str) -> int:
        """Position of an attribute; an unknown one is an error with the near match."""
        if name not in self.attributes:
            raise unknown("attribute", name, self.attributes)
        return self.attributes.index(name)

    def exclusive_groups(self, wanted: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """Groups of the wanted attributes of which at most one can hold.

        Hair colours exclude each other (as in StarGAN's official code), and so do two attributes
        that never hold together although, were they independent, at least 20 pictures would show
        both.
        """
        columns = {
            name: frozenset(file for file, row in self.rows.items() if row[self.column(name)])
            for name in wanted
        }

        def apart(one: str, other: str) -> bool:
            if _is_hair(one) and _is_hair(other):
                return True
            expected = len(columns[one]) * len(columns[other]) / max(1, len(self.rows))
            return expected >= 20 and not columns[one] & columns[other]

        groups: list[list[str]] = []
        for name in wanted:
            home = next((g for g in groups if all(apart(name, other) for other in g)), None)
            if home is None:
                groups.append([name])
            else:
                home.append(name)
        return tuple(tuple(group) for group in groups if len(group) > 1)


@dataclass(frozen=True)
class CelebALayout:
    """The parts of a folder in CelebA's layout.

    Attributes:
        root: The folder.
        signals: Folder of the pictures.
        attributes: File ``list_attr*.txt``.
        partition: File ``list_eval_partition*.txt``, where there is one.
    """

    root: Path
    signals: Path
    attributes: Path
    partition: Path | None

    def read(self, split: str, suffixes: Sequence[str]) -> tuple[AttributeList, list[Path]]:
        """The attributes, and the files of one split in the list's order.

        Args:
            split: ``train``, ``val``, ``test``, or ``all``.
            suffixes: Suffixes of the files that count.

        Raises:
            DataError: If the lists contradict themselves, each other or the pictures.
        """
        table = parse_attributes(_text(self.attributes), asked=str(self.attributes))
        present = {path.name for path in self.signals.iterdir() if path.suffix.lower() in suffixes}
        missing = [name for name in table.rows if name not in present]
        if missing:
            raise DataError(
                f"it names {len(missing)} pictures that are not in {self.signals}, "
                f"such as {missing[0]}",
                asked=str(self.attributes),
                hint=f"The folder holds {len(present)} pictures, the list {len(table.rows)} rows; "
                "fetch both again.",
            )
        names = self._names(table, split)
        if not names:
            raise DataError(
                f'no picture belongs to the split "{split}"', asked=str(self.partition or self.root)
            )
        return table, [self.signals / name for name in names]

    def _names(self, table: AttributeList, split: str) -> list[str]:
        if split == "all" or (self.partition is None and split == "train"):
            return list(table.rows)
        if split not in SPLITS:
            raise unknown("split", split, [*SPLITS, "all"])
        if self.partition is None:
            raise DataError(
                f'it has no list_eval_partition.txt, so there is no split "{split}"',
                asked=str(self.root),
                hint="Add the file, or use the split train: without it, that is all pictures.",
            )
        parts = parse_partition(_text(self.partition), asked=str(self.partition))
        for name in table.rows:
            if name not in parts:
                raise DataError(
                    f"it gives no split for {name}",
                    asked=str(self.partition),
                    hint=f"{self.attributes.name} lists that picture; fetch both files again.",
                )
        return [name for name in table.rows if parts[name] == SPLITS[split]]


class CelebA:
    """The data source ``attribute-list``: recognises a folder by its list of attributes."""

    @staticmethod
    def recognise(root: Path) -> CelebALayout | None:
        """The parts of a folder in CelebA's layout, or None where it has no list of attributes.

        Raises:
            DataError: If there is a list of attributes but no one folder of pictures beside it.
        """
        lists = sorted(root.glob("list_attr*.txt"))
        if not lists:
            return None
        folders = [p for p in sorted(root.glob("img_align*")) if p.is_dir()]
        folders = folders or [p for p in [root / "images"] if p.is_dir()]
        if len(folders) != 1 or len(lists) != 1:
            many = folders if len(folders) > 1 else lists if len(lists) > 1 else []
            names = ", ".join(p.name for p in many)
            raise DataError(
                f"it holds {names}: one of each is needed"
                if many
                else f"{lists[0].name} has no folder img_align* or images beside it",
                asked=str(root),
                hint="CelebA's layout is img_align*/, list_attr*.txt, list_eval_partition.txt.",
            )
        partition = next(iter(sorted(root.glob("list_eval_partition*.txt"))), None)
        return CelebALayout(root, folders[0], lists[0], partition)


def parse_attributes(text: str, *, asked: str) -> AttributeList:
    """Parses a list of attributes: the count, the names, then a row of +1 or -1 per picture.

    Raises:
        DataError: If any line is malformed; names the line.
    """
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(lines) < 3:
        raise DataError(
            f"it has {len(lines)} lines",
            asked=asked,
            hint="Its first line is the number of pictures, its second the attributes' names.",
        )
    count_text = lines[0][1].strip()
    if not (count_text.isascii() and count_text.isdigit()):
        raise DataError(
            f'line {lines[0][0]} is "{_short(count_text)}", not the number of pictures',
            asked=asked,
            hint="Write the number of rows there, as CelebA does.",
        )
    names = tuple(lines[1][1].split())
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f'the attribute "{_short(twice)}" is named twice', asked=asked)
    rows: dict[str, tuple[bool, ...]] = {}
    for number, line in lines[2:]:
        file, *values = line.split()
        if len(values) != len(names):
            raise DataError(
                f"line {number} has {len(values)} values for {len(names)} attributes", asked=asked
            )
        wrong = [value for value in values if value not in ("1", "+1", "-1")]
        if wrong:
            raise DataError(
                f'line {number} holds "{_short(wrong[0])}"', asked=asked, hint="Values are 1 or -1."
            )
        if file in rows:
            raise DataError(f"line {number} repeats the picture {_short(file)}", asked=asked)
        rows[file] = tuple(value != "-1" for value in values)
    if len(rows) != int(count_text[:18]):
        raise DataError(
            f"its first line says {_short(count_text)} pictures, but {len(rows)} rows follow",
            asked=asked,
            hint="The file is cut off or the number is wrong; fetch it again.",
        )
    return AttributeList(names, rows)


def parse_partition(text: str, *, asked: str) -> dict[str, int]:
    """Parses a list of splits: rows of a file name and 0 (train), 1 (val) or 2 (test).

    Raises:
        DataError: If any line is malformed; names the line.
    """
    parts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        fields = line.split()
        if len(fields) != 2 or fields[1] not in ("0", "1", "2"):
            raise DataError(
                f'line {number} is "{_short(line)}"',
                asked=asked,
                hint="Lines are a file name and 0 (train), 1 (val) or 2 (test).",
            )
        if fields[0] in parts:
            raise DataError(f"line {number} repeats the picture {_short(fields[0])}", asked=asked)
        parts[fields[0]] = int(fields[1])
    return parts


def _is_hair(name: str) -> bool:
    colour, _, rest = name.lower().partition("_")
    return rest == "hair" and colour in _HAIR


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"it cannot be read as text ({error})", asked=str(path), hint="Fetch it again."
        ) from error


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "…"
