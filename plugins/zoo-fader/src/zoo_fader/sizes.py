"""Sizes of pictures that halve evenly."""

from __future__ import annotations

from collections.abc import Sequence

from zoo_core.errors import UsageError


def require_multiple(layers: int, sides: Sequence[int]) -> None:
    """Raises `UsageError` unless height and width are multiples of ``2**layers``."""
    unit = 2**layers
    if any(side % unit for side in sides):
        raise UsageError(
            f"the encoder needs pictures whose height and width are multiples of {unit}",
            asked=f"layers={layers} at {'x'.join(map(str, sides))}",
            hint="Ask for fewer layers or another size.",
        )
