"""A translated video: computed, encoded and written frame by frame, with the input's sound."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from zoo_core.contracts.codec import StreamedOutput
from zoo_core.errors import DataError, UsageError
from zoo_core.files import replacing
from zoo_images.picture import Made
from zoo_video.encoding import Segments, to_rgb
from zoo_video.frames import VideoFrames
from zoo_video.sound import Sound

_FORMATS = {
    ".mp4": ("mp4", "libx264"),
    ".m4v": ("mp4", "libx264"),
    ".mov": ("mov", "libx264"),
    ".mkv": ("matroska", "libx264"),
    ".avi": ("avi", "mpeg4"),
    ".webm": ("webm", "libvpx-vp9"),
}


class TranslatedVideo(StreamedOutput):
    """The translation of a video. Iterating gives its frames, (H, W, 3) uint8, once.

    Args:
        video: The input.
        made: Its translated frames, computed as they are taken.
    """

    def __init__(self, video: VideoFrames, made: Iterator[Made]) -> None:
        self._video, self._made = video, made

    def __iter__(self) -> Iterator[Any]:
        self._video.first = 0
        return (frame for frame, _ in self._smoothed(0, None, _Advance(None, 1)))

    def write(
        self, path: Path, *, origin: str = "", progress: Callable[[float], None] | None = None
    ) -> None:
        """See `zoo_core.contracts.codec.StreamedOutput.write`."""
        form, codec = _format_of(path)
        segments = Segments(path.with_name(f".{path.name}.parts"), origin, codec, self._video.look)
        advance = _Advance(progress, len(self._video))
        try:
            self._encode(segments, advance)
            self._join(segments, path, form)
        except av.FFmpegError as error:
            raise DataError(
                f"the video cannot be written ({error.strerror})",
                asked=str(path),
                hint="Choose another format, such as .mkv.",
            ) from error
        segments.remove()

    def _encode(self, segments: Segments, advance: _Advance) -> None:
        done = segments.done
        self._video.first = done
        advance(done)
        frames = self._smoothed(done, segments.mixed, advance)
        while segments.add(frames):
            pass

    def _smoothed(self, first: int, mixed: Any, advance: _Advance) -> Iterator[tuple[Any, Any]]:
        """Each frame from ``first`` on, and what is mixed into the next; None without smoothing."""
        part = self._video.options.get("smoothing", 0.0)
        for made in self._made:
            if made.number < first:
                continue  # it was done before an interruption
            frame = to_rgb(made.picture)
            if part:
                new = frame.astype(np.float32)
                mixed = new if mixed is None else part * mixed + (1 - part) * new
                frame = np.rint(mixed).astype(np.uint8)
            yield frame, mixed
            advance(1)

    def _join(self, segments: Segments, path: Path, form: str) -> None:
        """Writes pictures and sound into one file."""
        video = self._video
        with (
            replacing(path) as part,
            av.open(str(video.path)) as source,
            av.open(str(segments.files[0])) as first,
            av.open(str(part), "w", format=form) as output,
        ):
            output.metadata.update(source.metadata)
            stream = output.add_stream_from_template(first.streams.video[0])
            stream.time_base = video.time_base
            if video.look.rotation:
                stream.set_display_rotation(video.look.rotation)
            sound = Sound(source, output, video.options)
            pictures = _timed(segments.packets(), video.times, video.time_base, stream, video.last)
            # By time: a muxer that gets one track only keeps it in memory.
            with closing(sound):
                for _, _, packet in heapq.merge(pictures, sound.packets()):
                    output.mux(packet)


class _Advance:
    """Says how much was done, of a number of frames that is not known for sure."""

    def __init__(self, progress: Callable[[float], None] | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def __call__(self, frames: int) -> None:
        before = min(1.0, self._done / self._total)
        self._done += frames
        if self._progress is not None:
            self._progress(min(1.0, self._done / self._total) - before)


def _timed(
    packets: Iterator[Any], times: list[int], unit: Fraction, stream: Any, length: int
) -> Iterator[tuple[float, int, Any]]:
    """Packets with the times of the input's frames, and the second at which each is due.

    The last frame is shown for ``length``, or where that is 0 for as long as the one before.
    """
    for number, (packet, time) in enumerate(zip(packets, times, strict=True)):
        last = number + 1 == len(times)
        after = times[-2:] if last else times[number : number + 2]
        packet.stream = stream
        packet.time_base = unit
        packet.pts = packet.dts = time
        gap = max(1, after[-1] - after[0]) if len(after) == 2 else 1
        packet.duration = length if last and length else gap
        yield float(time * unit), 0, packet


def _format_of(path: Path) -> tuple[str, str]:
    found = _FORMATS.get(path.suffix.lower())
    if found is None:
        raise UsageError(
            f'"{path.suffix}" is no format that videos are written in',
            asked=str(path),
            hint=f"Use one of {', '.join(_FORMATS)}.",
        )
    return found
