"""Text that came from somewhere else, made safe to print."""

from __future__ import annotations

import unicodedata

_KEPT = frozenset("\n\t\u200c\u200d")
"""Line feed, tab, and the joiners that some scripts and emoji are written with."""
_PRIVATE = 0x100000
"""From a byte of a file name that is no text, as Python holds it, to a private sign."""
_DANGEROUS = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode categories that a terminal may obey rather than show."""


def printable(text: str, *, limit: int | None = None) -> str:
    r"""A text in which nothing but line feeds and tabs can steer a terminal.

    Control characters, escape sequences, marks of writing direction and bytes of file names that
    are no text are shown as escapes such as ``\x1b``.

    Args:
        text: Any text: a file name, a key of a configuration, an answer of a server.
        limit: Most characters; what is longer ends in ``…``.
    """
    if limit is not None and len(text) > limit:
        text = text[:limit] + "…"
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        sign if sign in _KEPT or unicodedata.category(sign) not in _DANGEROUS else _escaped(sign)
        for sign in text
    )


def storable(path: str) -> str:
    """A path that JSON and YAML can hold: bytes that are no text become private signs."""
    return "".join(chr(ord(s) + _PRIVATE) if 0xDC80 <= ord(s) <= 0xDCFF else s for s in path)


def restored(path: str) -> str:
    """The path that became a `storable` one."""
    return "".join(
        chr(ord(s) - _PRIVATE) if 0xDC80 <= ord(s) - _PRIVATE <= 0xDCFF else s for s in path
    )


def _escaped(sign: str) -> str:
    number = ord(sign)
    if 0xDC80 <= number - _PRIVATE <= 0xDCFF:
        number -= _PRIVATE
    if 0xDC80 <= number <= 0xDCFF:  # a byte of a file name that is not UTF-8
        return f"\\x{number - 0xDC00:02x}"
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"
