"""What a model was trained on: a hash of each signal's content, so that it is known anywhere."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo_core.contracts.codec import InMemorySignal
from zoo_core.errors import WeightsError
from zoo_core.untrusted import member, read_text

TRAINED_ON = "trained-on.json"
"""Name of the file in a run, with the signals' names, and in a model directory, without."""
MOST = 16_384
"""Hashes of one file; of more signals those with the smallest hashes are kept, a fair sample."""
_DIGITS = 16
_WHOLE = 32 * 1024 * 1024


@dataclass(frozen=True)
class TrainedOn:
    """The signals that a model was trained on.

    Attributes:
        hashes: Hashes of contents.
        last: Greatest hash that would have been kept; None where all were.
    """

    hashes: frozenset[str]
    last: str | None = None

    def count(self, hashes: Iterable[str]) -> tuple[int, int]:
        """How many signals were trained on, of how many for which that is known."""
        given = list(hashes)
        known = [one for one in given if self.last is None or one <= self.last]
        return sum(one in self.hashes for one in known), len(known)


def content_hashes(signals: Iterable[Path | InMemorySignal]) -> list[str]:
    """A hash of each signal's content, 16 digits: of a file's bytes, or of values in memory.

    A file that holds several signals, such as the slices of a volume, is read once, and its signals
    are told apart by their order. Values that are no numbers count by their name.
    """
    files: dict[Path, list[str]] = {}
    hashes = []
    for signal in signals:
        if isinstance(signal, Path):
            found = files.setdefault(signal, [])
            found.append(_hash(found[0], len(found)) if found else _hash_of_file(signal))
            hashes.append(found[-1])
        else:
            values = np.ascontiguousarray(signal.value)
            data = signal.name if values.dtype.hasobject else values.tobytes()
            hashes.append(_hash(values.dtype.str, values.shape, data))
    return hashes


def to_json(
    hashes: Mapping[str, Sequence[str]], names: Mapping[str, Sequence[str]] | None = None
) -> str:
    """The text of a `TRAINED_ON` file.

    Args:
        hashes: Hash of each signal by domain.
        names: Name of each signal by domain, to be remembered; a model remembers none.
    """
    domains: dict[str, dict[str, Any]] = {}
    for domain, each in hashes.items():
        order = sorted(range(len(each)), key=each.__getitem__)[: MOST // len(hashes)]
        domains[domain] = {"count": len(each), "hashes": "".join(each[at] for at in order)}
        if names is not None:
            domains[domain]["names"] = [names[domain][at] for at in order]
    return json.dumps({"format": 1, "domains": domains})


def read_trained_on(directory: Path) -> TrainedOn | None:
    """What a model directory says of its training data; None where it says nothing.

    Raises:
        WeightsError: If its file is damaged.
    """
    path = member(directory, TRAINED_ON)
    if path is None:
        return None
    try:
        domains = json.loads(read_text(path))["domains"].values()
        parts = [(_taken_apart(part["hashes"]), int(part["count"])) for part in domains]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise WeightsError(
            "it is damaged", asked=f"file {path}", hint="Remove it, or export the model again."
        ) from fault
    cut = [max(hashes, default="") for hashes, count in parts if len(hashes) < count]
    return TrainedOn(frozenset().union(*(hashes for hashes, _ in parts)), min(cut, default=None))


def _taken_apart(text: str) -> Collection[str]:
    if not re.fullmatch(rf"(?:[0-9a-f]{{{_DIGITS}}})*", text):
        raise ValueError("no hashes")
    return [text[at : at + _DIGITS] for at in range(0, len(text), _DIGITS)]


def _hash(*parts: object) -> str:
    digest = hashlib.blake2b(digest_size=_DIGITS // 2)
    for part in parts:
        digest.update(part if isinstance(part, bytes) else f"{part} ".encode())
    return digest.hexdigest()


def _hash_of_file(path: Path) -> str:
    """Of a file that is larger than `_WHOLE`, its size, beginning and end count."""
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        if size <= _WHOLE:
            return _hash(size, stream.read())
        begin = stream.read(_WHOLE // 2)
        stream.seek(-(_WHOLE // 2), os.SEEK_END)
        return _hash(size, begin, stream.read())
