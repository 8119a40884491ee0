"""What a judge of speech hears, and how it reads it, against sums by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from zoo_core.errors import UsageError
from zoo_evaluate.judge_card import JudgeCard
from zoo_nn.nets.judge_architecture import Changes
from zoo_voice.evaluate.augment import augment, widely
from zoo_voice.evaluate.distance import (
    aligned,
    compared,
    distortion,
    ratio_of_variances,
    variance_ratio,
)
from zoo_voice.evaluate.judge import (
    SpeechArchitecture,
    SpeechJudgeNet,
    _filters,
    hear,
    together,
)

pytestmark = pytest.mark.numeric


def mel(frequency: float) -> float:
    return 2595 * np.log10(1 + frequency / 700)


def heard(samples: Any, highest: float) -> Any:
    """(B, T) log-mel energies by numpy: frames of 25 ms every 10 ms, spectra of 512 points."""
    padded = np.pad(samples, 256, mode="reflect")
    window = np.zeros(512)
    window[56:456] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = [padded[at : at + 512] * window for at in range(0, len(padded) - 511, 160)]
    power = np.abs(np.fft.rfft(frames, axis=1)).T ** 2  # (F, T)
    edges = [700 * (10 ** (m / 2595) - 1) for m in np.linspace(mel(80), mel(highest), 42)]
    bands = np.zeros((40, 257))
    for band, (low, middle, high) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
        for index in range(257):
            frequency = index * 8000 / 256
            rise, fall = (frequency - low) / (middle - low), (high - frequency) / (high - middle)
            bands[band, index] = max(0.0, min(rise, fall))
    bands /= np.maximum(bands.sum(1, keepdims=True), 1e-6)
    energy = bands @ power
    return np.log(energy / max(energy.mean(), 1e-12) + 1e-4) / 9 + 0.5


@pytest.mark.parametrize(("count", "highest"), [(1600, 7600.0), (2000, 4000.0), (512, 7600.0)])
def test_a_judge_hears_log_mel_energies(count: int, highest: float) -> None:
    samples = np.random.default_rng(0).normal(size=count)
    np.testing.assert_allclose(hear(samples, highest), heard(samples, highest), atol=1e-4)


def test_a_short_sound_is_lengthened_with_silence() -> None:
    samples = np.random.default_rng(0).normal(size=300)
    padded = np.concatenate([samples, np.zeros(212)])
    torch.testing.assert_close(hear(samples, 7600.0), hear(padded, 7600.0))


def test_silence_is_heard_as_finite() -> None:
    assert hear(np.zeros(600), 7600.0).unique().tolist() == pytest.approx(
        [np.log(1e-4) / 9 + 0.5], abs=1e-5
    )


def test_the_filters_of_a_frequency_are_made_once() -> None:
    assert _filters(4321.0) is _filters(4321.0)
    assert _filters(4321.0).shape == (40, 257)


def test_signals_of_any_lengths_become_one_batch() -> None:
    batch, lengths = together([torch.ones(2, 3), torch.full((2, 5), 2.0)])
    assert lengths.tolist() == [3, 5]
    assert batch[:, 0].tolist() == [[1.0, 1, 1, 0, 0], [2.0] * 5]


def test_a_judge_reads_mean_and_deviation_of_three_convolutions() -> None:
    torch.manual_seed(0)
    net = SpeechJudgeNet(3, bands=4, widths=(5, 6, 7)).eval()
    for norm in net.norms:
        torch.nn.init.uniform_(norm.running_mean)
        torch.nn.init.uniform_(norm.bias)
    assert [tuple(c.weight.shape) for c in net.convolutions] == [(5, 4, 5), (6, 5, 5), (7, 6, 5)]
    assert not any(c.bias is not None for c in net.convolutions)
    x = torch.randn(1, 4, 11)
    y = x
    for number, (layer, norm) in enumerate(zip(net.convolutions, net.norms, strict=True)):
        y = F.conv1d(y, layer.weight, stride=2 if number else 1, padding=2)
        y = (y - norm.running_mean[:, None]) / (norm.running_var + 1e-5).sqrt()[:, None]
        y = F.relu(y * norm.weight[:, None] + norm.bias[:, None])
    assert y.shape == (1, 7, 3)
    features = torch.cat([y.mean(2), (y.var(2, unbiased=False) + 1e-5).sqrt()], 1)
    found = net(x, torch.tensor([11]))
    torch.testing.assert_close(found.features, features)
    torch.testing.assert_close(found.logits, F.linear(features, net.head.weight, net.head.bias))


@pytest.mark.parametrize("length", [1, 2, 5, 6, 7, 8])
def test_what_a_signal_is_padded_with_is_not_read(length: int) -> None:
    torch.manual_seed(0)
    net = SpeechJudgeNet(2, bands=3, widths=(4, 4, 4)).eval()
    for norm in net.norms:
        torch.nn.init.ones_(norm.bias)
    x = torch.randn(1, 3, length)
    padded = torch.cat([x, torch.full((1, 3, 6), 99.0)], 2)
    alone, among = net(x, torch.tensor([length])), net(padded, torch.tensor([length]))
    torch.testing.assert_close(alone.features, among.features)


def test_a_judge_drops_three_tenths_while_it_learns() -> None:
    assert SpeechJudgeNet(2).dropout.p == 0.3


def a_card(**given: Any) -> JudgeCard:
    plain = {"task": "domain", "classes": ("a", "b"), "domains": ("a", "b"), "size": 40}
    return JudgeCard(**plain | {"architecture": "speech"} | given)


@pytest.mark.parametrize(
    ("value", "refused"), [(80, True), (81, False), (8000, False), (8001, True)]
)
def test_a_judge_hears_up_to_a_frequency_within_bounds(value: int, refused: bool) -> None:
    architecture = SpeechArchitecture(a_card(arguments={"highest": value}))
    if refused:
        with pytest.raises(UsageError) as caught:
            _ = architecture.highest
        assert caught.value.asked == f"highest={value}"
    else:
        assert architecture.highest == value
    assert SpeechArchitecture(a_card()).highest == 7600


def test_a_judge_of_other_bands_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        SpeechArchitecture(a_card(size=41)).make_net()
    assert caught.value.asked == "judge of speech of size 41"


def test_a_judge_has_the_widths_of_its_card() -> None:
    architecture = SpeechArchitecture(a_card(widths=(3, 4, 5), classes=("a", "b", "c")))
    net = architecture.make_net()
    assert tuple(net.head.weight.shape) == (3, 10)
    assert architecture.features == 10
    default = SpeechArchitecture(a_card())
    assert default.make_net().head.in_features == default.features


def test_samples_are_heard_as_they_are() -> None:
    samples = np.random.default_rng(0).normal(size=900)
    architecture = SpeechArchitecture(a_card(arguments={"highest": 5000}))
    (found,) = architecture.prepare([samples])
    torch.testing.assert_close(found, hear(samples, 5000.0))


@pytest.mark.parametrize("wide", [False, True])
def test_wide_changes_come_before_the_plain_ones(wide: bool) -> None:
    x, lengths = torch.randn(2, 40, 30), torch.tensor([30, 20])
    found, new = SpeechArchitecture(a_card()).augment(
        (x, lengths), Changes("content", wide), torch.Generator().manual_seed(3)
    )
    rng = torch.Generator().manual_seed(3)
    wanted, kept = widely(x, lengths, rng) if wide else (x, lengths)
    torch.testing.assert_close(found, augment(wanted, kept, rng))
    assert new.tolist() == kept.tolist()


def test_judges_read_speech_of_any_length() -> None:
    form = SpeechArchitecture.form(40)
    assert (form.kind, form.shape) == ("speech", (24, 128))
    assert (SpeechArchitecture.whole, SpeechArchitecture.rate) == (True, 3e-3)


def test_the_distance_is_the_mean_along_the_best_path() -> None:
    made, reference = np.array([[0.0], [3.0], [3.0]]), np.array([[0.0], [1.0], [3.0]])
    # (0, 0), (0, 1) and (1, 2), (2, 2): 0 + 1 + 0 + 0 over four steps.
    assert aligned(made, [reference]).tolist() == [0.25]
    one, other = np.array([[1.0, 2.0]]), np.array([[4.0, 6.0]])
    assert aligned(one, [other, one, np.repeat(other, 2, 0)]).tolist() == [5.0, 0.0, 5.0]
    scale = 10 / np.log(10) * 2**0.5
    assert distortion(one, [other, one]) == pytest.approx(2.5 * scale)


def test_the_diagonal_is_taken_where_steps_are_equally_good() -> None:
    # All paths through zeros cost 2 in all; that along the diagonal has three cells.
    made, reference = np.array([[1.0], [0.0], [1.0]]), np.zeros((3, 1))
    assert aligned(made, [reference])[0] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("made", "references"),
    [
        (np.zeros((0, 1)), [np.zeros((1, 1))]),
        (np.zeros((1, 1)), []),
        (np.zeros((1, 1)), [np.zeros((0, 1))]),
    ],
)
def test_nothing_cannot_be_aligned(made: Any, references: Any) -> None:
    with pytest.raises(ValueError, match="nothing to align"):
        aligned(made, references)


def test_only_loud_frames_are_compared_and_without_their_energy() -> None:
    decibel = np.log(10) / 20
    cepstrum = np.array([[0.0, 1, 2], [-29 * decibel, 3, 4], [-31 * decibel, 5, 6]])
    assert compared(cepstrum).tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_the_ratio_of_variances_is_the_geometric_mean_over_coefficients() -> None:
    made, real = [np.array([[0.0, 0.0], [2.0, 6.0]])], [np.array([[0.0, 0.0], [4.0, 6.0]])]
    # Variances 1 and 9 against 4 and 9.
    assert variance_ratio(made, real) == pytest.approx(0.5)
    # Means over utterances first: (1 + 3) / 2 against 8; a variance of 0 counts as 1e-12 of it.
    found = ratio_of_variances([np.array([1.0, 0.0]), np.array([3.0, 0.0])], [np.array([8.0, 1.0])])
    assert found == pytest.approx((0.25 * 1e-12) ** 0.5)
