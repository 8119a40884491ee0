"""Work that tells how far it is, and that can be ended before it is done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from zoo_core.contracts.codec import Item, Window
from zoo_core.translate.translator import Translator

Progress = Callable[[int, int | None], None]
"""Called with the parts that are under way or done, and those in all where that is known."""


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
def watched(translator: Translator, tell: Progress, stop: threading.Event) -> Iterator[None]:
    """While the block lasts, tells of the windows that the nets take, and ends where asked to.

    Args:
        translator: Nobody else uses it meanwhile.
        tell: Told whenever a window is asked for.
        stop: Once set, the next window or layer raises `CancelledError`.
    """
    codec = translator.codec
    plain = codec.windows

    def windows(item: Item, **asked: Any) -> Iterator[Window]:
        count, done = None, -1
        for done, window in enumerate(plain(item, **asked)):
            go_on(stop)
            count = None if window.whole is None else window.whole.count
            tell(max(1, done), count)  # one is read ahead of the nets
            yield window
        tell(done + 1, count)

    def look(module: nn.Module, inputs: Any) -> None:
        go_on(stop)

    hooks = [module.register_forward_pre_hook(look) for module in translator.method.modules()]
    codec.windows = windows  # type: ignore[method-assign]
    try:
        yield
    finally:
        del codec.windows  # that of its class is back
        for hook in hooks:
            hook.remove()
