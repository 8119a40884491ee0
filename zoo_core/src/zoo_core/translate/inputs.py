"""What can be translated: values in memory, files, folders and patterns, as jobs for the nets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo_core.contracts.codec import Codec, Item


@dataclass(frozen=True)
class Job:
    """One input: its name, and how to get it (called in a reader thread)."""

    name: str
    open: Callable[[], Item]


def jobs_of(codec: Codec, x: Any) -> Iterator[Job]:
    """Jobs of a signal, a batch, or a list of either; files are opened when their turn comes.

    Raises:
        UsageError: If a value is of no accepted type.
    """
    if isinstance(x, list | tuple) and x:
        for part in x:
            yield from jobs_of(codec, part)
    elif isinstance(x, str | os.PathLike):
        yield file_job(codec, Path(x))
    else:
        for item in codec.wrap(x):
            yield Job(item.name, _given(item))


def file_job(codec: Codec, path: Path) -> Job:
    """The job of a file."""
    return Job(str(path), lambda: codec.read(path))


def _given(item: Item) -> Callable[[], Item]:
    return lambda: item
