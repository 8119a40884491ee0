"""Work that tells how far it is, and that can be ended before it is done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo_core.contracts.codec import Codec, Item, Window

Progress = Callable[[int, int | None], None]
"""Called with the parts that are done, and those in all where that is known."""


class CancelledError(Exception):
    """Nobody waits for it any more."""


def go_on(stop: threading.Event) -> None:
    """Raises `CancelledError` where it was asked for."""
    if stop.is_set():
        raise CancelledError


@dataclass(frozen=True)
class Event:
    """A step of some work.

    Attributes:
        says: What happened, as plain values.
        files: Files that belong to it.
    """

    says: Mapping[str, Any]
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Job:
    """Some work that somebody waits for.

    Attributes:
        folder: Empty; for what is made.
        tell: Told of each step.
        stop: Once set, the work shall end.
    """

    folder: Path
    tell: Callable[[Event], None]
    stop: threading.Event


@contextmanager
def watched(codec: Codec, tell: Progress, stop: threading.Event) -> Iterator[None]:
    """While the block lasts, tells of each window that the nets take, and ends where asked to.

    Args:
        codec: Of a translator that nobody else uses meanwhile.
        tell: Told before each window.
        stop: Once set, the next window raises `CancelledError`.
    """
    plain = codec.windows

    def windows(item: Item, **asked: Any) -> Iterator[Window]:
        for done, window in enumerate(plain(item, **asked)):
            go_on(stop)
            tell(done, None if window.whole is None else window.whole.count)
            yield window

    codec.windows = windows  # type: ignore[method-assign]
    try:
        yield
    finally:
        del codec.windows  # that of its class is back
