"""``zoo train --time 30m``: a run that ends in time, with its model."""

from __future__ import annotations

import re
import time

from zoo_core.errors import UsageError
from zoo_train.controls import Moment, RunControl

_FORM = re.compile(r"(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?")


class TimeLimit(RunControl):
    """Ends a run after some time; one that goes on later has as much again.

    Args:
        limit: Such as ``90s``, ``30m`` or ``1h30m``, counted from the first step.
    """

    def __init__(self, limit: str) -> None:
        self.limit, self.seconds = limit, seconds(limit)
        self._end = 0.0

    def started(self, moment: Moment) -> None:
        """The time begins."""
        self._end = time.monotonic() + self.seconds

    def stepped(self, moment: Moment) -> str | None:
        """Why the run ends, where the time is over."""
        return f"its time, {self.limit}, is over" if time.monotonic() >= self._end else None


def seconds(text: str) -> int:
    """Seconds of a text such as ``1h30m``; raises `UsageError` where it is none, or no time."""
    match = _FORM.fullmatch(text.strip())
    hours, minutes, rest = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    total = hours * 3600 + minutes * 60 + rest
    if not total:
        raise UsageError(
            "it is no length of time", asked=f"--time {text}", hint="Write 90s, 30m or 1h30m."
        )
    return total
