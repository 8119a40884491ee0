"""What an output was made from, so that only an equal one is kept and all others are made anew."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zoo_core.files import before_replacing

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

    A line per output is appended just before it takes its place, so that no killed process leaves
    an output of which nothing is known. The line that holds is the one with the output's hash.
    Lines that are damaged are passed over: their outputs count as unknown.

    Args:
        root: The output folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: set[bytes] = set()
        self._length = 0  # bytes of the records that were read

    def is_unchanged(self, output: Path) -> bool:
        """Whether an output was written here by the zoo, and nobody has changed it since."""
        return self._knows(output)

    def is_current(self, output: Path, origin: Origin) -> bool:
        """Whether an unchanged output was made from just this."""
        return self._knows(output, asdict(origin))

    @contextmanager
    def noting(self, output: Path, origin: Origin) -> Iterator[None]:
        """Notes what an output is made from, as soon as the block has made its content."""
        noted: list[Path] = []

        def note(path: Path, content: Path) -> None:
            if path == output:
                self.note(output, origin, content)
                noted.append(path)

        with before_replacing(note):
            yield
        if not noted:  # it was written by other means than `zoo_core.files.replacing`
            self.note(output, origin)

    def note(self, output: Path, origin: Origin, content: Path | None = None) -> None:
        """Notes what an output is made from.

        Args:
            output: The output.
            origin: What it is made from.
            content: The file that is about to become the output; None: the output itself.
        """
        content = content or output
        record = {
            "output": self._name(output),
            "sha256": sha256_of(content),
            "bytes": _size(content),
            "origin": asdict(origin),
        }
        line = json.dumps(record, ensure_ascii=True) + "\n"
        # One write of a whole line: lines of several processes do not mix.
        with (self.root / RECORDS).open("a", encoding="ascii") as file:
            file.write(line)

    def _name(self, output: Path) -> str:
        return os.path.relpath(output, self.root)

    def _knows(self, output: Path, *origin: Mapping[str, Any]) -> bool:
        """Whether an output as it is now was noted, from this origin where one is given."""
        if self._length != (_size(self.root / RECORDS) or 0):
            self._refresh()  # for the first time, or what other processes have added since
        digest = sha256_of(output) if self._known and output.is_file() else None
        return digest is not None and _mark(self._name(output), digest, *origin) in self._known

    def _refresh(self) -> None:
        """Takes the records that were added since the last time."""
        try:
            file = (self.root / RECORDS).open("rb")
        except OSError:
            return
        with file:
            file.seek(self._length)
            while line := file.readline(_LONGEST_LINE):
                if len(line) < _LONGEST_LINE and not line.endswith(b"\n"):
                    return  # it is being written
                self._length = file.tell()
                try:
                    record = json.loads(line)
                    known = record["output"], record["sha256"]
                    self._known |= {_mark(*known), _mark(*known, record["origin"])}
                except (ValueError, KeyError, TypeError, RecursionError):
                    continue


def _mark(*facts: object) -> bytes:
    """Stands for facts that were noted, of which there may be many in memory."""
    return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16).digest()


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
