"""The sound of a video: copied as it is where the output's format can hold it, else encoded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import av

Timed = tuple[float, int, Any]
"""Second, number of the track, packet."""


class Sound:
    """The audio tracks of a video, on their way into another file.

    Args:
        source: The input's container, which nobody else reads.
        output: The output's container, whose streams are made here.
        options: ``start`` and ``end`` in seconds.
    """

    def __init__(self, source: Any, output: Any, options: Mapping[str, Any]) -> None:
        self._source = source
        self._start = Fraction(options.get("start", 0.0))
        self._end = options.get("end", float("inf"))
        self._zero = Fraction(source.start_time or 0, av.time_base) + self._start
        self._tracks = {}
        for number, stream in enumerate(source.streams.audio, 1):
            copied = stream.codec.canonical_name in output.supported_codecs
            made = (
                output.add_stream_from_template(stream)
                if copied
                else output.add_stream(output.default_audio_codec, rate=stream.rate)
            )
            made.metadata.update(stream.metadata)
            self._tracks[stream.index] = (number, made, copied)

    def packets(self) -> Iterator[Timed]:
        """The packets between start and end, by time."""
        if not self._tracks:
            return
        streams = [self._source.streams[index] for index in self._tracks]
        if self._start:
            self._source.seek(int(self._zero * av.time_base), backward=True)
        for packet in self._source.demux(streams):
            number, made, copied = self._tracks[packet.stream.index]
            yield from (
                self._copied(packet, number, made)
                if copied
                else self._encoded(packet, number, made)
            )

    def close(self) -> None:
        """Lets go of the streams."""
        self._tracks = {}

    def _copied(self, packet: Any, number: int, made: Any) -> Iterator[Timed]:
        if packet.dts is None or packet.pts is None:
            return  # the mark at the end
        unit = Fraction(packet.time_base)
        shift = round(self._zero / unit)
        second = float((packet.pts - shift) * unit)
        if (second < 0 and self._start) or second >= self._end - float(self._start):
            return
        packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        packet.stream = made
        yield second, number, packet

    def _encoded(self, packet: Any, number: int, made: Any) -> Iterator[Timed]:
        packets = []
        for frame in packet.decode():
            second = float(frame.pts * frame.time_base - self._zero)
            if (second < 0 and self._start) or second >= self._end - float(self._start):
                continue
            frame.pts -= round(self._zero / frame.time_base)
            packets += made.encode(frame)
        if packet.dts is None:
            packets += made.encode()
        yield from ((float(p.pts * p.time_base), number, p) for p in packets)
