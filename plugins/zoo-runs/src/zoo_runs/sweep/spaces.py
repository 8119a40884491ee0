"""What a sweep may set: ``KEY=LOW..HIGH``, ``KEY=LOW..HIGH:log`` and ``KEY=A,B,C``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo_core.errors import UsageError

if TYPE_CHECKING:
    from optuna import Trial

_NUMBER = r"-?\d+(?:\.\d*)?(?:e-?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(:log)?", re.IGNORECASE)


@dataclass(frozen=True)
class Space:
    """The values that a setting may have.

    Attributes:
        key: The setting, as for ``--set``.
        choices: The values, as text; empty for a range.
        low: Least value of a range.
        high: Greatest value of a range.
        whole: Whether only whole numbers are meant.
        log: Whether steps between values are factors.
    """

    key: str
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    log: bool = False

    def drawn(self, trial: Trial) -> str:
        """The value that the study suggests, as text."""
        if self.choices:
            return str(trial.suggest_categorical(self.key, self.choices))
        if self.whole:
            return str(trial.suggest_int(self.key, int(self.low), int(self.high), log=self.log))
        return f"{trial.suggest_float(self.key, self.low, self.high, log=self.log):.6g}"


def parse_spaces(texts: Sequence[str]) -> list[Space]:
    """The spaces of a sweep; raises `UsageError` where a text is none, or a key comes twice."""
    spaces = [_parsed(text) for text in texts]
    keys = [space.key for space in spaces]
    for key in keys:
        if keys.count(key) > 1:
            raise UsageError("it is given twice", asked=f"--over {key}")
    return spaces


def _parsed(text: str) -> Space:
    key, equals, values = text.partition("=")
    match = _RANGE.fullmatch(values)
    if match:
        low, high = float(match[1]), float(match[2])
        whole = all(re.fullmatch(r"-?\d+", part) for part in (match[1], match[2]))
        if low >= high or (match[3] and low <= 0):
            raise UsageError(
                "it is no range from a lower to a higher number" + (" above 0" * bool(match[3])),
                asked=f"--over {text}",
            )
        return Space(key, low=low, high=high, whole=whole, log=bool(match[3]))
    choices = tuple(part for part in values.split(",") if part)
    if not (key and equals and len(choices) > 1 and ".." not in values):
        raise UsageError(
            "it is neither a range nor a list of values",
            asked=f"--over {text}",
            hint="Write KEY=LOW..HIGH, KEY=LOW..HIGH:log or KEY=A,B,C.",
        )
    return Space(key, choices)
