"""How judges learn: the loop, batches, splits and the table of accuracies, by hand."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional as F

from zoo_core.errors import DataError, TrainingError, UsageError
from zoo_evaluate.examples import LabeledSubset
from zoo_evaluate.fit_classifier import fit_classifier
from zoo_evaluate.judge_card import JudgeCard
from zoo_evaluate.judge_train import (
    JudgeConfig,
    _Balanced,
    _channels_last,
    _lessons,
    _Rounds,
    _table,
    accuracy,
    divide,
    train_judge,
)
from zoo_nn.nets.judge_architecture import Changes

pytestmark = pytest.mark.numeric

CONFIG = JudgeConfig("domain", ("a", "b"))


class Memory:
    """A store of numbers 100, 101, ... as signals."""

    def __init__(self, count: int, first: int = 100) -> None:
        self.signals = torch.arange(first, first + count)[:, None].float()

    def batch(self, indices: list[int], rng: object = None) -> Tensor:
        return self.signals[indices]


def a_part(domain: str, count: int, label: int = 0, first: int = 100) -> LabeledSubset:
    labels = torch.full((count,), label)
    return LabeledSubset(domain, Memory(count, first), torch.arange(count), labels)  # type: ignore[arg-type]


class Plain:
    """An architecture that leaves signals as they are, and adds their negatives as variants."""

    whole, once = False, False

    def prepare(self, signals: Tensor) -> list[Tensor]:
        return list(signals)

    def variants(self, signals: Tensor, changes: Changes, rng: torch.Generator) -> list[Tensor]:
        return [signals, -signals]

    def inputs(self, prepared: list[Tensor]) -> tuple[Tensor, ...]:
        return (torch.stack(list(prepared)),)


@pytest.mark.parametrize("steps", [2, 6])
def test_a_net_learns_by_adamw_over_one_cycle_with_smoothed_labels(steps: int) -> None:
    torch.manual_seed(0)
    net, own = nn.Linear(2, 3), nn.Linear(2, 3)
    own.load_state_dict(net.state_dict())
    x, labels = torch.randn(5, 2), torch.tensor([0, 2, 1, 1, 0])
    told: list[tuple[int, float, float]] = []
    fit_classifier(
        net,
        lambda: (net(x), labels),
        steps=steps,
        lr=0.3,
        asked="net",
        on_progress=lambda *values: told.append(values),
    )
    adam = torch.optim.AdamW(own.parameters(), lr=0.3, weight_decay=0.02)
    cycle = torch.optim.lr_scheduler.OneCycleLR(adam, 0.3, total_steps=steps, pct_start=0.2)
    for step in range(steps):
        logits = own(x)
        spread = F.one_hot(labels, 3) * 0.95 + 0.05 / 3
        loss = -(spread * logits.log_softmax(1)).sum(1).mean()
        assert told[step] == pytest.approx(
            (step + 1, loss.item(), int((logits.argmax(1) == labels).sum()) / 5), rel=1e-5
        )
        adam.zero_grad()
        loss.backward()
        adam.step()
        cycle.step()
    torch.testing.assert_close(net.weight, own.weight)
    torch.testing.assert_close(net.bias, own.bias)


@pytest.mark.parametrize("steps", [1, 2])
def test_a_net_may_learn_in_a_single_step_and_then_reads(steps: int) -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
    net.eval()
    modes: list[bool] = []

    def read() -> tuple[Tensor, Tensor]:
        modes.append(net.training)
        return net(torch.ones(2, 2)), torch.tensor([0, 1])

    fit_classifier(net, read, steps=steps, lr=0.1, asked="net")
    assert modes == [True] * steps
    assert not net.training


def test_a_loss_that_is_no_number_ends_the_lessons() -> None:
    net = nn.Linear(1, 2)
    with pytest.raises(TrainingError) as caught:
        fit_classifier(
            net,
            lambda: (net(torch.full((1, 1), float("inf"))), torch.tensor([0])),
            steps=3,
            lr=0.1,
            asked="domain judge",
        )
    assert caught.value.asked == "domain judge"
    assert "step 1" in caught.value.problem


def test_batches_have_an_equal_share_of_each_domain_with_its_label() -> None:
    parts = [a_part("a", 3, 0, first=100), a_part("b", 50, 1, first=500)]
    config = JudgeConfig("domain", ("a", "b"), batch=9)
    lessons = _Balanced(parts, Plain(), config, torch.Generator().manual_seed(0))  # type: ignore[arg-type]
    (signals,), labels = lessons.draw()
    assert labels.tolist() == [0] * 4 + [1] * 4
    assert [int(value) // 100 for value in signals] == [1] * 4 + [5] * 4
    config = JudgeConfig("domain", ("a", "b"), batch=1)
    lessons = _Balanced(parts, Plain(), config, torch.Generator())  # type: ignore[arg-type]
    assert len(lessons.draw()[1]) == 2  # one of each at least


@pytest.mark.parametrize(("batch", "drawn"), [(6, 1), (4, 3), (3, 2), (15, 2)])
def test_every_variant_is_read_once_per_round(batch: int, drawn: int) -> None:
    parts = [a_part("a", 2, 0), a_part("b", 1, 1, first=500)]
    config = JudgeConfig("domain", ("a", "b"), batch=batch)
    rng = torch.Generator().manual_seed(0)
    rounds = _Rounds(parts, Plain(), config, Changes("domain"), rng)  # type: ignore[arg-type]
    seen: list[float] = []
    for _ in range(drawn):
        (signals,), labels = rounds.draw()
        assert len(labels) == batch
        assert labels.tolist() == [int(abs(value) >= 500) for value in signals[:, 0]]
        seen += signals[:, 0].tolist()
    everything = sorted([100.0, -100.0, 101.0, -101.0, 500.0, -500.0])
    for start in range(0, len(seen) - 5, 6):
        assert sorted(seen[start : start + 6]) == everything


@pytest.mark.parametrize(
    ("whole", "once", "kind"),
    [(False, False, _Balanced), (True, False, _Rounds), (False, True, _Rounds)],
)
def test_what_is_costly_to_prepare_is_prepared_once(whole: bool, once: bool, kind: type) -> None:
    class Costly(Plain):
        pass

    Costly.whole, Costly.once = whole, once
    part = SimpleNamespace(batches=lambda size, whole: iter([(torch.zeros(1, 1), torch.zeros(1))]))
    made = _lessons([part], Costly(), CONFIG, Changes("domain"), torch.Generator())  # type: ignore[arg-type, list-item]
    assert type(made) is kind


def test_a_part_is_held_out_of_every_domain() -> None:
    parts = [a_part("a", 20), a_part("b", 2)]
    seen, held = divide(parts, JudgeConfig("domain", ("a", "b"), validation=0.25, seed=3))
    assert [len(part) for part in seen] == [15, 1]
    assert [len(part) for part in held] == [5, 1]
    order = torch.randperm(20, generator=torch.Generator().manual_seed(3))
    assert held[0].indices.tolist() == order[15:].tolist()
    rng = torch.Generator().manual_seed(4)
    other = divide(parts, JudgeConfig("domain", ("a", "b"), validation=0.25, seed=3), rng)
    assert other[1][0].indices.tolist() != held[0].indices.tolist()


def test_a_domain_of_one_signal_cannot_be_divided() -> None:
    with pytest.raises(DataError) as caught:
        divide([a_part("a", 1)], CONFIG)
    assert caught.value.asked == "domain a"
    assert "has 1 training" in caught.value.problem


def a_judge() -> object:
    """Says class 1 of signals from 103 on."""

    def said(signals: Tensor) -> SimpleNamespace:
        large = (signals[:, 0] >= 103).float()
        return SimpleNamespace(logits=torch.stack([1 - large, large], 1))

    return type("Judge", (), {"__call__": lambda self, x: said(x), "architecture": Plain()})()


@pytest.mark.parametrize(
    ("limit", "batch", "share"), [(None, 256, 0.6), (None, 2, 0.6), (4, 3, 0.75), (3, 2, 1.0)]
)
def test_accuracy_is_the_share_of_the_first_signals_that_are_named_rightly(
    limit: int | None, batch: int, share: float
) -> None:
    found = accuracy(a_judge(), a_part("a", 5), limit=limit, batch=batch)  # type: ignore[arg-type]
    assert found == pytest.approx(share)


def test_accuracy_of_one_or_no_signals() -> None:
    assert accuracy(a_judge(), a_part("a", 1)) == 1  # type: ignore[arg-type]
    assert accuracy(a_judge(), a_part("a", 0)) == 0  # type: ignore[arg-type]


def test_the_table_has_every_domain_and_their_mean_by_split() -> None:
    table = _table({"train": {"a": 0.123456, "b": 1.0}, "val": {"a": 0.5}, "test": {}})
    assert table == {
        "a": {"train": 0.1235, "val": 0.5},
        "b": {"train": 1.0},
        "mean": {"train": 0.5617, "val": 0.5},
    }


WIDE = {"task": "content", "augmentation": "wide", "steps": 1}


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        (WIDE | {"scales": (0.0, 1.0)}, "scales 0 to 1"),
        (WIDE | {"scales": (1.2, 1.1)}, "scales 1.2 to 1.1"),
        ({"scales": (0.6, 1.3)}, "scales 0.6 to 1.3"),
        ({"classes": ("a",)}, "domain judge"),
        ({"augmentation": "wide"}, "wide augmentation of a domain judge"),
        (WIDE | {"augmentation": "degraded"}, "degraded augmentation of a content judge"),
    ],
)
def test_a_judge_that_cannot_be_trained_is_refused(options: dict[str, object], asked: str) -> None:
    config = JudgeConfig(**{"task": "domain", "classes": ("a", "b")} | options)  # type: ignore[arg-type]
    with pytest.raises((UsageError, DataError)) as caught:
        train_judge([a_part("a", 4)], (), config)
    assert caught.value.asked == asked


def test_rounds_follow_their_own_generator_alone() -> None:
    def drawn(seed: int) -> list[float]:
        torch.manual_seed(seed)
        config = JudgeConfig("domain", ("a", "b"), batch=8)
        rng = torch.Generator().manual_seed(0)
        rounds = _Rounds([a_part("a", 9)], Plain(), config, Changes("domain"), rng)  # type: ignore[arg-type]
        return [x for _ in range(4) for x in rounds.draw()[0][0][:, 0].tolist()]

    assert drawn(1) == drawn(2)


def test_accuracy_of_whole_signals_is_asked_of_whole_ones() -> None:
    asked = []

    def batches(size: int, limit: int | None, *, whole: bool = False) -> object:
        asked.append(whole)
        return iter(())

    judge = SimpleNamespace(architecture=SimpleNamespace(whole=True))
    accuracy(judge, SimpleNamespace(batches=batches))  # type: ignore[arg-type]
    assert asked == [True]


def test_a_split_without_signals_leaves_the_others_in_the_table() -> None:
    assert _table({"val": {}, "test": {"a": 1.0}}) == {"a": {"test": 1.0}, "mean": {"test": 1.0}}


def test_only_pictures_have_the_layout_in_which_pictures_are_trained() -> None:
    pictures, speech = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 5)
    found = _channels_last(pictures)
    assert torch.equal(found, pictures)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert _channels_last(speech) is speech


def test_a_card_is_not_changed_once_it_is_made() -> None:
    card = JudgeCard(task="content", classes=("cat", "dog"), domains=("a",), size=16)
    with pytest.raises(ValidationError):
        card.steps = 7


def test_a_judge_learns_for_1500_steps_of_128_signals_unless_it_is_told_otherwise() -> None:
    config = JudgeConfig("domain", ("a", "b"))
    assert (config.steps, config.batch, config.validation) == (1500, 128, 0.1)
    assert (config.measure, config.seed, config.augmentation) == (2000, 0, "plain")


def test_a_card_is_named_by_twelve_digits_of_its_hash() -> None:
    plain = {"task": "content", "classes": ("cat", "dog"), "domains": ("a",), "size": 16}
    assert JudgeCard(**plain, sha256="0123456789abcdef" * 4).short_hash == "0123456789ab"


@pytest.mark.parametrize(
    ("signal", "augmentation", "refused"),
    [
        ("speech", "degraded", True),
        ("image", "degraded", False),
        ("speech", "plain", False),
        ("image", "plain", False),
    ],
)
def test_only_pictures_are_degraded(
    signal: str, augmentation: str, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def architecture(_: str) -> SimpleNamespace:
        return SimpleNamespace(signal=signal, size=8, widths=(4,), rate=1e-3)

    monkeypatch.setattr("zoo_evaluate.judge_config.architecture_class", architecture)
    config = JudgeConfig("domain", ("a", "b"), augmentation=augmentation, architecture="ear")  # type: ignore[arg-type]
    with pytest.raises(UsageError) if refused else nullcontext() as caught:
        config.check()
    if refused:
        assert caught.value.asked == "degraded augmentation of a judge of architecture ear"
