"""What the commands that measure a model share: progress by direction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def with_progress(work: Callable[[Any], T]) -> T:
    """What ``work`` gives, told of progress by ``told(direction, done, total)`` on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
    )
    tasks: dict[str, Any] = {}
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:

        def on_progress(direction: str, done: int, total: int) -> None:
            if direction not in tasks:
                tasks[direction] = progress.add_task(direction, total=total)
            progress.update(tasks[direction], completed=done)

        return work(on_progress)
