"""Judges that begin at ImageNet's weights."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from zoo_core.errors import WeightsError
from zoo_embedding import imagenet as module
from zoo_evaluate.judge import EvalClassifier
from zoo_evaluate.judge_card import JudgeCard
from zoo_nn.nets.classifier import make_net
from zoo_nn.nets.judge_architecture import architecture_of


def card() -> JudgeCard:
    return JudgeCard(
        task="domain",
        classes=("a", "b", "c"),
        domains=("a", "b", "c"),
        size=64,
        architecture="imagenet",
    )


def test_it_begins_at_imagenets_weights_with_a_classifier_of_its_own() -> None:
    net = make_net(card())
    taught = module.imagenet().net.state_dict()
    for name, value in net.net.state_dict().items():
        if name.startswith("classifier."):
            assert (value.shape[0], float(value.abs().max())) == (3, 0)
        else:
            torch.testing.assert_close(value, taught[name], atol=0, rtol=0)
    assert all(parameter.requires_grad for parameter in net.parameters())


def test_its_default_rate_is_one_for_weights_that_have_learnt() -> None:
    assert (
        architecture_of(card()).rate
        < architecture_of(card().model_copy(update={"architecture": "judge"})).rate
    )


def test_a_trained_judge_opens_where_imagenets_weights_are_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = EvalClassifier(make_net(card()), card()).save(tmp_path)

    def absent() -> None:
        raise WeightsError("absent", asked="imagenet")

    monkeypatch.setattr("zoo_embedding.judge.imagenet", absent)
    x = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1
    opened = EvalClassifier.load(tmp_path)
    with torch.no_grad():
        logits = opened(x).logits  # (2, 3)
        torch.testing.assert_close(logits, judge(x).logits, atol=2e-2, rtol=0)
    assert opened.architecture.features == opened(x).features.shape[1]
    with pytest.raises(WeightsError, match=re.escape("absent")):
        make_net(card())
