"""Lists of what pictures show, as text: CelebA's lists, CSV, TSV, Parquet and data frames."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo_core.errors import DataError, UsageError, printable
from zoo_core.finding import names as few
from zoo_images.format_spec import SUFFIXES

TABLES = (".csv", ".tsv", ".parquet")
LARGEST, MOST_VALUES = 300_000_000, 30_000_000
"""Bytes of a list, and values of a compressed one, beyond which it is none to be read whole."""
_NAMES = (
    "image_id", "filename", "file_name", "file", "image", "img", "picture", "path", "filepath",
    "file_path", "image_path", "image_name", "img_name", "fname", "name", "id",
)  # fmt: skip
"""Columns that hold the pictures' names, in this order; else the first that holds such does."""
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Table:
    """What a list says of pictures.

    Attributes:
        asked: Where it comes from, for messages.
        columns: Names of its columns, without that of the pictures' names.
        rows: For each picture, by the name that the list gives it, a text per column.
    """

    asked: str
    columns: tuple[str, ...]
    rows: dict[str, tuple[str, ...]]

    def column(self, name: str) -> dict[str, str]:
        """The texts of one column by picture."""
        at = self.columns.index(name)
        return {picture: row[at] for picture, row in self.rows.items()}


def read_table(path: Path) -> Table:
    """Reads a list by its suffix: ``.csv``, ``.tsv``, ``.parquet``, else CelebA's text.

    Raises:
        DataError: If it is damaged; names the first line that is, and how many are.
        UsageError: If a package that reads it is missing.
    """
    suffix, asked = path.suffix.lower(), printable(str(path))
    if suffix == ".parquet":
        return of_columns(_parquet(path, asked), asked=asked)
    text = text_of(path)
    if suffix in (".csv", ".tsv"):
        return parse_csv(text, asked=asked)
    return parse_celeba(text, asked=asked)


def of_columns(columns: Any, *, asked: str = "data frame") -> Table:
    """A table of a data frame of pandas, or of anything with values by column.

    Args:
        columns: A mapping from names to sequences of one length; the pictures' names are in a
            column that is named so (``filename``, ``image_id`` …), or in the first.
        asked: How to call it in messages.

    Raises:
        DataError: If it is empty or names a picture twice.
    """
    given = {str(name): [_text(value) for value in columns[name]] for name in columns}
    return _table(list(given), list(zip(*given.values(), strict=True)), asked)


def parse_csv(text: str, *, asked: str) -> Table:
    """Parses values that commas, semicolons or tabs separate, with or without a line of names.

    Raises:
        DataError: If lines have other numbers of values than the first.
    """
    first = text.lstrip("\n").partition("\n")[0]
    lines = csv.reader(io.StringIO(text), delimiter=max(",;\t", key=first.count))
    try:
        rows = [[value.strip() for value in line] for line in lines if any(map(str.strip, line))]
    except csv.Error as error:
        raise DataError(f"line {lines.line_num} is malformed ({error})", asked=asked) from error
    if not rows:
        raise DataError("it is empty", asked=asked, hint="Its first line names the columns.")
    header = rows[0]
    if any(map(_is_picture, header)):  # no names, but a picture
        header = (
            ["file", "label"] if len(header) == 2 else [f"column{i}" for i in range(len(header))]
        )
        rows = [header, *rows]
    return _table(header, rows[1:], asked)


