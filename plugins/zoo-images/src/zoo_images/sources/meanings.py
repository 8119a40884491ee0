"""What the columns of a list mean: attributes that hold or not, classes, splits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from zoo_core.errors import printable
from zoo_images.sources.tables import Table
from zoo_train.data.splits import split_of

_YES = frozenset({"1", "+1", "1.0", "true", "yes", "t", "y"})
_NO = frozenset({"-1", "-1.0", "0", "0.0", "false", "no", "f", "n"})
_SPLIT = ("split", "partition", "subset", "set")
_NUMBERS = {"0": "train", "1": "val", "2": "test"}
_MOST_CLASSES = 50


@dataclass(frozen=True)
class Meanings:
    """What a list means.

    Attributes:
        attributes: Names of the attributes.
        rows: For each picture, by the list's name of it, whether each attribute holds.
        faults: Why the columns that are no attributes are none.
        groups: Classes of one column: exactly one of them holds.
        split: The split of each picture, where a column says it.
        nearly: Whether a column with a fault holds mostly yes and no.
    """

    attributes: tuple[str, ...]
    rows: dict[str, tuple[bool, ...]]
    faults: dict[str, str] = field(default_factory=dict)
    groups: tuple[tuple[str, ...], ...] = ()
    split: dict[str, str] | None = None
    nearly: bool = False


def meanings(table: Table) -> Meanings:
    """Finds out what each column of a list means.

    A column of -1 and 1, 0 and 1, or true and false is an attribute; one of words is an attribute
    for each word, one of numbers ``NAME_NUMBER`` for each; a column ``split`` says the splits.
    """
    pictures = list(table.rows)
    columns: dict[str, list[bool]] = {}
    faults: dict[str, str] = {}
    groups: list[tuple[str, ...]] = []
    split: dict[str, str] | None = None
    nearly = False
    for name, values in zip(table.columns, zip(*table.rows.values(), strict=True), strict=True):
        means = {value: _mark(value) for value in set(values)}
        if split is None and (said := _splits(name, means)) is not None:
            split = {row: said[value] for row, value in zip(pictures, values, strict=True)}
        elif (fault := _fault(values, means, pictures)) is not None:
            faults[name] = fault
            nearly |= _mostly_marks(values, means)
        elif None not in means.values():
            columns[name] = [means[value] is True for value in values]
        else:
            taken = {*columns, *table.columns}
            titles = {value: _title(name, value, taken) for value in sorted(means) if value}
            for value, title in titles.items():
                columns[title] = [own == value for own in values]
            groups.append(tuple(titles.values()))
    held = zip(*columns.values(), strict=True) if columns else ((),) * len(pictures)
    rows = dict(zip(pictures, held, strict=True))
    return Meanings(tuple(columns), rows, faults, tuple(groups), split, nearly)


def split_named(value: str) -> str | None:
    """The split that a value says: 0 (train), 1 (val), 2 (test), or a name; None for others."""
    return _NUMBERS.get(value) or split_of(value)


def _mark(value: str) -> bool | None:
    """Whether a value says that an attribute holds; None where it says neither."""
    lower = value.lower()
    return True if lower in _YES else False if lower in _NO else None


def _splits(name: str, values: Iterable[str]) -> dict[str, str] | None:
    """The split that each value says, where a column is named so and holds nothing else."""
    if name.lower() not in _SPLIT:
        return None
    splits = {value: split_named(value) for value in values}
    return (
        {value: split for value, split in splits.items() if split} if all(splits.values()) else None
    )


def _fault(
    values: Sequence[str], means: Mapping[str, bool | None], pictures: Sequence[str]
) -> str | None:
    """Why a column is no attribute and no classes; None where it is."""
    marks = {value for value, meaning in means.items() if meaning is not None}
    others = means.keys() - marks

    def first(wanted: Set[str]) -> str:
        at = [row for row, value in enumerate(values) if value in wanted]
        value, picture = printable(values[at[0]], limit=40), printable(pictures[at[0]])
        return f'{len(at):,} times, such as "{value}" for {picture}'

    if not _mostly_marks(values, means):
        classes = len(means.keys() - {""})
        if not 1 <= classes <= _MOST_CLASSES or (len(values) > 4 and classes == len(values)):
            return f"it holds {classes:,} different values, which are no classes"
        return None
    negative = {value for value in marks if value.startswith("-")}
    zeros = {value for value in marks if value.startswith("0")}
    if negative and zeros:
        return f"it holds both -1 and 0: {first(zeros)}"
    if not others or (not negative and all(value.isdigit() for value in others)):
        return None  # marks alone, or the numbers of classes
    if "" in others:
        return f"it holds no value: {first({''})}"
    return f"it holds neither 1 and -1, 0 and 1 nor true and false: {first(others)}"


def _mostly_marks(values: Sequence[str], means: Mapping[str, bool | None]) -> bool:
    """Whether more than half of the values say yes or no."""
    return sum(means[value] is not None for value in values) > len(values) / 2


def _title(column: str, value: str, taken: set[str]) -> str:
    """Name of the attribute that a picture is of a class."""
    number = value.lstrip("+-").replace(".", "", 1).isdigit()
    return f"{column}_{value}" if number or value in taken else value
