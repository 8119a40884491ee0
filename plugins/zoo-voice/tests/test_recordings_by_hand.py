"""Recordings whose files tell a wrong length, and exact bounds of reading and writing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from zoo_core.errors import DataError, UsageError
from zoo_voice.audio import BLOCK, Sound, blocks, examine, is_recording, load, save

RATE = 16_000
FUZZ = Path(__file__).parents[3] / "fuzz" / "corpus" / "audio"

pytestmark = pytest.mark.numeric


def noise(count: int) -> np.ndarray:
    return 0.5 * np.random.default_rng(0).uniform(-1, 1, count)


def test_twice_the_rate_gives_twice_the_samples() -> None:
    found, facts = load(Sound(noise(3_000), 8_000), name="x")
    assert (len(found), facts.rate) == (6_000, 8_000)


def test_what_is_just_loud_enough_is_no_silence() -> None:
    assert examine(Sound(np.tile([1e-3, -1e-3], 2_000), RATE), name="x").seconds == 0.25
    with pytest.raises(DataError) as caught:
        examine(Sound(np.tile([9.9e-4, -9.9e-4], 2_000), RATE), name="x")
    assert caught.value.problem == "it is silent"


def test_a_suffix_of_no_format_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        save(Sound(noise(2_000), RATE), tmp_path / "x.docx")
    assert caught.value.problem == '".docx" is no format that recordings are written in'
    assert not list(tmp_path.iterdir())


def test_a_file_of_several_blocks_is_read_to_its_end(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", noise(2 * BLOCK + 9), RATE)
    lengths = [len(part) for part in blocks(tmp_path / "x.wav", name="x")]
    assert lengths == [BLOCK, BLOCK, 9]


def test_a_hole_in_a_file_is_told_by_the_samples_that_are_missing(tmp_path: Path) -> None:
    path = tmp_path / "x.ogg"
    soundfile.write(path, noise(100_000), RATE)
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + whole[middle + 9_000 :])
    with soundfile.SoundFile(path) as file:
        there = sum(len(file.read(BLOCK)) for _ in range(4))
    assert there < 100_000
    with pytest.raises(DataError) as caught:
        examine(path, name="x")
    assert caught.value.problem == f"it is damaged: it ends after {there:,} of 100,000 samples"


def test_an_mp3_may_promise_more_than_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "x.mp3"
    sound = noise(50_000)
    sound[:40_000] = 0  # frames of few bits come first, from which the length is estimated
    soundfile.write(path, sound, RATE)
    whole = path.read_bytes()
    path.write_bytes(whole[whole.index(b"\xff\xf3", 4) :])  # without the frame that tells it
    assert soundfile.info(path).frames > 55_000
    assert examine(path, name="x").seconds == pytest.approx(50_000 / RATE, abs=0.2)


def test_an_mp3_that_tells_too_small_a_length_is_read_once() -> None:
    path = FUZZ / "length_told_wrong.mp3"
    parts = blocks(path, name="x")
    assert sum(1 for _, _ in zip(parts, range(9), strict=False)) == 1


def test_why_a_file_cannot_be_decoded_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_text("hello" * 99)
    with pytest.raises(DataError) as caught:
        examine(path, name="x")
    with pytest.raises(soundfile.LibsndfileError) as reason:
        soundfile.info(path)
    assert reason.value.error_string.rstrip(".") in caught.value.problem


@pytest.mark.parametrize(
    ("left", "right", "problem"),
    [
        (1.0, -1.0, "its channels cancel each other when they are averaged"),
        (2e-3, -2e-3, "its channels cancel each other when they are averaged"),
        (1.0, -0.999, "its channels cancel each other when they are averaged"),
        (1e-4, -1e-4, "it is silent"),
        (1.1e-3, -1.1e-3, "its channels cancel each other when they are averaged"),
        (8e-4, 8e-4, "it is silent"),
    ],
)
def test_channels_that_cancel_are_no_silence(left: float, right: float, problem: str) -> None:
    wave = np.tile([1.0, -1.0], 2_000)
    samples = np.stack([left * wave, right * wave], axis=1)
    with pytest.raises(DataError) as caught:
        examine(Sound(samples, RATE), name="x")
    assert caught.value.problem == problem


def test_a_silent_channel_beside_them_changes_nothing() -> None:
    wave = np.tile([1.0, -1.0], 2_000)
    samples = np.stack([wave, -wave, 0 * wave], axis=1)
    with pytest.raises(DataError) as caught:
        examine(Sound(samples, RATE), name="x")
    assert caught.value.problem == "its channels cancel each other when they are averaged"


def test_a_constant_difference_of_channels_is_silence() -> None:
    samples = np.tile([0.5, -0.5], (4_000, 1))
    with pytest.raises(DataError) as caught:
        examine(Sound(samples, RATE), name="x")
    assert caught.value.problem == "it is silent"


def test_recordings_are_known_by_their_content(tmp_path: Path) -> None:
    save(Sound(noise(2_000), RATE), tmp_path / "x.wav")
    (tmp_path / "x.wav").rename(tmp_path / "x.txt")
    (tmp_path / "other.wav").write_text("RIFF" + "?" * 99)
    (tmp_path / "text.wav").write_text("?" * 99)
    save(Sound(noise(0), RATE), tmp_path / "empty.wav")
    found = {path.name: is_recording(path) for path in tmp_path.iterdir()}
    expected = {"x.txt": True, "other.wav": False, "text.wav": False, "empty.wav": False}
    assert found == expected
    assert is_recording(tmp_path / "missing.wav") is False
    save(Sound(noise(1), RATE), tmp_path / "one.wav")
    assert is_recording(tmp_path / "one.wav")


def test_what_is_said_of_a_recording_is_kept_but_for_the_program(tmp_path: Path) -> None:
    texts = {"title": "One", "software": "something"}
    assert list(save(Sound(noise(2_000), RATE, texts), tmp_path / "x.wav")) == []
    found = examine(tmp_path / "x.wav", name="x").texts
    assert dict(found) == {"title": "One"}
