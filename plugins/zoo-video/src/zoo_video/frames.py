"""Reads videos frame by frame: upright, in RGB, each with the time at which it is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image

from zoo_core.errors import DataError
from zoo_images.picture import Pages, Picture
from zoo_images.pixels import MAX_PIXELS
from zoo_video.headers import BT2020, duration_of, notes_of, promised_by

_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
}
"""Matrices by what files call them (ITU-T H.273) that can be converted from and to."""
_CORRUPT = "damaged data, of which the decoder made what it could"
_AGAIN = "Fetch or export it again, or remove it."
_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi"
"""Formats that are read, whatever a file is called. FFmpeg knows playlists and lists of files, too,
which read other files or call servers."""
_DECODERS = (
    "h264,hevc,av1,libdav1d,vp8,vp9,libvpx,libvpx-vp9,mpeg4,mpeg1video,mpeg2video,mjpeg,prores,"
    "ffv1,theora,h263,flv,msmpeg4,msmpeg4v2,wmv1,wmv2,vc1,wmv3,rawvideo,v210,png,qtrle,dnxhd,"
    "huffyuv,ffvhuff,utvideo,dvvideo,jpeg2000,cfhd"
)
"""Decoders of pictures that are used: those that cameras, editors and browsers write for."""
_LONGEST_STILL = 3600
"""Seconds that one frame may be repeated for where a rate is asked for."""


@dataclass(frozen=True)
class Look:
    """How the frames of a video are stored, as outputs shall be, too.

    Attributes:
        matrix: Number of the matrix between RGB and YUV, as files have it.
        full: Whether values take the full range rather than 16 to 235.
        rotation: Degrees, counterclockwise, by which players turn frames.
        primaries: Number of the primaries.
        transfer: Number of the transfer function.
        aspect: Width of a pixel by its height.
    """

    matrix: int
    full: bool
    rotation: int
    primaries: int
    transfer: int
    aspect: Fraction

    @property
    def space(self) -> Colorspace:
        """The matrix that conversions take."""
        return _MATRICES.get(self.matrix, Colorspace.ITU709)

    @property
    def range(self) -> ColorRange:
        """The range of values that conversions take."""
        return ColorRange.JPEG if self.full else ColorRange.MPEG


class VideoFrames(Pages):
    """The frames of a video, decoded one after the other.

    Args:
        path: The file.
        options: ``start`` and ``end`` in seconds, ``fps``, ``smoothing``.
        largest: Most pixels of a frame.

    Attributes:
        path: The file.
        options: As above.
        times: When each frame so far is shown, in units of `time_base` from the start.
        time_base: Seconds of a unit.
        look: How frames are stored.
        first: Number of the first frame that is wanted: those before it were done earlier.
        duration: Seconds in all, as the header tells.
        last: For how long the last frame so far is shown, in the same units; 0: nothing says it.

    Raises:
        DataError: If it is no video that can be read, or its frames are too large.
    """

    def __init__(self, path: Path, options: Mapping[str, Any], largest: int) -> None:
        self.path, self.asked, self.options = path, str(path), dict(options)
        self.times: list[int] = []
        self.first, self.last, self._reached = 0, 0, 0.0
        self._largest = largest
        with opened(path, largest) as container:
            stream = _video_stream(container, self.asked, largest)
            if stream.width * stream.height > largest:
                raise DataError(
                    f"its frames have {stream.width}×{stream.height} pixels, more than "
                    f"{largest / 1e6:,.0f} million",
                    asked=self.asked,
                    hint="If they are meant to, allow it: --largest MEGAPIXELS.",
                )
            frame = next(self._decoded(container, stream), None)
            if frame is None:
                raise DataError("no frame of it can be decoded", asked=self.asked, hint=_AGAIN)
            self.look = _look_of(frame, stream)
            fps = self.options.get("fps")
            self.rate = fps or stream.average_rate or stream.guessed_rate or Fraction(25)
            self.time_base = 1 / Fraction(fps) if fps else Fraction(stream.time_base)
            self.duration = duration_of(container, stream)
            self._promised = promised_by(container, stream)
            self.notes = tuple(notes_of(container, frame))
            self._sample = self._picture(frame)

    def __len__(self) -> int:
        """Number of frames, as far as the header tells."""
        end = min(self.options.get("end") or self.duration, self.duration)
        return max(1, round((end - self.options.get("start", 0.0)) * float(self.rate)))

    @property
    def count_to_train_on(self) -> int:
        """None: frames of one video are nearly alike."""
        raise DataError(
            "it is a video, which is none to train on as it is",
            asked=self.asked,
            hint="Take some of its frames: ffmpeg -i VIDEO -r 1 FOLDER/%06d.png.",
        )

    def picture(self, number: int = 0) -> Picture:
        """The first frame, to look at; see `pictures` for all."""
        return self._sample

    def pictures(self) -> Iterator[tuple[int, Picture]]:
        """The frames that are wanted, with their numbers; times of all are noted."""
        self.times = []
        with opened(self.path, self._largest) as container:
            stream = _video_stream(container, self.asked, self._largest)
            chosen = self._chosen(container, stream)
            before = None  # with the last one it is said what seems to be missing after it
            for number, (time, frame) in enumerate(chosen):
                # Some files give two frames one time, which no file can hold.
                self.times.append(max(time, self.times[-1] + 1 if self.times else 0))
                self.last = 1 if self.options.get("fps") else frame.duration or 0
                if before is not None:
                    yield number - 1, self._picture(before)
                before = frame if number >= self.first else None
            if before is not None:
                last = self._picture(before)
                yield number, replace(last, notes=(*last.notes, *self._missing()))
        if not self.times:
            raise DataError(
                "no frame lies between the start and the end",
                asked=self.asked,
                hint=f"It has {self.duration:.3g} s.",
            )

    def _picture(self, frame: av.VideoFrame) -> Picture:
        try:
            rgb = frame.to_ndarray(
                format="rgb24",
                src_colorspace=self.look.space,
                src_color_range=self.look.range,
                dst_color_range=ColorRange.JPEG,
            )  # (H, W, 3)
        except av.FFmpegError as error:
            raise DataError(
                f"its colours cannot be converted ({error.strerror})",
                asked=self.asked,
                hint="Convert it: ffmpeg -i VIDEO NEW.mp4.",
            ) from error
        turned = np.rot90(rgb, round(self.look.rotation / 90))
        image = Image.fromarray(np.ascontiguousarray(turned))
        notes = (*self.notes, _CORRUPT) if frame.is_corrupt else self.notes
        return Picture(image, "video", "RGB", notes=notes)

    def _missing(self) -> Iterator[str]:
        """What the header promises and the file does not hold."""
        lacking = self._promised - self._reached
        if lacking > max(0.05 * self._promised, 2.5 / float(self.rate)):
            yield (
                f"frames for {self._reached:.4g} s of the {self._promised:.4g} s that its header "
                "tells: it seems to be cut off or damaged"
            )

    def _chosen(self, container: Any, stream: Any) -> Iterator[tuple[int, av.VideoFrame]]:
        """Time and frame of what is between start and end, at the rate that was asked for."""
        start, end = self.options.get("start", 0.0), self.options.get("end", float("inf"))
        unit = Fraction(stream.time_base)
        zero = Fraction(container.start_time or 0, av.time_base)
        begin = round((Fraction(start) + zero) / unit)
        if start:
            container.seek(begin, stream=stream, backward=True)
        frames = ((time - begin, frame) for time, frame in self._dated(container, stream))
        inside = (
            (time, frame) for time, frame in frames if time >= 0 and time * unit < end - start
        )
        fps = self.options.get("fps")
        return inside if fps is None else _at_rate(inside, unit, Fraction(fps), self.asked)

    def _dated(self, container: Any, stream: Any) -> Iterator[tuple[int, av.VideoFrame]]:
        """Frames with their time; one without gets that of the one before, and a frame's length."""
        step = max(1, round(1 / (Fraction(stream.time_base) * (stream.average_rate or 25))))
        time = -step
        for frame in self._decoded(container, stream):
            time = time + step if frame.pts is None else frame.pts
            end = (time + (frame.duration or step)) * stream.time_base
            self._reached = float(end - Fraction(container.start_time or 0, av.time_base))
            yield time, frame

    def _decoded(self, container: Any, stream: Any) -> Iterator[av.VideoFrame]:
        size = None
        try:
            for frame in container.decode(stream):
                size = size or (frame.width, frame.height)
                if (frame.width, frame.height) != size:
                    raise DataError(
                        f"its frames change from {size[0]}×{size[1]} to "
                        f"{frame.width}×{frame.height} pixels",
                        asked=self.asked,
                        hint="Encode it anew in one size: ffmpeg -i VIDEO NEW.mp4.",
                    )
                yield frame
        except av.FFmpegError as error:
            raise DataError(
                f"its data is damaged ({error.strerror})", asked=self.asked, hint=_AGAIN
            ) from error


