"""What a user may ask of videos: texts of ``zoo translate --NAME VALUE`` to values."""

from __future__ import annotations

import math
from fractions import Fraction

from zoo_core.errors import UsageError


def rate(text: str) -> Fraction:
    """Frames per second, such as ``25``, ``29.97`` or ``30000/1001``.

    Raises:
        UsageError: If it is none above 0 and up to 1,000.
    """
    try:
        value = Fraction(str(text)).limit_denominator(1001)
    except (ValueError, ZeroDivisionError, OverflowError):
        value = Fraction(0)
    if not 0 < value <= 1000:
        raise UsageError(
            "it is no rate", asked=f"fps {text}", hint="Write frames per second, such as 12.5."
        )
    return value


def time(text: str) -> float:
    """Seconds, from ``SECONDS``, ``M:S`` or ``H:M:S``.

    Raises:
        UsageError: If it is none of these, or negative.
    """
    value = -1.0
    parts = str(text).split(":")
    if len(parts) <= 3:
        try:
            value = sum(float(part) * 60**i for i, part in enumerate(reversed(parts)))
        except ValueError:
            value = -1.0
    if not (math.isfinite(value) and value >= 0):
        raise UsageError(
            "it is no time", asked=f"time {text}", hint="Write seconds or H:M:S, such as 1:02.5."
        )
    return value


def part(text: str) -> float:
    """A part from 0 to 0.95.

    Raises:
        UsageError: If it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 0.95:
        raise UsageError(
            "it is no part from 0 to 0.95", asked=f"smoothing {text}", hint="0.5 is a usual one."
        )
    return value
