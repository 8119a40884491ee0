"""Random changes of the pictures that judges learn from."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo_core.errors import UsageError
from zoo_evaluate.examples import LabeledSubset
from zoo_evaluate.judge_card import Augmentation, JudgeCard
from zoo_evaluate.judge_train import JudgeConfig, train_judge
from zoo_nn.nets.augment import augment, degraded, stretch, widely
from zoo_nn.nets.classifier import OwnArchitecture
from zoo_nn.nets.judge_architecture import Changes


def ink(x: torch.Tensor) -> torch.Tensor:
    """(N,) share of each picture that is light."""
    return (x.mean((1, 2, 3)) + 1) / 2  # (N,)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.5, 1.2), st.floats(1.0, 1.3), st.integers(0, 2**31))
def test_drawings_become_as_small_and_as_large_as_asked(
    least: float, ratio: float, seed: int
) -> None:
    x = torch.full((16, 3, 64, 64), -1.0)
    x[..., 24:40, 24:40] = 1
    y = stretch(x, torch.Generator().manual_seed(seed), (least, least * ratio))
    scales = (ink(y) / ink(x)).sqrt()  # (N,): shears and unequal sides keep the area
    assert scales.min() > least * 0.95
    assert scales.max() < least * ratio * 1.05


def test_wide_changes_stay_pictures() -> None:
    x = torch.rand(8, 3, 32, 32) * 2 - 1
    y = widely(x, torch.Generator().manual_seed(0), (0.55, 1.2))
    assert y.shape == x.shape
    assert y.abs().max() <= 1
    assert not torch.equal(x, y)


@pytest.mark.parametrize("scales", [(1.3, 0.6), (0.0, 1.0), (-1.0, 1.0)])
def test_scales_that_are_no_range_are_refused(scales: tuple[float, float]) -> None:
    config = JudgeConfig("content", ("0", "1"), augmentation="wide", scales=scales)
    with pytest.raises(UsageError, match="smallest scale comes first"):
        train_judge([], [], config)


def test_scales_of_plain_augmentation_are_refused() -> None:
    config = JudgeConfig("content", ("0", "1"), scales=(0.5, 1.2))
    with pytest.raises(UsageError, match="plain augmentation has no scales"):
        train_judge([], [], config)


def test_degraded_pictures_are_softer_paler_or_noisier_and_some_are_as_they_were() -> None:
    x = torch.where(torch.rand(256, 3, 32, 32) < 0.5, -0.9, 0.9)
    y = degraded(x, torch.Generator().manual_seed(1))
    assert y.shape == x.shape
    assert y.abs().max() <= 1
    same = (x == y).flatten(1).all(1).float().mean()
    assert 0.05 < same < 0.25  # each of three changes spares half of them
    assert (y.std((1, 2, 3)) < 0.8 * x.std((1, 2, 3))).float().mean() > 0.3


def test_degraded_pictures_come_again_by_the_same_seed() -> None:
    x = torch.rand(8, 3, 16, 16) * 2 - 1
    one, other = (degraded(x, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, other)


def test_a_judge_of_content_cannot_learn_from_degraded_pictures() -> None:
    config = JudgeConfig("content", ("0", "1"), augmentation="degraded")
    with pytest.raises(UsageError) as refused:
        train_judge([], [], config)
    assert refused.value.asked == "degraded augmentation of a content judge"


def test_a_judge_of_speech_cannot_learn_from_degraded_recordings() -> None:
    config = JudgeConfig("domain", ("a", "b"), augmentation="degraded", architecture="speech")
    with pytest.raises(UsageError) as refused:
        train_judge([], [], config)
    assert "architecture speech" in refused.value.asked


class Pictures:
    """A store of random pictures."""

    def batch(self, indices: list[int], rng: object = None) -> torch.Tensor:
        return torch.rand(len(indices), 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("augmentation", ["plain", "degraded"])
def test_a_judge_sees_degraded_pictures_where_that_is_asked(
    augmentation: Augmentation, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Changes] = []
    whole = OwnArchitecture.augment

    def note(self: OwnArchitecture, inputs: tuple, changes: Changes, rng: torch.Generator) -> tuple:
        seen.append(changes)
        return whole(self, inputs, changes, rng)

    monkeypatch.setattr(OwnArchitecture, "augment", note)
    parts = [
        LabeledSubset(name, Pictures(), torch.arange(4), torch.full((4,), number))  # type: ignore[arg-type]
        for number, name in enumerate("ab")
    ]
    asked = {"size": 16, "steps": 2, "batch": 4, "widths": (4, 8)}
    config = JudgeConfig("domain", ("a", "b"), augmentation=augmentation, **asked)
    judge = train_judge(parts, [], config)
    assert [changes.degraded for changes in seen] == 2 * [augmentation == "degraded"]
    assert judge.card.augmentation == augmentation


def test_degrading_comes_after_the_changes_of_every_judge_of_domains() -> None:
    card = JudgeCard(task="domain", classes=("a", "b"), domains=("a", "b"), size=16)
    x = torch.rand(8, 3, 16, 16) * 2 - 1

    def seen(changes: Changes) -> torch.Tensor:
        rng = torch.Generator().manual_seed(5)
        return OwnArchitecture(card).augment((x,), changes, rng)[0]

    rng = torch.Generator().manual_seed(5)
    expected = augment(x, "domain", rng)
    assert torch.equal(seen(Changes("domain")), expected)
    assert torch.equal(seen(Changes("domain", degraded=True)), degraded(expected, rng))
