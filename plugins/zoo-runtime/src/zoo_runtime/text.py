"""What files and their names say, made safe to print."""

from __future__ import annotations

import unicodedata

_DANGEROUS = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode categories that a terminal may obey rather than show."""
_JOINERS = "\u200c\u200d"
"""Some scripts and emoji are written with them."""


def printable(text: object) -> str:
    """A text in which what a terminal would obey, and bytes that are no text, are escaped."""
    return "".join(
        sign if sign in _JOINERS or unicodedata.category(sign) not in _DANGEROUS else _escaped(sign)
        for sign in str(text)
    )


def _escaped(sign: str) -> str:
    number = ord(sign)
    if 0xDC80 <= number <= 0xDCFF:  # a byte of a file name that is not UTF-8
        number -= 0xDC00
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"
