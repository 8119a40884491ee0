"""Judges of what a net sees that has learnt ImageNet."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from zoo_core.contracts.signals import TensorSpec
from zoo_core.errors import UsageError
from zoo_embedding.imagenet import imagenet
from zoo_embedding.judge import FEATURES, HeadNet, ImagenetArchitecture
from zoo_evaluate.examples import LabeledSubset
from zoo_evaluate.judge import EvalClassifier
from zoo_evaluate.judge_card import JudgeCard
from zoo_evaluate.judge_train import JudgeConfig, train_judge
from zoo_nn.nets.classifier import make_net
from zoo_nn.nets.judge_architecture import Changes

SIZE = 48


def card(**arguments: Any) -> JudgeCard:
    return JudgeCard(
        arguments=arguments,
        task="domain",
        classes=("a", "b"),
        domains=("a", "b"),
        size=SIZE,
        architecture="imagenet",
        widths=(16,),
    )


def pictures(count: int = 3, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed)) * 2 - 1


class Store:
    """Pictures in memory, smooth or noisy, that count how often they are read."""

    def __init__(self, smooth: bool) -> None:
        self.signals = pictures(40, seed=int(smooth))
        if smooth:
            blurred = torch.nn.functional.avg_pool2d(self.signals, 9, 1, 4)
            self.signals = blurred * 4
        self.read = 0

    def batch(self, indices: list[int]) -> Tensor:
        self.read += len(indices)
        return self.signals[indices]


def test_what_it_reads_are_statistics_of_every_stage() -> None:
    x = pictures()
    found = ImagenetArchitecture(card()).prepare(x)
    assert found.shape == (3, FEATURES)
    body = imagenet().net.eval()
    with torch.no_grad():
        stem = body.bn1(body.conv_stem(x))  # (3, 32, 24, 24)
    torch.testing.assert_close(found[:, :32], stem.mean((2, 3)), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found[:, 64:96], stem.amax((2, 3)), atol=1e-4, rtol=1e-4)


def test_the_frozen_net_is_no_part_of_the_judges_file(tmp_path: Path) -> None:
    judge = EvalClassifier(make_net(card()), card()).save(tmp_path)
    assert isinstance(judge.net, HeadNet)
    assert judge.card.bytes < 200_000
    opened = EvalClassifier.load(tmp_path)
    with torch.no_grad():
        torch.testing.assert_close(
            opened(pictures()).logits, judge(pictures()).logits, atol=2e-2, rtol=0
        )
    assert opened.architecture.features == 16


def test_it_learns_a_style_and_reads_each_training_picture_once_for_its_lessons() -> None:
    stores = [Store(smooth=False), Store(smooth=True)]
    whole = [
        LabeledSubset(name, cast(Any, store), torch.arange(40), torch.full((40,), label))
        for label, (name, store) in enumerate(zip("ab", stores, strict=True))
    ]
    parts = [part.pick(torch.arange(30)) for part in whole]
    tests = [part.pick(torch.arange(30, 40)) for part in whole]
    config = JudgeConfig(
        "domain", ("a", "b"), size=SIZE, steps=60, batch=16, architecture="imagenet"
    )
    judge = train_judge(parts, tests, config)
    assert judge.card.accuracy["mean"]["test"] >= 0.95
    lessons = 27  # what is left of 30 once a tenth is held out
    measured = 27 + 3 + 10  # accuracies of the three splits
    assert [store.read for store in stores] == [lessons + measured] * 2


def test_the_form_of_its_pictures_is_that_of_its_size() -> None:
    assert ImagenetArchitecture.form(128) == TensorSpec("image", (3, 128, 128))


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_pictures_and_other_sizes_are_read(channels: int) -> None:
    judge = EvalClassifier(make_net(card()), card())
    with torch.no_grad():
        assert judge(torch.zeros(2, channels, 30, 70)).logits.shape == (2, 2)


def test_pictures_are_read_at_several_sizes_one_after_the_other() -> None:
    x = pictures()
    judge = EvalClassifier(make_net(card(sizes=[SIZE, 64])), card(sizes=[SIZE, 64]))
    first, second = judge.architecture.prepare(x).split(FEATURES, 1)
    torch.testing.assert_close(first, ImagenetArchitecture(card()).prepare(x))
    larger = torch.nn.functional.interpolate(x, (64, 64), mode="bilinear", antialias=True)
    torch.testing.assert_close(
        second,
        ImagenetArchitecture(card().model_copy(update={"size": 64})).prepare(larger),
        atol=1e-4,
        rtol=1e-4,
    )
    with torch.no_grad():
        assert judge(x).logits.shape == (3, 2)


@pytest.mark.parametrize("wrong", [[], [16], ["large"], 128, [64] * 5])
def test_sizes_that_cannot_be_read_are_refused(wrong: object) -> None:
    with pytest.raises(UsageError) as caught:
        make_net(card(sizes=wrong))
    assert "sizes" in (caught.value.asked or "")


def variants(x: Tensor, **arguments: Any) -> list[Tensor]:
    rng = torch.Generator().manual_seed(0)
    return list(ImagenetArchitecture(card(**arguments)).variants(x, Changes("domain"), rng))


def test_changed_copies_stand_beside_pictures_as_they_are() -> None:
    x = pictures()
    assert [torch.equal(each, x) for each in variants(x)] == [True]
    first, *copies = variants(x, copies=2)
    assert torch.equal(first, x)
    assert [copy.shape for copy in copies] == [x.shape] * 2
    assert not torch.equal(copies[0], x)
    assert not torch.equal(copies[0], copies[1])


@pytest.mark.parametrize("wrong", [{"copies": -1}, {"copies": "two"}, {"copy": 2}])
def test_a_wrong_argument_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        variants(pictures(), **wrong)
    assert next(iter(wrong)) in (caught.value.asked or "")


def test_copies_are_learnt_from_with_the_class_of_their_picture() -> None:
    stores = [Store(smooth=False), Store(smooth=True)]
    parts = [
        LabeledSubset(name, cast(Any, store), torch.arange(20), torch.full((20,), label))
        for label, (name, store) in enumerate(zip("ab", stores, strict=True))
    ]
    config = JudgeConfig(
        "domain",
        ("a", "b"),
        size=SIZE,
        steps=60,
        batch=16,
        architecture="imagenet",
        arguments={"copies": 1},
    )
    assert train_judge(parts, [], config).card.accuracy["mean"]["train"] >= 0.95
