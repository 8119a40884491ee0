"""Parquet files with a column of bytes: the other columns stay, and one for what failed joins."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from zoo_core.contracts.codec import Codec
from zoo_core.errors import DataError, UsageError
from zoo_ray.containers import Container, Group, Made, Member

PROBLEM = "zoo_problem"
"""Column of the outputs: what is wrong with a row; null where nothing is."""


class ParquetFile(Container):
    """A Parquet file, of which one column holds the content of files.

    Args:
        path: The file.
        codec: Reads the signals.
        column: Name of the column; None where there is one only. Its values are bytes, or structs
            of ``bytes`` and ``path``.
    """

    def __init__(self, path: Path, codec: Codec, column: str | None = None) -> None:
        super().__init__(path, codec)
        try:
            schema = pq.read_schema(path)
        except (OSError, pa.ArrowException) as fault:
            raise _damaged(path, fault) from fault
        self.column = self._chosen(schema, column)
        self.schema = _with_problem(schema, self.column)

    def groups(self, count: int) -> Iterator[Group]:
        """See `zoo_ray.containers.Container.groups`."""
        row = 0
        try:
            with pq.ParquetFile(self.path) as file:
                for batch in file.iter_batches(batch_size=count):
                    values = batch.column(self.column).to_pylist()
                    yield Group([_member(n, v) for n, v in enumerate(values, row)], batch)
                    row += len(values)
        except (OSError, pa.ArrowException) as fault:
            raise _damaged(self.path, fault) from fault

    @contextmanager
    def writing(self, path: Path) -> Iterator[_ParquetWriter]:
        """See `zoo_ray.containers.Container.writing`."""
        with pq.ParquetWriter(path, self.schema) as writer:
            yield _ParquetWriter(writer, self.schema, self.column)

    def _chosen(self, schema: pa.Schema, column: str | None) -> str:
        known = [field.name for field in schema if _holds_bytes(field.type)]
        if column in known:
            return column
        if column is None and len(known) == 1:
            return known[0]
        raise UsageError(
            f"its columns of bytes are {', '.join(known) or 'none'}",
            asked=f"{self.path}, column {column}" if column else str(self.path),
            hint="Name one: --runner ray:column=NAME." if known else None,
        )


class _ParquetWriter:
    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema, column: str) -> None:
        self._writer, self._schema, self._column = writer, schema, column

    def add(self, group: Group, made: Sequence[Made]) -> None:
        """See `zoo_ray.containers.Writer.add`; a row that failed has null, and says why."""
        kind = self._schema.field(self._column).type
        values: list[Any] = [one.content for one in made]
        if pa.types.is_struct(kind):
            old = group.rest.column(self._column).to_pylist()
            values = [_renamed(kind, *pair) for pair in zip(old, made, strict=True)]
        arrays = [
            pa.array(values, kind) if name == self._column else group.rest.column(name)
            for name in self._schema.names[:-1]
        ]
        arrays.append(pa.array([one.problem for one in made], pa.string()))
        self._writer.write_batch(pa.record_batch(arrays, schema=self._schema))


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _holds_bytes(kind.field("bytes").type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _member(row: int, value: Any) -> Member:
    """The signal of a row; nothing gives an empty file, which is refused as such."""
    if isinstance(value, dict):
        name = str(value.get("path") or "").replace("\\", "/").rpartition("/")[2]
        return Member(f"row-{row}-{name}".rstrip("-"), value["bytes"] or b"")
    return Member(f"row-{row}", value or b"")


def _renamed(kind: pa.DataType, old: Any, made: Made) -> Any:
    """A struct with other bytes, whose path ends in the suffix of what was written."""
    if made.content is None:
        return None
    value = {**old, "bytes": made.content}
    if value.get("path"):
        value["path"] = str(Path(value["path"]).with_suffix(made.suffix))
    return value


def _with_problem(schema: pa.Schema, column: str) -> pa.Schema:
    """The schema of the outputs, of which Hugging Face's ``datasets`` knows the new column, too."""
    if PROBLEM in schema.names:
        schema = schema.remove(schema.get_field_index(PROBLEM))
    number = schema.get_field_index(column)
    schema = schema.set(number, schema.field(number).with_nullable(True))  # of rows that failed
    facts = dict(schema.metadata or {})
    try:
        described = json.loads(facts[b"huggingface"])
        described["info"]["features"][PROBLEM] = {"dtype": "string", "_type": "Value"}
        facts[b"huggingface"] = json.dumps(described).encode()
    except (KeyError, TypeError, ValueError):
        facts.pop(b"huggingface", None)
    return schema.append(pa.field(PROBLEM, pa.string())).with_metadata(facts or None)


def _damaged(path: Path, fault: Exception) -> DataError:
    return DataError(
        f"it is no whole Parquet file ({fault})",
        asked=str(path),
        hint="Fetch or write it again.",
    )
