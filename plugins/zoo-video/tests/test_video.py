"""A translated video has the frames, times, look and sound of its input."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import codec, drawn, frames_of, save_clip, sound_of, through

from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import DataError, UsageError


def test_frames_times_and_sound_are_those_of_the_input(clip: Path, tmp_path: Path) -> None:
    assert through(clip, tmp_path / "out.mp4") == ()
    (before, shown), (after, made) = frames_of(clip), frames_of(tmp_path / "out.mp4")
    assert after == before
    for one, other in zip(shown, made, strict=True):
        assert np.abs(255.0 - other - one).mean() < 4
    assert sound_of(tmp_path / "out.mp4") == sound_of(clip)
    with av.open(str(clip)) as source, av.open(str(tmp_path / "out.mp4")) as output:
        assert output.duration == source.duration
        assert output.streams.video[0].average_rate == source.streams.video[0].average_rate
    assert not (tmp_path / ".out.mp4.parts").exists()


def test_variable_rates_keep_the_time_of_every_frame(tmp_path: Path) -> None:
    times = [0, 1000, 1500, 4000, 4040, 9000]
    clip = save_clip(tmp_path / "x.mp4", times=times, unit=Fraction(1, 1000), sound=None)
    through(clip, tmp_path / "out.mp4")
    assert frames_of(tmp_path / "out.mp4")[0] == pytest.approx([t / 1000 for t in times])


@pytest.mark.parametrize("rotation", [90, -90, 180])
def test_rotation_is_kept_and_nets_see_frames_upright(rotation: int, tmp_path: Path) -> None:
    clip = save_clip(tmp_path / "x.mp4", rotation=rotation)
    picture = codec().read(clip).value.picture()
    assert picture.size == ((64, 48) if rotation in (90, -90) else (48, 64))
    through(clip, tmp_path / "out.mp4", change=lambda x: x)
    (_, shown), (_, made) = frames_of(clip), frames_of(tmp_path / "out.mp4")
    assert np.abs(made[3].astype(int) - shown[3]).mean() < 4
    with av.open(str(tmp_path / "out.mp4")) as output:
        frame = next(output.decode(video=0))
        assert (frame.width, frame.height) == (64, 48)
        assert (frame.rotation - rotation) % 360 == 0


@pytest.mark.parametrize("size", [(63, 48), (64, 47), (63, 47)])
def test_odd_sizes_are_kept(size: tuple[int, int], tmp_path: Path) -> None:
    clip = save_clip(tmp_path / "x.mp4", size=size, form="yuv444p")
    through(clip, tmp_path / "out.mp4")
    assert frames_of(tmp_path / "out.mp4")[1][0].shape == (size[1], size[0], 3)


@pytest.mark.parametrize("look", [(1, 1), (1, 2), (6, 1), (6, 2)])
def test_matrix_and_range_of_colours_are_read_right_and_kept(
    look: tuple[int, int], tmp_path: Path
) -> None:
    clip = save_clip(tmp_path / "x.mp4", look=look)
    values = np.asarray(codec().read(clip).value.picture().image).astype(int)
    assert np.abs(values - drawn(0, 64, 48)).mean() < 4
    through(clip, tmp_path / "out.mp4", change=lambda x: x)
    with av.open(str(tmp_path / "out.mp4")) as output:
        frame = next(output.decode(video=0))
    assert (int(frame.colorspace), int(frame.color_range)) == look
    assert np.abs(frame.to_ndarray(format="rgb24").astype(int) - values).mean() < 4


def test_ten_bits_are_said_to_be_reduced(tmp_path: Path) -> None:
    clip = save_clip(tmp_path / "x.mkv", form="yuv420p10le")
    notes = through(clip, tmp_path / "out.mkv")
    assert notes == ("10 bits per value, of which 8 are used",)


def test_a_part_of_a_clip_has_its_frames_from_zero_on(clip: Path, tmp_path: Path) -> None:
    through(clip, tmp_path / "out.mp4", change=lambda x: x, start="0:00.2", end="0.6")
    times, made = frames_of(tmp_path / "out.mp4")
    assert times == pytest.approx([n / 25 for n in range(10)])
    assert np.abs(made[0].astype(int) - drawn(5, 64, 48)).mean() < 5
    with av.open(str(tmp_path / "out.mp4")) as output:
        sound = output.streams.audio[0]
        assert float(sound.duration * sound.time_base) == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize(("fps", "count"), [("12.5", 10), ("50", 40)])
def test_a_rate_that_is_asked_for_drops_or_repeats_frames(
    fps: str, count: int, clip: Path, tmp_path: Path
) -> None:
    through(clip, tmp_path / "out.mp4", change=lambda x: x, fps=fps)
    times, made = frames_of(tmp_path / "out.mp4")
    assert times == pytest.approx([n / float(fps) for n in range(count)])
    assert np.abs(made[2].astype(int) - drawn(int(2 * 25 / float(fps)), 64, 48)).mean() < 5


def test_smoothing_mixes_each_frame_with_the_one_before(clip: Path, tmp_path: Path) -> None:
    through(clip, tmp_path / "out.mkv", change=lambda x: x, smoothing="0.5")
    expected = drawn(0, 64, 48).astype(float)
    for number in range(1, 4):
        expected = (expected + drawn(number, 64, 48)) / 2
    assert np.abs(frames_of(tmp_path / "out.mkv")[1][3] - expected).mean() < 4


def test_another_format_gets_sound_that_it_can_hold(clip: Path, tmp_path: Path) -> None:
    made = codec()
    item = made.read(clip)
    pairs = ((window, window.signal) for window in made.windows(item))
    made.write(made.join(item, pairs), tmp_path / "out.webm")
    with av.open(str(tmp_path / "out.webm")) as output:
        assert output.streams.video[0].codec_context.name == "vp9"
        sound = output.streams.audio[0]
        assert sound.codec_context.name in ("opus", "vorbis")
        assert output.duration / av.time_base == pytest.approx(0.8, abs=0.1)
    assert len(frames_of(tmp_path / "out.webm")[0]) == 20


@pytest.mark.parametrize(
    ("suffix", "codec", "sound"),
    [
        (".mov", "libx264", "aac"),
        (".mkv", "libx264", "libopus"),
        (".webm", "libvpx-vp9", "libopus"),
        (".avi", "mpeg4", "libmp3lame"),
        (".mp4", "mpeg4", "aac"),
    ],
)
def test_every_format_keeps_frames_times_and_sound(
    suffix: str, codec: str, sound: str, tmp_path: Path
) -> None:
    clip = save_clip(tmp_path / f"x{suffix}", codec=codec, sound=sound)
    through(clip, tmp_path / f"out{suffix}", change=lambda x: x)
    (before, shown), (after, made) = frames_of(clip), frames_of(tmp_path / f"out{suffix}")
    assert after == pytest.approx(before, abs=1e-3)
    assert np.abs(made[7].astype(int) - shown[7]).mean() < 6
    assert sound_of(tmp_path / f"out{suffix}") == sound_of(clip)


def test_a_silent_clip_and_one_without_a_suffix_are_translated(tmp_path: Path) -> None:
    clip = save_clip(tmp_path / "x.mp4", sound=None).rename(tmp_path / "clip")
    made = codec()
    assert made.recognises(clip)
    assert made.output_suffix(clip) == ".mp4"
    through(clip, tmp_path / "out.mp4")
    assert len(frames_of(tmp_path / "out.mp4")[0]) == 20


def test_in_memory_a_translation_gives_its_frames(clip: Path) -> None:
    made = codec()
    item = made.read(clip)
    output = made.join(item, ((window, -window.signal) for window in made.windows(item)))
    frames = list(output)
    assert len(frames) == 20
    assert np.abs(255.0 - frames[0] - drawn(0, 64, 48)).mean() < 4


def test_videos_are_no_training_pictures(clip: Path) -> None:
    with pytest.raises(DataError) as caught:
        codec().open([clip], TrainConfig())
    assert "ffmpeg" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [("fps", "0"), ("fps", "a"), ("start", "-1"), ("end", "1:2:3:4"), ("smoothing", "1")],
)
def test_what_is_no_rate_time_or_part_is_refused(name: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        codec(**{name: text})
    assert text in caught.value.asked


def test_an_end_before_the_start_and_a_start_after_the_end_are_refused(clip: Path) -> None:
    with pytest.raises(UsageError) as caught:
        codec(start="2", end="1").read(clip)
    assert caught.value.asked == "end 1"
    made = codec(start="9")
    with pytest.raises(DataError) as late:
        list(made.windows(made.read(clip)))
    assert late.value.asked == str(clip)


def test_damaged_files_are_named(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("nothing of the kind")
    (tmp_path / "short.mp4").write_bytes(clip.read_bytes()[:300])
    for name in ("text.mp4", "short.mp4", "absent.mp4"):
        with pytest.raises(DataError) as caught:
            codec().read(tmp_path / name)
        assert caught.value.asked == str(tmp_path / name)


def cut(clip: Path, path: Path) -> Path:
    data = clip.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    return path


def test_a_clip_that_ends_before_its_header_says_is_doubted(tmp_path: Path) -> None:
    whole = save_clip(tmp_path / "x.mkv", frames=50)
    assert through(whole, tmp_path / "out.mkv") == ()
    (note,) = through(cut(whole, tmp_path / "cut.mkv"), tmp_path / "out.mkv")
    assert "of the 2 s that its header tells" in note
    assert 20 < len(frames_of(tmp_path / "out.mkv")[0]) < 50


def test_a_sound_that_is_longer_than_the_pictures_is_no_doubt(tmp_path: Path) -> None:
    clip = save_clip(tmp_path / "x.mp4", times=[50, 51, 52])
    assert through(clip, tmp_path / "out.mp4") == ()


def test_one_frame_is_shown_as_long_as_it_was(tmp_path: Path) -> None:
    clip = save_clip(tmp_path / "x.mp4", frames=1, sound=None)
    through(clip, tmp_path / "out.mp4")
    with av.open(str(clip)) as source, av.open(str(tmp_path / "out.mp4")) as output:
        assert output.duration == source.duration


def test_clips_of_phones_are_told_by_their_content(tmp_path: Path) -> None:
    clip = save_clip(tmp_path / "x.3gp", sound=None)
    assert codec().recognises(clip)
    assert codec().output_suffix(clip) == ".mp4"


def test_a_video_that_is_not_read_is_called_one(tmp_path: Path) -> None:
    clip = save_clip(tmp_path / "x.ts", sound=None)
    with pytest.raises(DataError) as caught:
        codec().read(clip)
    assert "video" in caught.value.problem
    assert "ffmpeg" in (caught.value.hint or "")
