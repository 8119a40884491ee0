"""A speaker encoder as constraint: what it would hear, what it is shown, and where gradients go.

The encoder has random weights here, so that its package is not needed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from zoo_core.contracts.codec import InMemorySignal
from zoo_core.contracts.signals import Batch, Condition, Domains
from zoo_core.contracts.step import Step
from zoo_core.errors import UsageError
from zoo_testing.parity import build
from zoo_train.extra_losses import show_data
from zoo_voice import speaker_loss
from zoo_voice.audio import Sound
from zoo_voice.cepstrum import warped_cosines
from zoo_voice.evaluate import listeners
from zoo_voice.evaluate.listeners import SpeakerEncoder
from zoo_voice.hearing import Hearing, pitch_numbers
from zoo_voice.method import CycleGANVC, speech
from zoo_voice.speaker_loss import SpeakerSimilarity
from zoo_voice.store import SpeechStore, open_store
from zoo_voice.world import RATE, analyse, synthesise

DOMAINS = Domains(("low", "high"))
SPEC = speech(12, 16)
TINY: dict[str, Any] = {"width": 2, "blocks": 1, "critic_width": 2}


@pytest.fixture
def random_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    def made() -> SpeakerEncoder:
        torch.manual_seed(0)
        return SpeakerEncoder().requires_grad_(False).eval()

    monkeypatch.setattr(speaker_loss, "load_speaker_encoder", made)


@pytest.fixture(scope="module")
def stores(voice: Any) -> dict[str, SpeechStore]:
    def store(pitch: float, tract: float) -> SpeechStore:
        sounds = [Sound(voice(0.4, pitch, tract, seed=seed), RATE) for seed in range(2)]
        return open_store(SPEC, [InMemorySignal(str(n), one) for n, one in enumerate(sounds)])

    return {"low": store(110.0, 1.1), "high": store(200.0, 0.85)}


@pytest.fixture
def loss(random_encoder: None, stores: dict[str, SpeechStore]) -> SpeakerSimilarity:
    made = SpeakerSimilarity(frames=64)
    made.show(stores)
    return made


def step_of(method: CycleGANVC, count: int = 3) -> Step:
    names = DOMAINS.names
    batch = Batch(
        {name: torch.randn(count, 12, 16) for name in names},
        {name: Condition.of(DOMAINS, name, count, torch.device("cpu")) for name in names},
    )
    return Step(method, batch, [])


def test_pitches_are_numbered_by_their_logarithm_and_none_is_0() -> None:
    numbers = pitch_numbers([0.0, 50.0, 50.0 * 1.01**10, 10.0, 9_999.0])
    assert numbers.tolist() == [0, 1, 11, 1, int(pitch_numbers([600.0])[0])]


def test_what_is_heard_of_cepstra_is_what_is_heard_of_the_speech_made_from_them(
    voice: Any,
) -> None:
    analysis = analyse(voice(0.6, pauses=False), 24)
    real = listeners._mel(synthesise(analysis))  # (T, B)
    pitch = pitch_numbers(analysis.f0)[None]
    cepstrum = torch.from_numpy(analysis.cepstrum).float()[None]
    heard = Hearing(24)(cepstrum, pitch, torch.ones_like(pitch, dtype=torch.bool))[0]  # (160, B)
    count = len(real) - 4
    shape = torch.corrcoef(torch.stack([heard[2:count].flatten(), real[2:count].flatten()]))
    assert shape[0, 1] > 0.9
    assert heard[2:count].mean() == pytest.approx(float(real[2:count].mean()), rel=0.15)


def test_nothing_is_heard_after_the_end_of_a_word() -> None:
    spoken = torch.arange(64)[None] < torch.tensor([[20], [64]])
    cepstrum = torch.randn(2, 64, 13)
    mel = Hearing(12)(cepstrum, torch.zeros(2, 64, dtype=torch.long), spoken)
    assert mel.shape == (2, 160, 40)
    assert not mel[0, 10:].any()
    assert mel[0, :10].all()
    assert mel[1, :32].all()


def test_faint_words_are_raised_to_the_encoder_s_level_and_loud_ones_left() -> None:
    spoken, pitch = torch.ones(1, 32, dtype=torch.bool), torch.zeros(1, 32, dtype=torch.long)
    flat = torch.zeros(1, 32, 13)
    levels = {
        c0: Hearing(12)(flat + c0 * (torch.arange(13) == 0), pitch, spoken) for c0 in (-9, -2)
    }
    power = {c0: mel[0, 0, 5] / 150 for c0, mel in levels.items()}
    ratio = float(power[-2] / power[-9])
    level = float(np.exp(warped_cosines(12, 201)[0, 0] * -2))  # power of a spectrum whose c0 is -2
    assert ratio == pytest.approx(level / listeners.LOUDNESS**2, rel=1e-2)


def test_gradients_reach_the_generators_and_no_encoder_is_saved(loss: SpeakerSimilarity) -> None:
    method = build(CycleGANVC, TINY, DOMAINS, SPEC).float()
    for pair in loss.pairs.values():
        pair.gap += 1  # else a random encoder may be content
    loss(step_of(method)).backward()
    for name in DOMAINS.names:
        gradients = [p.grad for p in method.nets[f"generator_{name}"].parameters()]
        assert any(g is not None and bool(g.abs().sum() > 0) for g in gradients)
    assert not list(loss.parameters())
    assert not loss.state_dict()


def test_the_loss_is_how_much_less_the_target_is_heard_than_in_its_own_recordings(
    loss: SpeakerSimilarity, stores: dict[str, SpeechStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    # An "encoder" that hears the mean energy in two halves of the bands.
    class Halves(torch.nn.Module):
        def forward(self, mel: torch.Tensor) -> torch.Tensor:
            halves = torch.stack([mel[..., :8].sum((1, 2)), mel[..., 8:].sum((1, 2))], 1)
            return torch.nn.functional.normalize(halves, dim=1)

    loss.encoder = Halves()
    loss.show(stores)
    method = build(CycleGANVC, TINY, DOMAINS, SPEC).float()
    monkeypatch.setattr(method, "translate", lambda x, source, target: x)
    found = float(loss(step_of(method, count=64)))
    gaps = [float(pair.gap) for pair in loss.pairs.values()]
    assert all(gap > 0 for gap in gaps)
    assert 0 < found < sum(gaps)


@pytest.mark.parametrize("frames", [0, 6, 324])
def test_a_length_that_nets_or_encoder_cannot_take_is_refused(frames: int) -> None:
    with pytest.raises(UsageError) as caught:
        SpeakerSimilarity(frames=frames)
    assert caught.value.asked == f"frames {frames}"


def test_a_step_draws_as_many_words_of_each_pair_as_it_is_told(
    loss: SpeakerSimilarity, stores: dict[str, SpeechStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = SpeakerSimilarity(frames=64, words=2)
    few.show(stores)
    method, drawn = build(CycleGANVC, TINY, DOMAINS, SPEC).float(), []
    monkeypatch.setattr(method, "translate", lambda x, *_: drawn.append(len(x)) or x)
    few(step_of(method, count=3))
    loss(step_of(method, count=3))
    assert drawn == [2, 2, 3, 3]  # both pairs of two voices, told and as the batch


def test_no_words_at_all_are_refused() -> None:
    with pytest.raises(UsageError) as caught:
        SpeakerSimilarity(words=0)
    assert caught.value.asked == "words 0"


def test_pictures_or_a_single_voice_are_refused(
    random_encoder: None, stores: dict[str, SpeechStore]
) -> None:
    one: Any
    for one in ({"low": stores["low"]}, {"low": stores["low"], "high": object()}):
        with pytest.raises(UsageError) as caught:
            SpeakerSimilarity().show(one)
        assert caught.value.asked == "--loss speaker"


def test_a_run_shows_its_data_to_the_losses_that_look_at_it(
    random_encoder: None, stores: dict[str, SpeechStore]
) -> None:
    from zoo_core.contracts.method import Player, Term
    from zoo_nn.losses.consistency import Cycle

    looks = SpeakerSimilarity()
    show_data([Player("generator", (), (Term("cycle", Cycle()), Term("x", looks)))], stores)
    assert len(looks.pairs) == 2
