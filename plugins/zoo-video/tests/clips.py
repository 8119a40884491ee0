"""Clips of drawn frames, what is in a clip, and a clip through nets."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

from zoo_core.contracts.signals import TensorSpec
from zoo_images.codec import ImageCodec

RATE = 48_000


def drawn(number: int, width: int, height: int) -> np.ndarray:
    """(height, width, 3) a frame: a bar that moves over a slope."""
    y, x = np.mgrid[:height, :width]
    frame = np.stack([x * 200 // width + 20, y * 200 // height + 20, np.full_like(x, 90)], -1)
    place = (8 * number) % width
    frame[:, place : place + 8] = 230, 40, 60
    return frame.astype(np.uint8)


def save_clip(
    path: Path,
    *,
    frames: int = 20,
    size: tuple[int, int] = (64, 48),
    times: list[int] | None = None,
    unit: Fraction = Fraction(1, 25),
    sound: str | None = "aac",
    form: str = "yuv420p",
    rotation: int = 0,
    look: tuple[int, int] = (1, 1),
    codec: str = "libx264",
) -> Path:
    """Writes a clip of drawn frames and a tone of the same length."""
    matrix, range_ = look
    times = list(range(frames)) if times is None else times
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream(codec, rate=round(1 / unit))
        video.width, video.height, video.pix_fmt = *size, form
        video.time_base = video.codec_context.time_base = unit
        video.codec_context.colorspace, video.codec_context.color_range = matrix, range_
        if rotation:
            video.set_display_rotation(rotation)
        audio: Any = container.add_stream(sound, rate=RATE, layout="mono") if sound else None
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(drawn(number, *size), "rgb24").reformat(
                format=form, dst_colorspace={1: 1, 6: 5}[matrix], dst_color_range=range_
            )
            frame.pts, frame.time_base = time, unit
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if audio is not None:
            count = round(float((times[-1] + 1) * unit) * RATE)
            tone = np.sin(np.arange(count) * 0.05).astype(np.float32)[None] * 0.5
            for start in range(0, count, 1024):
                part = av.AudioFrame.from_ndarray(tone[:, start : start + 1024], "fltp", "mono")
                part.sample_rate, part.pts = RATE, start
                container.mux(audio.encode(part))
            container.mux(audio.encode())
    return path


def frames_of(path: Path) -> tuple[list[float], list[np.ndarray]]:
    """Seconds and RGB of every frame, as a player shows them."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        turned = [
            np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
            for frame in frames
        ]
        return [frame.time for frame in frames], turned


def sound_of(path: Path) -> list[bytes]:
    """The packets of the first audio track."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def codec(**wishes: str) -> ImageCodec:
    made = ImageCodec(TensorSpec(shape=(3, 32, 32), stride=4))
    made.ask(**wishes)
    return made


def through(path: Path, out: Path, change=torch.neg, **wishes: str) -> tuple[str, ...]:
    """Writes a clip through nets that change each window; what is noted of it."""
    made = codec(**wishes)
    item = made.read(path)
    pairs = ((window, change(window.signal)) for window in made.windows(item))
    made.write(made.join(item, pairs), out)
    return item.info["notes"]