def opened(path: Path, largest: int = MAX_PIXELS) -> Any:
    """A video's container, to be closed.

    Args:
        path: The file.
        largest: Most pixels of a frame that is decoded.

    Raises:
        DataError: If there is no such file, or it is none that can be read.
    """
    bounds = {
        "format_whitelist": _CONTAINERS,
        "protocol_whitelist": "file",
        "max_pixels": str(largest),
    }
    try:
        # Without a protocol before it, a name such as concat:a|b would be a command.
        return av.open(f"file:{path}", options=bounds, metadata_errors="replace")
    except FileNotFoundError as error:
        raise DataError(
            "there is no such file", asked=str(path), hint="Check the path and its spelling."
        ) from error
    except (av.FFmpegError, OSError) as error:
        raise DataError(
            f"it is no video that can be read ({error.strerror})", asked=str(path), hint=_AGAIN
        ) from error


def _at_rate(
    frames: Iterator[tuple[int, av.VideoFrame]], unit: Fraction, fps: Fraction, asked: str
) -> Iterator[tuple[int, av.VideoFrame]]:
    """At each instant of a constant rate the frame that is shown then."""
    number, shown, last = 0, None, 0
    for time, frame in frames:
        if time * unit - number / fps > _LONGEST_STILL:
            raise DataError(
                f"one of its frames is to be shown for {float(time * unit - number / fps):,.0f} s",
                asked=asked,
                hint="Leave out --fps, or encode it anew: ffmpeg -i VIDEO NEW.mp4.",
            )
        while shown is not None and number / fps < time * unit:
            yield number, shown
            number += 1
        shown, last = frame, time + (frame.duration or 0)
    while shown is not None and number / fps < last * unit:
        yield number, shown
        number += 1


