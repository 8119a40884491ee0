"""A video reads no other file, and its frames are what they were at the beginning."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import save_clip
from PIL import Image

from zoo_core.errors import DataError
from zoo_video.format import VideoFormat


def frames_of(path: Path, **options: Any) -> list[tuple[int, int]]:
    """Sizes of all frames."""
    return [picture.size for _, picture in VideoFormat(options).open(path).pictures()]


def save_jpegs(path: Path, sides: list[int], times: list[int]) -> Path:
    """A video whose header tells 16 x 16 pixels, of squares of these sides."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mjpeg", rate=5)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuvj420p"
        stream.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), "rgb24"))
        for side, time in zip(sides, times, strict=True):
            jpeg = io.BytesIO()
            Image.new("RGB", (side, side)).save(jpeg, "JPEG")
            packet: Any = av.Packet(jpeg.getvalue())
            packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, 5), True
            packet.pts = packet.dts = time
            container.mux(packet)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile private.mp4\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nprivate.mp4\n#EXT-X-ENDLIST\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
        "a=rtpmap:96 H264/90000\n",
    ],
    ids=["list of files", "playlist", "session"],
)
def test_a_list_of_other_files_is_no_video(text: str, tmp_path: Path) -> None:
    save_clip(tmp_path / "private.mp4", frames=3)
    (tmp_path / "x.mp4").write_text(text)
    with pytest.raises(DataError) as caught:
        VideoFormat().open(tmp_path / "x.mp4")
    assert "no video that can be read" in (caught.value.problem or "")


def test_a_name_is_no_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_clip(tmp_path / "private.mp4", frames=3)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        VideoFormat().open(Path("subfile,,start,0,end,99999,,:private.mp4"))
    assert caught.value.problem == "there is no such file"


def test_frames_that_grow_are_refused(tmp_path: Path) -> None:
    path = save_jpegs(tmp_path / "x.mkv", [16, 16, 64], [0, 1, 2])
    with pytest.raises(DataError) as caught:
        frames_of(path)
    assert "change from 16×16 to 64×64" in (caught.value.problem or "")


def test_a_frame_larger_than_allowed_is_not_decoded(tmp_path: Path) -> None:
    path = save_jpegs(tmp_path / "x.mkv", [512], [0])
    assert len(frames_of(path)) == 1
    with pytest.raises(DataError):
        VideoFormat().open(path, largest=100_000)


def test_a_frame_is_not_repeated_for_ever(tmp_path: Path) -> None:
    path = save_jpegs(tmp_path / "x.mkv", [16, 16, 16], [0, 1, 10**12])
    assert len(frames_of(path)) == 3
    with pytest.raises(DataError) as caught:
        frames_of(path, fps=Fraction(25))
    assert "to be shown for" in (caught.value.problem or "")


def test_a_decoder_that_is_not_listed_is_not_used(tmp_path: Path) -> None:
    path = save_clip(tmp_path / "x.avi", frames=3, codec="snow", sound=None)
    with pytest.raises(DataError) as caught:
        VideoFormat().open(path)
    assert "encoded as snow" in (caught.value.problem or "")