def parse_celeba(text: str, *, asked: str) -> Table:
    """Parses CelebA's list: the number of pictures, the names, then a row of values per picture.

    Raises:
        DataError: If any line is malformed; names the first that is.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 3:
        raise DataError(
            f"it has {len(lines)} lines",
            asked=asked,
            hint="Its first line is the number of pictures, its second the attributes' names.",
        )
    count = lines[0].strip()
    if not (count.isascii() and count.isdigit()):
        raise DataError(
            f'its first line is "{printable(count, limit=40)}", not the number of pictures',
            asked=asked,
            hint="Write the number of rows there, as CelebA does, or save it as .csv.",
        )
    columns = lines[1].split()
    # A name may hold spaces: the values are counted from the end.
    table = _table(
        ["", *columns], [line.strip().rsplit(None, len(columns)) for line in lines[2:]], asked
    )
    if len(table.rows) != int(count[:18]):
        raise DataError(
            f"its first line says {printable(count, limit=40)} pictures, but {len(table.rows)} "
            "rows follow",
            asked=asked,
            hint="The file is cut off or the number is wrong; fetch it again.",
        )
    return table


def text_of(path: Path) -> str:
    """The text of a list, without the mark that some programs put at its beginning."""
    _require_bounded(path)
    try:
        data = path.read_bytes()
        text = data.decode("utf-16" if data.startswith(_WIDE) else "utf-8-sig")
        return text.replace("\r\n", "\n").replace("\r", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"it cannot be read as text ({error})",
            asked=printable(str(path)),
            hint="Save it as UTF-8 text, or fetch it again.",
        ) from error


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], asked: str) -> Table:
    """A table of its lines; the column of the pictures' names is found by its name."""
    rows = list(rows)
    lower = [re.sub(r"[ -]+", "_", name.strip().lower()) for name in header]
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise DataError(f'the column "{printable(twice, limit=40)}" is there twice', asked=asked)
    named = (lower.index(name) for name in _NAMES if name in lower)
    first = rows[0][: len(header)] if rows else ()
    shown = (at for at, value in enumerate(first) if _is_picture(value))
    key = next(itertools.chain(named, shown), 0)
    known: dict[str, tuple[str, ...]] = {}
    uneven, repeated = [], []
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            uneven.append((number, len(row)))
        elif row[key] in known:
            repeated.append(Path(row[key]))
        else:
            known[row[key]] = tuple(value for at, value in enumerate(row) if at != key)
    if uneven:
        raise DataError(
            f"row {uneven[0][0]} has {uneven[0][1]} values for {len(header)} columns, and so have "
            f"{len(uneven):,} rows in all another number",
            asked=asked,
            hint="Save it again, with quotes around values that hold the separator.",
        )
    if repeated:
        raise DataError(
            f"it names {len(repeated):,} pictures again: {few(repeated)}",
            asked=asked,
            hint="Leave one row for each picture.",
        )
    if not known:
        raise DataError("it has no row", asked=asked, hint="Write one row for each picture.")
    columns = tuple(name.strip() for at, name in enumerate(header) if at != key)
    return Table(asked, columns, known)


def _require_bounded(path: Path) -> None:
    """Raises `DataError` where a list is larger than any list is."""
    try:
        size = path.stat().st_size
    except OSError:  # whoever reads it says so
        return
    if size > LARGEST:
        raise DataError(
            f"it has {size:,} bytes, more than the {LARGEST:,} of a list",
            asked=printable(str(path)),
            hint="Leave the columns that tell pictures apart, or train on folders.",
        )


def _is_picture(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _parquet(path: Path, asked: str) -> Any:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import read_metadata
        from pyarrow.parquet import read_table as read
    except ImportError as error:
        raise UsageError(
            "reading Parquet needs the package pyarrow",
            asked=asked,
            hint="pip install 'zoo-images[parquet]', or save the list as .csv.",
        ) from error
    _require_bounded(path)
    try:
        facts = read_metadata(path)
        if facts.num_rows * facts.num_columns > MOST_VALUES:
            raise DataError(
                f"it has {facts.num_rows:,} rows of {facts.num_columns:,} columns, more than "
                f"{MOST_VALUES:,} values",
                asked=asked,
                hint="Leave the columns that tell pictures apart, and one row for each picture.",
            )
        return read(path).to_pydict()
    except (ArrowException, OSError) as error:
        reason = str(error).split("\n", 1)[0]
        raise DataError(
            f"it is no Parquet file that can be read ({reason})", asked=asked
        ) from error


def _text(value: object) -> str:
    """A value of a data frame as a list would write it; nothing for a missing one."""
    if value is None or (isinstance(value, float) and math.isnan(value)) or str(value) == "<NA>":
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
