"""What a user may ask of reading pictures: texts of ``zoo translate --NAME VALUE`` to values."""

from __future__ import annotations

from zoo_core.errors import UsageError


def megapixels(text: str) -> int:
    """Most pixels of an input, from megapixels.

    Raises:
        UsageError: If it is no number above 0.
    """
    try:
        pixels = round(float(text) * 1e6)
    except (ValueError, OverflowError):
        pixels = 0
    if pixels < 1:
        raise UsageError(
            "it is no number above 0",
            asked=f"largest {text}",
            hint="Write megapixels, such as 200.",
        )
    return pixels
