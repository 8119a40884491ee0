"""Which file a row of a list means, where the list calls it differently."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path


def match(rows: Iterable[str], files: Sequence[Path], folder: Path) -> dict[str, Path]:
    """The file of each row, where there is exactly one: by path, by name, or without suffix.

    A file belongs to one row: the first that names it.
    """
    ways: list[tuple[Callable[[str], str], Callable[[str], str]]] = [  # of a file, and of a row
        (str, str),
        (_name, _name),
        (_without_suffix, str),
        (_without_suffix, _without_suffix),
        (_stem, _name),
        (_stem, _stem),
        (_loosely, _loosely),
    ]
    places = {file.relative_to(folder).as_posix(): file for file in files}
    listed = {row: row.replace("\\", "/").removeprefix("./") for row in rows}
    found: dict[str, Path] = {}
    for of_file, of_row in ways:
        if len(found) == len(listed):
            break
        by_key: dict[str, list[str]] = defaultdict(list)
        for place in places:
            by_key[of_file(place)].append(place)
        for row, path in listed.items():
            at = by_key.get(of_row(path), ()) if row not in found else ()
            if len(at) == 1 and at[0] in places:
                found[row] = places.pop(at[0])
    return {row: found[row] for row in listed if row in found}


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _stem(path: str) -> str:
    return _without_suffix(_name(path))


def _loosely(path: str) -> str:
    """The stem in any case, and however its accents are composed: macOS takes them apart."""
    return unicodedata.normalize("NFC", _stem(path)).casefold()


def _without_suffix(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}{name.rpartition('.')[0] or name}"