def _video_stream(container: Any, asked: str, largest: int) -> Any:
    pictures = [
        s for s in container.streams.video if not s.disposition & s.disposition.attached_pic
    ]
    # (without a decoder a track has no width at all)
    if not pictures or pictures[0].codec_context is None or not pictures[0].width:
        raise DataError("there are no pictures in it", asked=asked, hint="Give a video.")
    stream = pictures[0]
    name = stream.codec_context.codec.name
    if name not in _DECODERS.split(","):
        raise DataError(
            f"its pictures are encoded as {name}, which is not read",
            asked=asked,
            hint="Convert it: ffmpeg -i VIDEO NEW.mp4.",
        )
    stream.codec_context.options = {"max_pixels": str(largest)}
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = 2  # each holds frames: memory stays bounded
    return stream


def _look_of(frame: av.VideoFrame, stream: Any) -> Look:
    matrix = int(frame.colorspace)
    if matrix not in _MATRICES:  # not said: as players guess
        large = frame.width >= 1280 or frame.height > 576
        matrix = 1 if large or matrix in BT2020 else 6
    full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
    return Look(
        matrix,
        full,
        int(frame.rotation),
        int(frame.color_primaries),
        int(frame.color_trc),
        stream.sample_aspect_ratio or Fraction(1),
    )
