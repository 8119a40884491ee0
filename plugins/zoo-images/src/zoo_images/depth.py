"""How many bits the values of a file have, by what its header says."""

from __future__ import annotations

import re

_GAP = rb"(?:\s|#[^\n]*\n)+"
PNM = re.compile(rb"P([2356])" + 2 * (_GAP + rb"(\d{1,9})") + _GAP + rb"(\d{1,5})\s")
"""Header of a PGM or PPM: its kind, width, height and largest value."""
_AV1_DEEP, _AV1_12 = 0x40, 0x20  # flags of more than 8 bits, and of 12, in an AVIF's header
_HEAD = 1 << 14  # bytes within which headers lie


def bits_of(data: bytes) -> int:
    """Bits per value of a PNG, JPEG 2000, AVIF, HEIC, PGM or PPM; 8 of any other file.

    Args:
        data: The file, or its beginning.
    """
    if data.startswith(b"\x89PNG"):
        return data[24] if len(data) > 24 else 8
    if data.startswith(b"\xff\x4f\xff\x51"):  # a bare stream of JPEG 2000
        return (data[42] & 0x7F) + 1 if len(data) > 42 else 8
    if data[4:8] == b"jP  ":
        at = data.find(b"ihdr", 0, _HEAD)
        return (data[at + 14] & 0x7F) + 1 if 0 < at < len(data) - 14 else 8
    if data[4:8] == b"ftyp":
        return max(_bits_of_av1(data[:_HEAD]), _bits_of_hevc(data[:_HEAD]))
    found = PNM.match(data[:_HEAD])
    return 8 if found is None else int(found[4]).bit_length()


def _bits_of_av1(head: bytes) -> int:
    at = head.find(b"av1C")
    if not 0 <= at < len(head) - 6 or not head[at + 6] & _AV1_DEEP:
        return 8
    return 12 if head[at + 6] & _AV1_12 else 10


def _bits_of_hevc(head: bytes) -> int:
    """The most of all pictures that the file holds."""
    places = (found.start() + 21 for found in re.finditer(b"hvcC", head))
    return max((8 + (head[at] & 7) for at in places if at < len(head)), default=8)
