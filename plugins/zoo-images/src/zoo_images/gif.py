"""How large the frames of a GIF are together, and whether it ends, before any is decoded."""

from __future__ import annotations

import struct

_EXTENSION, _IMAGE, _END = 0x21, 0x2C, 0x3B
_COMMENT, _APPLICATION = 0xFE, 0xFF


def canvas(data: bytes) -> tuple[int, int]:
    """Width and height that the frames need; see `_blocks`."""
    return _blocks(data)[:2]


def is_ended(data: bytes) -> bool:
    """Whether the mark of a GIF's end comes after its frames."""
    return data.endswith(b"\0;") or _blocks(data)[2]


def _blocks(data: bytes) -> tuple[int, int, bool]:
    """Width and height that the frames need, and whether the mark of the end is there.

    The size may be more than the header announces: Pillow enlarges the picture as soon as a frame
    does not fit. Blocks are told apart just as it does, so that damaged files cannot have a frame
    that is seen there and not here.

    Args:
        data: A GIF.
    """
    width, height, flags = struct.unpack_from("<HHB", data.ljust(13, b"\0"), 6)
    at, frames = 13 + _colours(flags), 0
    while at < len(data) and data[at] != _END:
        kind, at = data[at], at + 1
        if kind == _EXTENSION and at < len(data):
            label, first, at = data[at], at + 1, _next(data, at + 1)
            if label == _COMMENT:
                if at > first + 1:
                    at = _last(data, at)
                continue
            loops = data[first + 1 : first + 12] == b"NETSCAPE2.0"
            if label == _APPLICATION and not frames and loops:
                at = _next(data, at)
            at = _last(data, at)
        elif kind == _IMAGE and at + 9 <= len(data):
            left, top, wide, high, flags = struct.unpack_from("<HHHHB", data, at)
            width, height = max(width, left + wide), max(height, top + high)
            frames += 1
            at = _last(data, at + 9 + _colours(flags) + 1)
    return width, height, at < len(data)


def _colours(flags: int) -> int:
    """Bytes of the table of colours that follows."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _next(data: bytes, at: int) -> int:
    """Where the block that begins with its length ends."""
    return at + 1 + (data[at] if at < len(data) else 0)


def _last(data: bytes, at: int) -> int:
    """Where the blocks end, of which the last is empty."""
    while at < len(data) and data[at]:
        at = _next(data, at)
    return at + 1
