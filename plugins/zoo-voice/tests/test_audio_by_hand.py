"""Bounds, statistics and energies of recordings against values worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from zoo_core.errors import DataError, UsageError, WeightsError
from zoo_voice.audio import Facts, Sound, blocks, examine, load, save
from zoo_voice.cepstrum import envelope, floored, mel_cepstrum, unfloored, warped_cosines, warping
from zoo_voice.loudness import loud, trimmed
from zoo_voice.speaker import Speaker

pytestmark = pytest.mark.numeric
RATE = 16_000


def square(count: int, height: float = 0.5, middle: float = 0.0) -> Any:
    """(count,) samples that alternate about a middle."""
    return middle + height * np.where(np.arange(count) % 2, -1.0, 1.0)


def facts(**given: Any) -> Facts:
    plain: dict[str, Any] = {"seconds": 1, "rate": RATE, "channels": 1, "form": "WAV PCM_16"}
    return Facts(**plain | {"clipped": 0.0} | given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, []),
        ({"channels": 2}, ["2 channels"]),
        ({"rate": RATE + 1}, ["16,001 samples a second"]),
        ({"form": "WAV FLOAT"}, ["samples of FLOAT"]),
        ({"form": "WAV DOUBLE"}, ["samples of DOUBLE"]),
        ({"form": "FLAC PCM_24"}, ["samples of PCM_24"]),
    ],
)
def test_what_an_output_lacks_is_noted(given: dict[str, Any], words: list[str]) -> None:
    notes = facts(**given).notes
    assert len(notes) == len(words)
    assert all(note.startswith(word) for note, word in zip(notes, words, strict=True))


def test_a_sound_can_be_taken_apart_and_knows_its_length() -> None:
    sound = Sound(np.zeros(6000), 4000)
    samples, rate = sound
    assert (len(samples), rate, sound.seconds) == (6000, 4000, 1.5)


def test_the_facts_of_a_recording_are_counted() -> None:
    samples = np.stack([square(2000, 0.5), square(2000, 0.25)], 1)
    samples[:30, 0], samples[30:40, 1], samples[40, 0] = 0.999, -1.0, 0.9989
    found = examine(Sound(samples, 8000), name="x")
    assert found == Facts(0.25, 8000, 2, "arrays", 40 / 4000)


@pytest.mark.parametrize("block", [1 << 16])
def test_facts_are_of_all_blocks(block: int) -> None:
    samples = np.zeros(2 * block + 10)
    samples[0], samples[block], samples[-1] = 1.0, -1.0, 1.0
    found = examine(Sound(samples, RATE), name="x")
    assert found.seconds == len(samples) / RATE
    assert found.clipped == 3 / len(samples)


@pytest.mark.parametrize(
    ("samples", "rate", "said"),
    [
        (square(400), 4000, None),
        (square(400), 3999, "3999 samples a second"),
        (square(1600), RATE, None),
        (square(1599), RATE, "it lasts 100 ms"),
        (square(1000), RATE, "it lasts 62 ms, less than 100"),
        (square(1600, 0.00101, 0.3), RATE, None),
        (square(1600, 0.00099, 0.3), RATE, "it is silent"),
        (np.stack(2 * [square(1600, 0.0006)], 1), RATE, "it is silent"),
        (np.zeros((0, 2)), RATE, "it holds no samples"),
    ],
)
def test_a_recording_is_refused_just_below_each_bound(
    samples: Any, rate: int, said: str | None
) -> None:
    if said is None:
        assert examine(Sound(samples, rate), name="x").rate == rate
        return
    with pytest.raises(DataError) as caught:
        examine(Sound(samples, rate), name="x")
    assert caught.value.asked == "x"
    assert said in caught.value.problem


def test_samples_of_16_khz_are_read_as_they_are_block_by_block() -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, (1 << 16) + 5)
    found = list(blocks(Sound(samples, RATE), name="x"))
    assert [len(part) for part in found] == [1 << 16, 5]
    np.testing.assert_array_equal(np.concatenate(found), samples)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
def test_integers_are_of_full_scale(dtype: type) -> None:
    most = np.iinfo(dtype).max
    samples = np.array([most, -most, 0, most // 2 + 1] * 500, dtype)
    heard, _ = load(Sound(samples, RATE), name="x")
    np.testing.assert_allclose(heard[:3], [1.0, -1.0, 0.0])


@pytest.mark.parametrize(
    ("samples", "rate"),
    [(np.zeros((2, 2, 2)), RATE), (np.float64(0.0), RATE), ([0.0] * 9, RATE), (square(9), 0)],
)
def test_a_wrong_recording_in_memory_is_refused(samples: Any, rate: int) -> None:
    with pytest.raises(UsageError) as caught:
        list(blocks(Sound(samples, rate), name="x"))
    assert caught.value.asked == "x"


def test_a_recording_of_one_sample_a_second_is_too_slow_and_not_wrong() -> None:
    with pytest.raises(DataError, match="1 samples a second"):
        examine(Sound(square(9), 1), name="x")


@pytest.mark.parametrize(("peak", "written"), [(0.5, 0.5), (1.0, 1.0), (2.0, 0.99), (1.1, 0.99)])
def test_a_recording_is_scaled_only_where_it_would_clip(
    tmp_path: Path, peak: float, written: float
) -> None:
    long = np.zeros((1 << 16) + 100)
    long[-50] = -peak  # in the second block
    long[10] = peak / 2
    save(Sound(long, RATE), tmp_path / "x.FLAC")
    found, _ = soundfile.read(tmp_path / "x.FLAC")
    assert len(found) == len(long)
    assert found[-50] == pytest.approx(-written, abs=1e-4)
    assert found[10] == pytest.approx(written / 2, abs=1e-4)


def test_nothing_at_all_may_be_written(tmp_path: Path) -> None:
    save(Sound(np.zeros(0), RATE), tmp_path / "x")
    found = soundfile.info(tmp_path / "x")
    assert (found.frames, found.format, found.subtype) == (0, "WAV", "PCM_16")


def test_a_file_that_ends_early_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, square(8000), RATE)
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(DataError):
        load(path, name="x")


def test_an_unreadable_file_says_which_formats_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_text("hello" * 99)
    with pytest.raises(DataError) as caught:
        load(path, name="x")
    assert "wav, flac, ogg" in (caught.value.hint or "")
    assert not caught.value.problem.endswith(".)")


def test_frames_count_as_loud_within_30_db_of_the_loudest() -> None:
    decibel = np.log(10) / 20
    energy = np.array([0.0, -29.9, -30.1, -34.9, -35.1]) * decibel + 3
    assert loud(energy).tolist() == [True, True, False, False, False]
    assert loud(energy, 35).tolist() == [True, True, True, True, False]


def test_a_span_of_speech_keeps_six_frames_at_either_end() -> None:
    decibel = np.log(10) / 20
    energy = np.full(40, -99.0) * decibel
    energy[[10, 20]] = 0.0, -34.9 * decibel
    assert trimmed(energy) == slice(4, 27)
    energy[3] = 0.0
    assert trimmed(energy) == slice(0, 27)


def test_powers_are_raised_by_a_part_of_their_mean_and_lowered_again() -> None:
    np.testing.assert_allclose(floored([[1.0, 3.0]]), [[1.0002, 3.0002]], rtol=1e-12)
    # The mean is 2, the floor 2e-4; where nothing else is, a hundredth of it is left.
    np.testing.assert_allclose(unfloored([[4.0 - 1e-4, 1e-4]]), [[4.0 - 3e-4, 2e-6]], rtol=1e-9)


def test_a_cepstrum_without_warping_is_that_of_half_the_log_power() -> None:
    angles = np.linspace(0, np.pi, 9)
    power = np.exp(2 * (0.5 + np.cos(angles) - 0.25 * np.cos(3 * angles)))[None]
    found = mel_cepstrum(power, 4, alpha=0.0)
    np.testing.assert_allclose(found, [[0.5, 1.0, 0.0, -0.25, 0.0]], atol=1e-12)
    np.testing.assert_allclose(envelope(found, 9, alpha=0.0), power, rtol=1e-12)


def test_warping_a_first_coefficient_follows_the_recursion() -> None:
    a = 0.3
    # Order 1 to order 2 with an all-pass constant a: (1, 0) stays; (0, 1) becomes powers of a.
    wanted = [[1.0, a], [0.0, 1 - a**2], [0.0, -a * (1 - a**2)]]
    np.testing.assert_allclose(warping(1, 2, a), wanted, atol=1e-12)
    np.testing.assert_allclose(warping(1, 0, a), [[1.0, a]], atol=1e-12)


def test_without_warping_a_coefficient_adds_a_cosine_to_the_log_power() -> None:
    angles = np.linspace(0, np.pi, 9)
    wanted = [2 * np.cos(k * angles) for k in range(3)]
    np.testing.assert_allclose(warped_cosines(2, 9, alpha=0.0), wanted, atol=1e-12)


def test_energy_is_moved_by_mean_and_deviation() -> None:
    timbre = np.zeros((2, 1))
    source = Speaker.of([0.0, 0.0], timbre, [-1.0, 3.0])
    assert source.energy == (1.0, 2.0)
    target = Speaker((1.0, 1.0), np.zeros(1), np.ones(1), (5.0, 3.0))
    assert target.level(np.array([3.0]), source).tolist() == [8.0]


def test_a_warping_to_two_coefficients_is_the_beginning_of_one_to_more() -> None:
    np.testing.assert_allclose(warping(3, 1, 0.4), warping(3, 5, 0.4)[:2], atol=1e-12)


def test_a_frame_just_30_db_below_the_loudest_is_not_loud() -> None:
    a_neper = 20 / np.log(10)
    assert loud(np.array([0.0, -1.0]), a_neper).tolist() == [True, False]


def test_matrices_of_warping_are_shared_and_cannot_be_written_to() -> None:
    first = warping(3, 3, 0.1)
    assert warping(3, 3, 0.1) is first
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0] = 2.0


def test_the_statistics_of_a_voice_by_hand() -> None:
    f0 = np.exp([0.0, 1.0, 2.0, 5.0])
    f0 = np.array([*f0, 0.0])  # the last frame is unvoiced
    found = Speaker.of(f0, [[1.0, 5.0], [3.0, 5.0], [1.0, 5.0], [3.0, 5.0], [2.0, 5.0]])
    # Of 0, 1, 2, 5 the median is 1.5, and of the distances 1.5, 0.5, 0.5, 3.5 it is 1.
    assert found.pitch == pytest.approx((1.5, 1.4826))
    assert found.mean.tolist() == [2.0, 5.0]
    np.testing.assert_allclose(found.deviation, [0.8**0.5, 1e-3])
    np.testing.assert_allclose(found.normalise([[2.0, 5.001]]), [[0.0, 1.0]], atol=1e-9)
    np.testing.assert_allclose(found.denormalise([[0.0, 1.0]]), [[2.0, 5.001]])


def test_voices_without_pitch_or_spread_have_safe_statistics() -> None:
    whisper = Speaker.of([0.0, 0.0], np.zeros((2, 1)))
    assert whisper.pitch == (np.log(150.0), 0.2)
    assert Speaker.of([100.0, 100.0], np.zeros((2, 1))).pitch == (np.log(100.0), 1e-3)


def test_plain_statistics_have_six_digits() -> None:
    plain = Speaker((1.23456789, 0.1), np.array([0.12345678]), np.array([2.0])).plain()
    assert plain == {"pitch": [1.234568, 0.1], "mean": [0.123457], "deviation": [2.0]}


@pytest.mark.parametrize(
    "change",
    [
        {"mean": [0.0]},
        {"deviation": [1.0, 1.0, 1.0]},
        {"deviation": [1.0, float("inf")]},
        {"pitch": [float("nan"), 0.1]},
        {"pitch": [4.0, float("inf")]},
        {"pitch": [4.0, 0.0]},
        {"pitch": [4.0, -1.0]},
    ],
)
def test_statistics_that_are_not_finite_or_of_another_size_are_refused(
    change: dict[str, Any],
) -> None:
    good = {"pitch": [4.0, 0.5], "mean": [0.0, 1.0], "deviation": [1.0, 0.0]}
    read = Speaker.from_plain(good, 2, asked="voice")
    assert read.pitch == (4.0, 0.5)
    assert read.deviation.tolist() == [1.0, 1e-3]
    with pytest.raises(WeightsError) as caught:
        Speaker.from_plain(good | change, 2, asked="voice")
    assert caught.value.asked == "voice"
