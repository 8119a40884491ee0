"""The file format: a video is opened to its frames, and gives a video."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from zoo_core.errors import UsageError
from zoo_images.formats import ImageFormat
from zoo_images.picture import Made
from zoo_images.pixels import MAX_PIXELS
from zoo_video.frames import VideoFrames
from zoo_video.output import TranslatedVideo


class VideoFormat(ImageFormat):
    """Opens videos."""

    def open(self, path: Path, *, largest: int = MAX_PIXELS) -> Video:
        """See `zoo_images.formats.ImageFormat.open`.

        Raises:
            UsageError: If the end that was asked for lies before the start.
        """
        start, end = self.options.get("start", 0.0), self.options.get("end")
        if end is not None and end <= start:
            raise UsageError(
                f"it lies before the start at {start:g} s",
                asked=f"end {end:g}",
                hint="Give a later one.",
            )
        return Video(path, self.options, largest)


class Video(VideoFrames):
    """A video that was opened."""

    def joined(
        self, made: Iterator[Made], target: str | None, identity: Callable[[], str]
    ) -> TranslatedVideo:
        """The translated video, which is computed while it is written."""
        return TranslatedVideo(self, made)
