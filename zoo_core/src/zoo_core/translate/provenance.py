"""What an output was made from, so that only an equal one is kept and all others are made anew."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

RECORDS = "zoo-outputs.jsonl"
"""Name of the file in an output folder that says what each output was made from."""
_LONGEST_LINE = 65_536


@dataclass(frozen=True)
class Origin:
    """What an output was made from.

    Attributes:
        input: sha256 of the input file.
        model: Hash of the nets that made it.
        target: Name of the output, such as a domain.
        options: What else decides its content, as plain values.
        version: Version of zoo-core.
    """

    input: str
    model: str
    target: str
    options: Mapping[str, Any]
    version: str

    @property
    def digest(self) -> str:
        """Hash of it all."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


class Outputs:
    """The outputs in one folder, with what each was made from.

    A line per output is appended when it is written; of two lines for one output the later holds.
    Lines that are damaged are passed over: their outputs count as unknown.

    Args:
        root: The output folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known = dict(self._read())

    def is_unchanged(self, output: Path) -> bool:
        """Whether an output was written here by the zoo, and nobody has changed it since."""
        record = self._known.get(self._name(output), {})
        size, digest = record.get("bytes"), record.get("sha256")
        return size is not None and size == _size(output) and digest == sha256_of(output)

    def is_current(self, output: Path, origin: Origin) -> bool:
        """Whether an unchanged output was made from just this."""
        record = self._known.get(self._name(output), {})
        return record.get("origin") == asdict(origin) and self.is_unchanged(output)

    def note(self, output: Path, origin: Origin) -> None:
        """Notes what an output was made from, after it was written."""
        record = {
            "output": self._name(output),
            "sha256": sha256_of(output),
            "bytes": _size(output),
            "origin": asdict(origin),
        }
        line = json.dumps(record, ensure_ascii=True) + "\n"
        # One write of a whole line: lines of several processes do not mix.
        with (self.root / RECORDS).open("a", encoding="ascii") as file:
            file.write(line)

    def _name(self, output: Path) -> str:
        return os.path.relpath(output, self.root)

    def _read(self) -> list[tuple[str, Mapping[str, Any]]]:
        records: list[tuple[str, Mapping[str, Any]]] = []
        try:
            file = (self.root / RECORDS).open("rb")
        except OSError:
            return records
        with file:
            while line := file.readline(_LONGEST_LINE):
                try:
                    record = json.loads(line)
                    records.append((str(record["output"]), record))
                except (ValueError, KeyError, TypeError, RecursionError):
                    continue
        return records


def sha256_of(path: Path) -> str | None:
    """Hash of a file's content; None where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
