"""Training of judges on real signals of any kind; the architecture knows how they are read.

The training split is divided into training and validation signals; the test split is only
measured on, once, at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from zoo_core.errors import DataError
from zoo_evaluate.examples import LabeledSubset
from zoo_evaluate.fit_classifier import StepCallback, fit_classifier
from zoo_evaluate.judge import EvalClassifier, rounded
from zoo_evaluate.judge_card import JudgeCard
from zoo_evaluate.judge_config import JudgeConfig
from zoo_nn.nets.judge_architecture import (
    Changes,
    JudgeArchitecture,
    architecture_class,
    architecture_of,
)

__all__ = ["JudgeConfig", "accuracy", "divide", "train_judge"]
_AT_ONCE = 64
"""Signals that are prepared at once."""


def train_judge(
    train: Sequence[LabeledSubset],
    test: Sequence[LabeledSubset],
    config: JudgeConfig,
    *,
    held: Sequence[LabeledSubset] | None = None,
    data: Mapping[str, str] | None = None,
    on_progress: StepCallback | None = None,
) -> EvalClassifier:
    """Trains a judge and measures it.

    Args:
        train: Real training signals, a part per domain.
        test: Real test signals, a part per domain, never trained on; may be empty.
        config: How to train.
        held: Real validation signals; None: they are taken from ``train``.
        data: The training data of each domain, in words, for the card.
        on_progress: Called after each step with its number (from 1), loss and batch accuracy.

    Raises:
        DataError: If a domain has too few signals, or there are fewer than two classes.
        TrainingError: If the loss becomes non-finite.
        UsageError: If there is no such architecture, the augmentation does not fit the task, or
            the scales are no range or are given to plain augmentation.
    """
    config.check()
    cls = architecture_class(config.architecture)
    rng = torch.Generator().manual_seed(config.seed)
    seen = train
    if held is None:
        seen, held = divide(train, config, rng)
    card = JudgeCard(
        task=config.task,
        classes=config.classes,
        domains=tuple(part.domain for part in train),
        size=cls.size if config.size is None else config.size,
        architecture=config.architecture,
        arguments=dict(config.arguments),
        augmentation=config.augmentation,
        scales=config.scales if config.augmentation == "wide" else None,
        widths=config.widths or cls.widths,
        steps=config.steps,
        batch=config.batch,
        seed=config.seed,
        data=dict(data or {}),
    )
    architecture = architecture_of(card)
    wide, degraded = (config.augmentation == name for name in ("wide", "degraded"))
    changes = Changes(config.task, wide, config.scales, degraded)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        net = architecture.make_net().to(config.device).to(memory_format=torch.channels_last)
        lessons = _lessons(seen, architecture, config, changes, rng)

        def read() -> tuple[Tensor, Tensor]:
            inputs, labels = lessons.draw()
            inputs = architecture.augment(inputs, changes, rng)
            logits = net(*(_channels_last(x.to(config.device)) for x in inputs)).logits  # (N, K)
            return logits, labels

        fit_classifier(
            net,
            read,
            steps=config.steps,
            lr=cls.rate if config.lr is None else config.lr,
            asked=f"{config.task} judge",
            on_progress=on_progress,
        )
    rounded(net)
    widths = architecture.recorded_widths(net)
    parameters = sum(p.numel() for p in net.parameters())
    card = card.model_copy(update={"widths": widths, "parameters": parameters})
    judge = EvalClassifier(net, card)
    splits = {"train": seen, "val": held, "test": test}
    limits = {"train": config.measure, "val": None, "test": None}
    judge.card = card.model_copy(
        update={
            "accuracy": _table(
                {
                    split: {p.domain: accuracy(judge, p, limit=limits[split]) for p in parts}
                    for split, parts in splits.items()
                }
            )
        }
    )
    return judge


@torch.inference_mode()
def accuracy(
    judge: EvalClassifier, part: LabeledSubset, *, limit: int | None = None, batch: int = 256
) -> float:
    """Share of a part's signals (at most ``limit``) that the judge classifies rightly, 0 to 1."""
    right = total = 0
    for signals, labels in part.batches(batch, limit, whole=judge.architecture.whole):
        said = judge(signals).logits.argmax(1).cpu()  # (N,)
        right += int((said == labels).sum())
        total += len(labels)
    return right / max(1, total)


