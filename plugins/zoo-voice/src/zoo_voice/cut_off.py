"""Whether a recording is there to its end, by what its header promises; nothing is decoded.

A download that broke off often plays without complaint, only shorter.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import BinaryIO

_HEAD = 1 << 16
_UNKNOWN = 0xFFFFFFFF
"""Size that a program writes which does not know it, as into a pipe; so is 0."""
_CHUNKED = (b"RIFF", b"RF64", b"BW64", b"FORM")
_ZEROS = bytes(256)
_LAST_PAGE = 0x04
"""Flag of the last page of an Ogg stream."""
_XING_FRAMES, _XING_BYTES = 1, 2
"""Flags of what the first frame of an MP3 says: the number of frames, the bytes of all."""


def cut_off(path: Path) -> str | None:
    """In words, what is missing at the end of a recording; None where nothing is, or none can tell.

    Args:
        path: A file, of any kind.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEAD)
        if head[:4] in _CHUNKED and head[8:12] in (b"WAVE", b"AIFF", b"AIFC"):
            promised = _chunks(file, head)
        elif head[:4] == b"riff" and len(head) >= 24:  # Sony's Wave64
            promised = struct.unpack("<Q", head[16:24])[0]
        elif head[:7] == b"NIST_1A":
            promised = _sphere(head)
        elif head[:4] == b".snd":
            promised = _sun(head)
        elif head[:4] == b"OggS":
            file.seek(max(0, size - _HEAD))
            tail = file.read()
            if tail.endswith(_ZEROS):
                return "there are zeros at its end, as of a file that was not fetched in full"
            return None if _has_last_page(tail) else "its last page is missing"
        else:
            promised = _mpeg(head)
    if promised is None or promised <= size:
        return None
    return f"it has {size:,} of the {promised:,} bytes that its header promises"


def _chunks(file: BinaryIO, head: bytes) -> int | None:
    """End of the samples of a WAV (RF64 is one of more than 4 GB) or AIFF file, by its chunks."""
    order, wanted = (">", b"SSND") if head[:4] == b"FORM" else ("<", b"data")
    at = 12
    while True:
        file.seek(at)
        start = file.read(8)
        if len(start) < 8:
            return None
        name, length = start[:4], struct.unpack(f"{order}I", start[4:])[0]
        if name == wanted:
            if length == _UNKNOWN and head[12:16] == b"ds64":
                length = struct.unpack("<Q", head[28:36])[0]
            return None if length in (0, _UNKNOWN) else at + 8 + length
        at += 8 + length + length % 2


def _sphere(head: bytes) -> int | None:
    """End of the samples of a NIST SPHERE file, which names their number; TIMIT's are such."""
    facts = dict(re.findall(rb"^(\w+) -\w+ (\S+)", head[:1024], re.MULTILINE))
    size = re.match(rb"NIST_1A\n\s*(\d+)\n", head)
    try:
        count, width = int(facts[b"sample_count"]), int(facts[b"sample_n_bytes"])
        channels = int(facts.get(b"channel_count", b"1"))
    except (KeyError, ValueError):
        return None
    packed = b"embedded" in facts.get(b"sample_coding", b"")
    return None if size is None or packed else int(size[1]) + count * width * channels


def _sun(head: bytes) -> int | None:
    """End of the samples of an AU file."""
    if len(head) < 12:
        return None
    offset, length = struct.unpack(">II", head[4:12])
    return None if length in (0, _UNKNOWN) else offset + length


def _has_last_page(tail: bytes) -> bool:
    """Whether the last page of an Ogg stream is there, and whole."""
    at = tail.rfind(b"OggS")
    if at < 0 or len(tail) < at + 27:
        return False
    count = tail[at + 26]
    sizes = tail[at + 27 : at + 27 + count]
    whole = len(sizes) == count and len(tail) >= at + 27 + count + sum(sizes)
    return whole and bool(tail[at + 5] & _LAST_PAGE)


def _mpeg(head: bytes) -> int | None:
    """End of an MP3 whose first frame says how many bytes there are."""
    start = 0
    if head[:3] == b"ID3" and len(head) > 10:
        a, b, c, d = head[6:10]  # seven bits each
        start = 10 + (a << 21 | b << 14 | c << 7 | d)
    frame = re.compile(rb"\xff[\xe2-\xff].{2}", re.DOTALL).match(head, start)
    tag = re.compile(rb"Xing|Info").search(head, start, start + 200)
    if frame is None or tag is None or len(head) < tag.end() + 12:
        return None
    (flags,) = struct.unpack(">I", head[tag.end() : tag.end() + 4])
    if not flags & _XING_BYTES:
        return None
    at = tag.end() + (8 if flags & _XING_FRAMES else 4)
    (length,) = struct.unpack(">I", head[at : at + 4])
    return start + int(length)
