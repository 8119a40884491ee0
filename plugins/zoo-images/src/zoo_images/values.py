"""What the values of pictures of more than 8 bits mean: one range per domain, never per picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from zoo_core.errors import DataError, UsageError
from zoo_images.gaps import Gaps, valid
from zoo_images.preprocessing import ASKED, Array, ValueRange, number_text, recorded

_BITS = (8, 10, 12, 14, 16)
_HINT = "Say which values are black and white: --range LOW,HIGH."


@dataclass(frozen=True)
class Used:
    """Which values the deep pictures of a domain use.

    Attributes:
        dtype: Their type; the widest where they differ.
        channels: 3 where any is coloured.
        low: The smallest.
        high: The largest.
        common: The values below which 0.1 and 99.9 per cent of them lie.
        without: Pixels without data, which do not count.
        count: How many pictures they are.
        kinds: The types that there are, where they differ.
    """

    dtype: str
    channels: int
    low: float
    high: float
    common: Sequence[float] = ()
    without: int = 0
    count: int = 1
    kinds: Sequence[str] = ()


def measure(pictures: Iterable[tuple[Array, Gaps | None]]) -> Used | None:
    """The values that deep pictures (H, W) or (H, W, 3) use; None where there are none."""
    used: Used | None = None
    sample = _Sample()
    for values, gaps in pictures:
        channels = 1 if values.ndim == 2 else 3
        there = valid(values, gaps)
        low, high = _extremes(there)
        sample.add(there)
        without = 0 if gaps is None else int(gaps.mask.sum())
        new = Used(values.dtype.name, channels, low, high, (), without)
        used = new if used is None else _together(used, new)
    return used if used is None else replace(used, common=sample.common())


def _together(one: Used, other: Used) -> Used:
    return Used(
        np.promote_types(one.dtype, other.dtype).name,
        max(one.channels, other.channels),
        min(one.low, other.low),
        max(one.high, other.high),
        (),
        one.without + other.without,
        one.count + other.count,
        sorted({*(one.kinds or [one.dtype]), *(other.kinds or [other.dtype])}),
    )


class _Sample:
    """Evenly spaced values of any number of pictures, a bounded number of them."""

    def __init__(self, most: int = 4_000_000) -> None:
        self.most, self.step, self.kept = most, 1, [np.empty(0, np.float32)]

    def add(self, values: Array) -> None:
        with np.errstate(over="ignore"):
            self.kept.append(values.reshape(-1)[:: self.step].astype(np.float32))
        while sum(map(len, self.kept)) > self.most:
            self.kept, self.step = [np.concatenate(self.kept)[::2]], 2 * self.step

    def common(self) -> list[float]:
        values = np.concatenate(self.kept)
        return [float(v) for v in np.percentile(values, (0.1, 99.9))] if values.size else []


def _extremes(values: Array) -> tuple[float, float]:
    """The smallest and the largest of values; 0 where there are none."""
    return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)


def choose(
    used: Used, asked: tuple[float, float] | None = None, total: int | None = None
) -> tuple[ValueRange, str]:
    """The range of a domain, and why, in words, with what is doubtful about it.

    Args:
        used: The values of its pictures of more than 8 bits.
        asked: Black and white as the user asked for them.
        total: How many pictures it has in all; None: no more than these.

    Unsigned integers: from 0 to the largest value of as few bits as hold them all (8, 10, 12, 14
    or 16). Others: from the smallest to the largest.
    """
    kind = np.dtype(used.dtype)
    words = f"{used.dtype}, {number_text(used.low)} to {number_text(used.high)}"
    words += f" of {np.iinfo(kind).max:,} used" if kind.kind == "u" else " used"
    bits = next((n for n in _BITS if used.high <= 2**n - 1), None) if kind.kind == "u" else None
    if asked is not None:
        (low, high), why = asked, "as asked"
    elif bits is not None:
        low, high, why = 0.0, float(2**bits - 1), f"because all values fit {bits} bits"
    else:
        low, high, why = used.low, used.high, "the smallest and the largest"
    high = high if high > low else low + 1
    words += f": black {number_text(low)}, white {number_text(high)}, {why}"
    if used.common:
        common = " to ".join(number_text(round(value, 3)) for value in used.common)
        words += f"; 99.8 % of the values are within {common}"
    if used.without:
        words += f"; {used.without:,} pixels without data, which do not count"
    if len(used.kinds) > 1:
        words += f"; these pictures are of several types ({', '.join(used.kinds)}), in one range"
    if total is not None and total > used.count:
        words += (
            f"; only {used.count:,} of {total:,} pictures have more than 8 bits, and all outputs "
            f"will be {used.dtype}"
        )
    return ValueRange(low, high, used.dtype, used.channels), words


def smallest_to_largest(values: Array, gaps: Gaps | None = None) -> ValueRange:
    """The range that a picture (H, W) or (H, W, 3) uses itself: to look at, never to train on."""
    low, high = _extremes(valid(values, gaps))
    channels = 1 if values.ndim == 2 else 3
    return ValueRange(low, high if high > low else low + 1, values.dtype.name, channels)


def parse_range(text: str) -> tuple[float, float]:
    """``LOW,HIGH`` as two numbers.

    Raises:
        UsageError: If it is not two finite numbers, the smaller first.
    """
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low, high = 0.0, 0.0
    if not (np.isfinite([low, high]).all() and low < high):
        raise UsageError(
            "it is not two numbers, black before white",
            asked=f"range {text}",
            hint="Write LOW,HIGH, such as -1000,1000.",
        )
    return low, high


def range_of_input(
    values: Array,
    preprocessing: Mapping[str, Any],
    domain: str | None,
    name: str,
    gaps: Gaps | None = None,
) -> tuple[ValueRange, list[str]]:
    """The range for a deep input (H, W) or (H, W, 3), and what is doubtful about it.

    What the user asked for; else what the model recorded of the domain; else the convention of
    the type: 65,535 is the white of 16 bits, 1 or 255 that of floats.

    Raises:
        DataError: If nothing tells which values are black and white.
    """
    channels = 1 if values.ndim == 2 else 3
    values = valid(values, gaps)
    asked, known = preprocessing.get(ASKED), recorded(preprocessing)
    if asked is not None:
        return _said(ValueRange(asked[0], asked[1], values.dtype.name, channels), values)
    if domain in known:
        return _said(known[domain], values)
    if known and domain is None:
        if len({(span.low, span.high) for span in known.values()}) == 1:
            return _said(next(iter(known.values())), values)
        raise DataError(
            "each domain of the model has a value range of its own, and that of this is not known",
            asked=name,
            hint=f"Say which it is of: --from {' or '.join(known)}; or --range LOW,HIGH.",
        )
    low, high = _extremes(values)
    words = f"values {number_text(low)} to {number_text(high)}"
    if values.dtype == np.uint8:
        return ValueRange(0.0, 255.0, "uint8", channels), []
    if values.dtype == np.uint16:
        span = ValueRange(0.0, 65535.0, "uint16", channels)
        dark = f"{words} of 65,535: it is nearly black (--range LOW,HIGH tells what is white)"
        return span, [dark] if high <= 65535 / 8 else []
    if values.dtype.kind == "f" and low >= 0 and high <= 255:
        white = 1.0 if high <= 1 else 255.0
        span = ValueRange(0.0, white, values.dtype.name, channels)
        return span, [f"{words}, of which 0 is taken for black and {white:g} for white"]
    raise DataError(
        f"nothing tells which of its {words} ({values.dtype}) are black and white",
        asked=name,
        hint=_HINT,
    )


def _said(span: ValueRange, values: Array) -> tuple[ValueRange, list[str]]:
    beyond = span.beyond(values)
    return span, [beyond] if beyond else []
