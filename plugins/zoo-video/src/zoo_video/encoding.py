"""Encodes frames in segments, each a file of its own, so that a killed translation goes on.

A segment holds a fixed number of frames and is encoded by itself, without frames that are shown
out of order: the packets of all segments, one after the other, are the video. So whoever goes on
after a kill makes the very packets that an uninterrupted run makes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from zoo_core.errors import DataError
from zoo_video.frames import Look

FRAMES = 48
"""Frames of a segment: what a kill costs at most."""
_ORIGIN = "origin"
_THREADS = 4  # whatever the machine: encoders make other bits with another number
_CODECS = {
    "libx264": {"preset": "fast", "crf": "17"},
    "mpeg4": {"b": "20M", "qmin": "2"},
    "libvpx-vp9": {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "4"},
}


class Segments:
    """The segments of one output, in a folder beside it.

    Args:
        folder: The folder; what it holds of another origin is removed.
        origin: Hash of all that decides the content; empty if nothing shall be kept.
        codec: Encoder.
        look: How frames are stored.

    Raises:
        DataError: If there is a folder of that name that was not made here.
    """

    def __init__(self, folder: Path, origin: str, codec: str, look: Look) -> None:
        self.folder, self._codec, self._look = folder, codec, look
        known = folder / _ORIGIN
        if folder.exists() and not known.is_file():
            raise DataError(
                "it is in the way: unfinished videos are kept there",
                asked=str(folder),
                hint="Move it, or choose another output folder.",
            )
        if not origin or not known.is_file() or known.read_text(encoding="ascii") != origin:
            self.remove()
            folder.mkdir(parents=True)
            known.write_text(origin, encoding="ascii")

    @property
    def files(self) -> list[Path]:
        """The segments that are whole, in order."""
        return sorted(self.folder.glob("*.mkv"))

    @property
    def done(self) -> int:
        """Number of frames in them."""
        return sum(int(path.stem.partition("-")[2]) for path in self.files)

    @property
    def mixed(self) -> Any:
        """The last frame of the last segment as it was mixed, (H, W, 3) float32, or None."""
        path = self._mixed_after(self.done)
        return np.load(path) if path.is_file() else None

    def add(self, frames: Iterator[tuple[Any, Any]]) -> bool:
        """Encodes the next segment as its frames are computed; False if there are none left.

        Args:
            frames: Frames (H, W, 3) uint8, upright, each with what is mixed into the next, or None.
        """
        own = islice(frames, FRAMES)
        first = next(own, None)
        if first is None:
            return False
        done, part = self.done, self.folder / "unfinished"
        count, mixed = self._encode(chain([first], own), first[0].shape[:2], part)
        if mixed is not None:  # by number: whether or not a kill comes in between
            np.save(self._mixed_after(done + count), mixed)
        part.replace(self.folder / f"{done:09}-{count}.mkv")
        self._mixed_after(done).unlink(missing_ok=True)
        return True

    def packets(self) -> Iterator[Any]:
        """The packets of all frames, in order."""
        for path in self.files:
            with av.open(str(path)) as container:
                yield from (p for p in container.demux(video=0) if p.size)

    def remove(self) -> None:
        """Removes the folder with all that it holds."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _mixed_after(self, done: int) -> Path:
        return self.folder / f"mixed-{done:09}.npy"

    def _encode(
        self, frames: Iterator[tuple[Any, Any]], size: tuple[int, int], path: Path
    ) -> tuple[int, Any]:
        """Writes frames; gives their number, and what is mixed into the one after them."""
        turns = -round(self._look.rotation / 90)
        height, width = size if turns % 2 == 0 else size[::-1]
        odd = height % 2 or width % 2
        count, mixed = 0, None
        with av.open(str(path), "w", format="matroska") as container:
            stream: Any = container.add_stream(self._codec, rate=25, options=_CODECS[self._codec])
            stream.width, stream.height = width, height
            # Colours of half the size need an even number of pixels in most codecs.
            stream.pix_fmt = "yuv444p" if odd and self._codec != "mpeg4" else "yuv420p"
            context = stream.codec_context
            context.max_b_frames, context.thread_count = 0, _THREADS
            context.sample_aspect_ratio = self._look.aspect
            context.colorspace, context.color_range = self._look.matrix, int(self._look.range)
            context.color_primaries = self._look.primaries
            context.color_trc = self._look.transfer
            for frame, after in frames:
                made = self._frame(np.ascontiguousarray(np.rot90(frame, turns)), stream.pix_fmt)
                made.pts = count
                container.mux(stream.encode(made))
                count, mixed = count + 1, after
            container.mux(stream.encode())
        return count, mixed

    def _frame(self, rgb: Any, form: str) -> av.VideoFrame:
        frame = av.VideoFrame.from_ndarray(rgb, "rgb24")
        return frame.reformat(
            format=form, dst_colorspace=self._look.space, dst_color_range=self._look.range
        )


def to_rgb(picture: Any) -> Any:
    """(H, W, 3) uint8 of a translated picture.

    Raises:
        DataError: If it has values that a video cannot hold.
    """
    if isinstance(picture, Image.Image):
        from zoo_images import colour

        return np.asarray(colour.to_rgb(picture))
    raise DataError(
        f"a video holds 8 bits, not {picture.pixels.dtype}",
        asked="translated frame",
        hint="Leave out --range, or choose a domain of pictures of 8 bits.",
    )
