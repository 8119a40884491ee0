"""Listeners from elsewhere: what they hear, and what is said where they are not installed."""

from __future__ import annotations

from importlib import util
from typing import Any

import numpy as np
import pytest
import torch

from zoo_core.contracts.codec import InMemorySignal
from zoo_core.errors import UsageError
from zoo_evaluate.context import Direction, EvalContext
from zoo_evaluate.domain_data import DomainData
from zoo_voice.evaluate import listeners
from zoo_voice.evaluate.listener_metrics import IndependentSpeaker, Naturalness, compared


def installed(*names: str) -> Any:
    missing = [name for name in names if util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def unit(*values: float) -> Any:
    vector = np.array(values)
    return vector / np.linalg.norm(vector)


def test_a_conversion_counts_where_it_is_nearer_to_the_target_than_to_the_source() -> None:
    source = np.stack([unit(1, 0, 0.1), unit(1, 0, -0.1)])
    target = np.stack([unit(0, 1, 0.1), unit(0, 1, -0.1)])
    found = compared([unit(1, 3, 0), unit(3, 1, 0)], [unit(1, 0, 0)], source, target)
    assert found["speaker_nearest"] == 0.5
    assert found["speaker_nearest_untranslated"] == 0.0
    assert found["speaker_nearest_real"] == 1.0
    assert found["speaker_similarity"] == pytest.approx((3 + 1) / np.sqrt(10) / 2)
    # Each real take against the other alone, not against a mean that holds itself.
    assert found["speaker_similarity_real"] == pytest.approx(unit(0, 1, 0.1) @ unit(0, 1, -0.1))


@pytest.mark.parametrize(
    ("samples", "starts"),
    [
        (1_600, [0]),
        (25_600, [0]),
        (77 * 160 + 19_199, [0]),
        (77 * 160 + 19_200, [0, 77]),
        (64_000, [0, 77, 154, 231]),
    ],
)
def test_parts_of_speech_overlap_and_the_last_is_mostly_speech(
    samples: int, starts: list[int]
) -> None:
    assert listeners._starts(samples) == starts


def test_an_embedding_is_a_unit_vector_whatever_the_loudness(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listeners, "_mel", lambda x: torch.from_numpy(x[::160, None] ** 2).float())
    monkeypatch.setattr(listeners, "BANDS", 1)
    torch.manual_seed(0)
    encoder = listeners.SpeakerEncoder().eval()
    sound = np.sin(np.arange(40_000) / 9.0)
    loud, faint = encoder.embed(0.02 * sound), encoder.embed(0.001 * sound)
    assert np.linalg.norm(loud) == pytest.approx(1.0)
    np.testing.assert_allclose(loud, faint, atol=1e-5)


@pytest.mark.parametrize(
    ("metric", "package"), [(IndependentSpeaker, "resemblyzer"), (Naturalness, "speechmos")]
)
def test_an_absent_listener_names_its_package_and_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, metric: Any, package: str, voice: Any
) -> None:
    def absent(name: str, *args: Any) -> Any:
        return None if name == package else found(name, *args)

    found = util.find_spec
    monkeypatch.setattr(listeners.util, "find_spec", absent)
    listeners.speaker_encoder.cache_clear()
    files = [InMemorySignal("a", voice(0.4, 110.0, 1.1, seed=0))]
    store: Any = type("Store", (), {"__len__": lambda self: 1, "labels": None})()
    side = DomainData("low", store, torch.arange(1), torch.zeros(1, 2), files)
    with pytest.raises(UsageError) as caught:
        metric(Direction(side, side, None, EvalContext()))
    assert caught.value.asked == package
    assert "zoo-voice[listeners]" in (caught.value.hint or "")


@installed("resemblyzer")
def test_takes_of_a_voice_are_nearer_to_each_other_than_to_another_voice(voice: Any) -> None:
    encoder = listeners.speaker_encoder()
    low, high = (
        np.stack([encoder.embed(voice(1.0, pitch, tract, seed=seed)) for seed in range(4)])
        for pitch, tract in ((110.0, 1.1), (200.0, 0.85))
    )
    assert compared(low, low, high, low)["speaker_nearest_real"] == 1.0


@installed("speechmos", "librosa", "onnxruntime")
def test_noise_sounds_less_natural(voice: Any) -> None:
    speech = voice(3.0)
    noise = 0.3 * np.random.default_rng(0).standard_normal(len(speech))
    assert listeners.naturalness(speech) > listeners.naturalness(speech + noise) + 0.1
