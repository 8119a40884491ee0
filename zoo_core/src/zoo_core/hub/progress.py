"""A progress bar on the standard error, with the size before it starts; on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def note(text: str) -> None:
    """Prints a line on the standard error; on a terminal only."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr)  # noqa: T201  (what a person at the terminal waits for)


@contextmanager
def progress_bar(title: str, size: int | None) -> Iterator[Callable[[int], None]]:
    """A bar for one download; yields what is to be told how many bytes are there.

    Args:
        title: What is fetched, from where.
        size: Its bytes; None where they are unknown.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda there: None
        return
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    known = "of unknown size" if size is None else f"{size / 1e6:.1f} MB"
    console.print(f"Fetching {title}, {known}")
    with Progress(TextColumn("  "), *columns, console=console, transient=True) as bars:
        task = bars.add_task("", total=size)
        yield lambda there: bars.update(task, completed=there)
