"""What judges and metrics of speech are given, and what they leave out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from test_judge_by_hand import a_card, heard
from test_voice_evaluate import batch, side

from zoo_core.errors import DataError, UsageError
from zoo_evaluate.context import Direction, EvalContext
from zoo_voice.audio import Sound
from zoo_voice.evaluate.distance import (
    aligned,
    compared,
    distortion,
    ratio_of_variances,
    timbre,
)
from zoo_voice.evaluate.judge import SpeechArchitecture, hear, together
from zoo_voice.evaluate.metrics import GlobalVariance, MelCepstralDistortion, samples_of
from zoo_voice.evaluate.scene import without_silence
from zoo_voice.nets import speech
from zoo_voice.world import pitch_and_timbre

pytestmark = pytest.mark.numeric


@pytest.fixture(scope="module")
def word(voice: Any) -> Any:
    """(n,) samples of speech with half a second of silence before it."""
    return np.concatenate([np.zeros(8_000), voice(0.4)])


def test_what_is_fainter_than_any_recording_is_not_made_louder() -> None:
    samples = 1e-8 * np.random.default_rng(0).normal(size=1600)
    np.testing.assert_allclose(hear(samples, 7000.0), heard(samples, 7000.0), atol=1e-4)


def test_judges_hear_what_models_of_speech_translate() -> None:
    assert SpeechArchitecture.form(40) == speech(24, 128)


def test_an_argument_that_judges_of_speech_do_not_have_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        _ = SpeechArchitecture(a_card(arguments={"lowest": 100})).highest
    assert "lowest" in f"{caught.value.asked} {caught.value.problem}"


def test_a_judge_is_given_its_batch_with_the_lengths() -> None:
    signals = [torch.ones(2, 3), torch.ones(2, 5)]
    found, lengths = SpeechArchitecture(a_card()).inputs(signals)
    wanted, frames = together(signals)
    assert torch.equal(found, wanted)
    assert torch.equal(lengths, frames)


def test_recordings_are_heard_without_the_silence_at_their_ends(word: Any, tmp_path: Path) -> None:
    path = tmp_path / "word.wav"
    soundfile.write(path, word, 16_000, subtype="DOUBLE")
    found = SpeechArchitecture(a_card()).prepare([Sound(word, 16_000), path])
    spoken = without_silence(word)
    assert len(spoken) < len(word) - 6_000
    for one in found:
        torch.testing.assert_close(one, hear(spoken, 7600.0))


@pytest.mark.parametrize(
    "read", [SpeechArchitecture(a_card()).prepare, lambda one: samples_of(*one)]
)
def test_a_recording_that_cannot_be_heard_is_named(read: Any, tmp_path: Path) -> None:
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros(4_000), 16_000)
    with pytest.raises(DataError) as caught:
        read([silent])
    assert caught.value.asked == str(silent)
    with pytest.raises(DataError) as caught:
        read([Sound(np.zeros(4_000), 16_000)])
    assert caught.value.asked == "recording"


def test_timbre_is_the_first_24_coefficients_of_the_loud_frames(word: Any) -> None:
    found = timbre(word)
    assert found.shape[1] == 24
    np.testing.assert_array_equal(found, compared(pitch_and_timbre(word, 24)[1]))


def test_an_empty_reference_among_others_cannot_be_aligned() -> None:
    with pytest.raises(ValueError, match="nothing to align"):
        aligned(np.zeros((1, 1)), [np.zeros((1, 1)), np.zeros((0, 1))])


def test_variances_of_real_utterances_are_averaged() -> None:
    found = ratio_of_variances([np.array([6.0])], [np.array([1.0]), np.array([3.0])])
    assert found == pytest.approx(3.0)


@pytest.fixture(scope="module")
def direction(voice: Any) -> Direction:
    """Two words of a low voice; a high voice says the second, and another."""
    low = {f"{word}_low_0.wav": voice(0.3, 110.0, 1.1, seed=word) for word in (0, 1)}
    high = {f"{word}_high_0.wav": voice(0.3, 200.0, 0.85, seed=word) for word in (1, 2)}
    return Direction(side("low", low), side("high", high), None, EvalContext())


def test_an_input_without_counterpart_is_passed_over(direction: Direction) -> None:
    inputs, takes = direction.source.wholes([0, 1]), direction.target.wholes([0, 1])
    metric = MelCepstralDistortion(direction)
    metric.update(batch(direction, inputs))
    expected = distortion(timbre(inputs[1]), [timbre(takes[0])])
    assert metric.compute()["mcd"] == pytest.approx(expected)
    told = metric.protocol()
    assert told["inputs"] == 1
    assert told["references"] == "same name but for the domain's"


def test_nothing_is_said_of_distortion_where_no_input_has_a_counterpart(voice: Any) -> None:
    low, high = side("low", {"1.wav": voice(0.3)}), side("high", {"2.wav": voice(0.3)})
    metric = MelCepstralDistortion(Direction(low, high, None, EvalContext()))
    metric.update(batch(metric.direction, low.wholes([0])))
    assert metric.compute() == {}
    assert metric.protocol()["references"] == ""


def test_the_report_says_how_many_real_recordings_a_share_is_of(direction: Direction) -> None:
    metric = GlobalVariance(direction)
    assert metric.direction is direction
    assert metric.protocol()["real"] == 2
    assert "c1 to c24" in str(metric.protocol()["cepstrum"])
