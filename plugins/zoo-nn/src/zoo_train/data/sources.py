"""Sources of signals: what a user may write for data, and which files it stands for.

A SOURCE is one of:

- ``DIR``: a folder of signals, searched recursively. Where folders in it are named like splits
  (``Train``, ``test_set``), those of the split are taken; folders named by digits give class
  numbers.
- ``DIR/*_name_*.png``: files by pattern; ``DIR/*_name_{10..27}.wav`` by numbers as well, and
  ``{05..12}`` where they are padded with zeros.
- ``ROOT:Blond_Hair``, ``ROOT:!Blond_Hair``, ``ROOT:Blond_Hair,!Male``: the pictures of a folder in
  CelebA's layout for which all of these hold.
- ``mnist:ROOT``, ``usps:ROOT``, or another name that a plugin brings through ``zoo_components``.

Nothing is decoded here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zoo_core.contracts.signals import MIXED, Domains
from zoo_core.errors import UsageError, printable, unknown

MEMORY = "memory:"
"""Begins what stands, in a run's configuration, for signals that were given in memory."""
_LONGEST_NAME = 80
_RESERVED = (MIXED, "all")
_RANGE = re.compile(r"\{(?P<first>\d+)\.\.(?P<last>\d+)\}")
_LONGEST = 10_000


@dataclass(frozen=True)
class DataSource:
    """A SOURCE, taken apart.

    Attributes:
        kind: ``folder``, ``pattern``, ``attribute`` (CelebA's layout) or ``set`` (by a plugin).
        path: Folder, or pattern.
        argument: The attributes, or the name of the set.
    """

    kind: Literal["folder", "pattern", "attribute", "set"]
    path: Path
    argument: str = ""


def parse_domains(texts: Sequence[str]) -> dict[str, str]:
    """Takes ``NAME=SOURCE`` apart, for each ``--domain``.

    Raises:
        UsageError: If one has no name or no source, a name is unusable, or one is given twice.
    """
    domains: dict[str, str] = {}
    for text in texts:
        name, equals, source = text.partition("=")
        name = name.strip()
        if not (equals and name and source.strip()):
            raise UsageError(
                "it is not of the form NAME=SOURCE",
                asked=f'domain "{text}"',
                hint="For example --domain photo=pictures/photos.",
            )
        if name in domains:
            raise UsageError("it is named twice", asked=f'domain "{name}"', hint="Rename one.")
        domains[name] = source.strip()
    for name in domains:
        check_name(name)
    return domains


def parse_source(text: str, sets: Collection[str] = ()) -> DataSource:
    """Takes a SOURCE apart; looks at the disk only to tell a folder's name from a prefix.

    Args:
        text: The source.
        sets: Names of the data sets that plugins bring.

    Raises:
        UsageError: If it is empty, or its prefix is unknown and no such path exists.
    """
    if not text.strip() or "\0" in text:
        raise UsageError(
            "it is empty or holds a zero byte", asked=f"source {text!r}", hint="Give a folder."
        )
    path = _path(text)
    if _exists(path):
        return DataSource("folder", path)
    if text.startswith(MEMORY):
        raise UsageError(
            "its signals were given in memory, and are not here",
            asked=f'source "{text}"',
            hint="Give them again, in Python: zoo.train(out=RUN, resume=True, domains=…).",
        )
    prefix, colon, rest = text.partition(":")
    if colon and prefix in sets:
        if not rest.strip():
            raise UsageError(
                "it names no folder", asked=f'source "{text}"', hint=f"Write {prefix}:FOLDER."
            )
        return DataSource("set", _path(rest), prefix)
    root, colon, expression = text.rpartition(":")
    if colon and root and _exists(_path(root)):
        return DataSource("attribute", _path(root), expression)
    if any(mark in text for mark in "*?[") or _RANGE.search(text):
        return DataSource("pattern", path)
    if colon and prefix.isidentifier() and len(prefix) > 1:
        raise unknown(
            "data source or folder",
            prefix,
            sets,
            next_step=f"Sources are a folder, ROOT:ATTRIBUTE, or one of "
            f"{', '.join(f'{name}:ROOT' for name in sorted(sets)) or 'none installed'}.",
        )
    return DataSource("folder", path)


def check_name(name: str) -> None:
    """Refuses what cannot name a domain.

    Raises:
        UsageError: If it cannot be printed, is very long, or is reserved.
    """
    Domains((name,))
    if name != name.strip() or len(name) > _LONGEST_NAME or name in _RESERVED:
        raise UsageError(
            f"a domain's name has at most {_LONGEST_NAME} signs, no space at its ends, and is "
            f"neither {' nor '.join(_RESERVED)}",
            asked=f'domain "{printable(name, limit=_LONGEST_NAME)}"',
            hint="Rename it.",
        )


def ranges(pattern: str) -> list[str]:
    """A pattern with each ``{FIRST..LAST}`` replaced by each of its numbers, as a shell does it.

    Numbers are as wide as the first one where that begins with a zero.

    Raises:
        UsageError: If a range is empty or very long.
    """
    match = _RANGE.search(pattern)
    if match is None:
        return [pattern]
    first, last = int(match["first"]), int(match["last"])
    head, tail = pattern[: match.start()], ranges(pattern[match.end() :])
    if not 0 < (last + 1 - first) * len(tail) <= _LONGEST:
        raise UsageError(
            f"it holds no number, or more than {_LONGEST:,}",
            asked=f'range "{match.group()}"',
            hint="Write {FIRST..LAST}, the smaller number first.",
        )
    width = len(match["first"]) if match["first"].startswith("0") else 0
    return [f"{head}{n:0{width}}{rest}" for n in range(first, last + 1) for rest in tail]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long a name, say
        return False


def _path(text: str) -> Path:
    return Path(text).expanduser() if text.startswith("~/") else Path(text)
