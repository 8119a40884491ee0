"""What the header of a video tells: how long it is, and what of it is not used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av

BT2020 = (9, 10)
"""Matrices of colours wider than sRGB's, by what files call them (ITU-T H.273)."""
_HDR = (16, 18)


def duration_of(container: Any, stream: Any) -> float:
    """Seconds in all, of pictures or sound; 0 where nothing says it."""
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None:
        return float(container.duration / av.time_base)
    return 0.0


def promised_by(container: Any, stream: Any) -> float:
    """Seconds until the end of the pictures by the header; 0 where that may mean the sound's."""
    if stream.duration is not None:
        start = (stream.start_time or 0) * stream.time_base
        begin = Fraction(container.start_time or 0, av.time_base)
        return float(start - begin + stream.duration * stream.time_base)
    told = re.fullmatch(r"(\d+):(\d+):(\d+\.?\d*)", stream.metadata.get("DURATION", ""))
    if told:
        hours, minutes, seconds = map(float, told.groups())
        return 3600 * hours + 60 * minutes + seconds
    silent = len(container.streams) == 1
    return float(container.duration / av.time_base) if silent and container.duration else 0.0


def notes_of(container: Any, frame: av.VideoFrame) -> Iterator[str]:
    """What of a video is not used, or is doubtful."""
    bits = max(component.bits for component in frame.format.components)
    if bits > 8:
        yield f"{bits} bits per value, of which 8 are used"
    if any(component.is_alpha for component in frame.format.components):
        yield "transparency, which is left out"
    if int(frame.color_trc) in _HDR:
        yield "a high dynamic range, which is written in 8 bits as it is"
    if int(frame.colorspace) in BT2020:
        yield "colours of BT.2020, which are taken for those of BT.709"
    if frame.interlaced_frame:
        yield "interlaced frames, which are translated as they are"
    others = [s for s in container.streams if s.type not in ("video", "audio")]
    more = len(container.streams.video) - 1 + len(others)
    if more:
        yield f"{more} further tracks (subtitles, data or pictures), which are left out"
