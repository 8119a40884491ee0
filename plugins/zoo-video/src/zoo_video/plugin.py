"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from zoo_core.contracts.component import Component, OptionSpec
from zoo_core.host.hookspecs import hookimpl
from zoo_images.format_spec import ImageFormatSpec

_BRANDS = (b"iso", b"mp4", b"qt", b"M4V", b"avc1", b"dash", b"mmp4", b"MSNV", b"3gp", b"3g2")
"""How the kind of a file of the MP4 family begins, of those that hold videos."""


@hookimpl
def zoo_components() -> Iterable[Component]:
    """Videos, and what may be asked of their translation."""
    options = "zoo_video.options"
    return [
        ImageFormatSpec(
            "video",
            "zoo_video.format:VideoFormat",
            "Videos, frame by frame, with their sound",
            suffixes=(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"),
            signatures=(
                *((4, b"ftyp" + brand) for brand in _BRANDS),
                (0, b"\x1aE\xdf\xa3"),
                (8, b"AVI LIST"),
            ),
        ),
        OptionSpec(
            "fps",
            f"{options}:rate",
            "Videos: frames per second; frames are dropped or repeated. Default: all, as they are.",
            metavar="RATE",
        ),
        OptionSpec(
            "start", f"{options}:time", "Videos: where to begin, SECONDS or H:M:S.", metavar="TIME"
        ),
        OptionSpec(
            "end", f"{options}:time", "Videos: where to end, SECONDS or H:M:S.", metavar="TIME"
        ),
        OptionSpec(
            "smoothing",
            f"{options}:part",
            "Videos: mixes into each frame this part (0 to 0.95) of the one before, as it was "
            "mixed: less flicker, but what moves leaves a trail. Default: 0, which is off.",
            metavar="PART",
        ),
    ]