def divide(
    train: Sequence[LabeledSubset], config: JudgeConfig, rng: torch.Generator | None = None
) -> tuple[list[LabeledSubset], list[LabeledSubset]]:
    """The signals that a judge learns from, and those that are held out for validation.

    Args:
        train: Real training signals, a part per domain.
        config: How the judge is trained.
        rng: Generator of the split; None: as a training by ``config`` starts.

    Raises:
        DataError: If a domain has fewer than two signals.
    """
    rng = rng or torch.Generator().manual_seed(config.seed)
    seen, held = [], []
    for part in train:
        if len(part) < 2:
            raise DataError(
                f"it has {len(part)} training signals; at least 2 are needed",
                asked=f"domain {part.domain}",
            )
        kept, out = part.split(config.validation, rng)
        seen.append(kept)
        held.append(out)
    return seen, held


class _Lessons(Protocol):
    """Where batches to learn from come from."""

    def draw(self) -> tuple[tuple[Tensor, ...], Tensor]:
        """The net's inputs, (N, ...) each, and class numbers (N,)."""
        ...


class _Balanced:
    """Batches with an equal share of each domain, drawn with replacement from the stores."""

    def __init__(
        self,
        parts: Sequence[LabeledSubset],
        architecture: JudgeArchitecture,
        config: JudgeConfig,
        rng: torch.Generator,
    ) -> None:
        self._parts, self._architecture, self._rng = parts, architecture, rng
        self._share, self._device = max(1, config.batch // len(parts)), config.device

    def draw(self) -> tuple[tuple[Tensor, ...], Tensor]:
        """See `_Lessons`."""
        drawn = [part.draw(self._share, self._rng) for part in self._parts]
        signals = torch.cat([signals for signals, _ in drawn]).to(self._device)  # (N, *S)
        labels = torch.cat([labels for _, labels in drawn]).to(self._device)  # (N,)
        return self._architecture.inputs(self._architecture.prepare(signals)), labels


class _Rounds:
    """Signals that are prepared once and kept; each of their variants is read once per round."""

    def __init__(
        self,
        parts: Sequence[LabeledSubset],
        architecture: JudgeArchitecture,
        config: JudgeConfig,
        changes: Changes,
        rng: torch.Generator,
    ) -> None:
        self._architecture, self._rng = architecture, rng
        self._batch, self._device = config.batch, config.device
        self._prepared: list[Tensor] = []
        all_labels: list[Tensor] = []
        for part in parts:
            for signals, labels in part.batches(_AT_ONCE, whole=architecture.whole):
                for variant in architecture.variants(signals, changes, rng):
                    self._prepared += architecture.prepare(variant)
                    all_labels.append(labels)
        self._labels = torch.cat(all_labels)  # (M,)
        self._order = torch.randperm(len(self._prepared), generator=rng)  # (M,)

    def draw(self) -> tuple[tuple[Tensor, ...], Tensor]:
        """See `_Lessons`."""
        while len(self._order) < self._batch:
            more = torch.randperm(len(self._prepared), generator=self._rng)  # (M,)
            self._order = torch.cat([self._order, more])
        at, self._order = self._order.split([self._batch, len(self._order) - self._batch])
        inputs = self._architecture.inputs([self._prepared[i] for i in at.tolist()])
        return inputs, self._labels[at].to(self._device)


def _lessons(
    parts: Sequence[LabeledSubset],
    architecture: JudgeArchitecture,
    config: JudgeConfig,
    changes: Changes,
    rng: torch.Generator,
) -> _Lessons:
    if architecture.whole or architecture.once:
        return _Rounds(parts, architecture, config, changes, rng)
    return _Balanced(parts, architecture, config, rng)


def _channels_last(x: Tensor) -> Tensor:
    """The same, in the layout in which nets of pictures are trained."""
    return x.to(memory_format=torch.channels_last) if x.dim() == 4 else x


def _table(by_split: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Accuracies by domain and split, with the mean over the domains."""
    table: dict[str, dict[str, float]] = {}
    for split, values in by_split.items():
        if not values:
            continue
        for domain, value in values.items():
            table.setdefault(domain, {})[split] = round(value, 4)
        table.setdefault("mean", {})[split] = round(sum(values.values()) / len(values), 4)
    return table
