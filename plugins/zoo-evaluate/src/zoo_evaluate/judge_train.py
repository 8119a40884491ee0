"""Training of judges on real pictures.

The training split is divided into training and validation pictures; the test split is only
measured on, once, at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from zoo_core.errors import DataError, UsageError
from zoo_evaluate.augment import augment, widely
from zoo_evaluate.examples import LabeledSubset
from zoo_evaluate.fit_classifier import StepCallback, fit_classifier
from zoo_evaluate.judge import EvalClassifier, rounded
from zoo_evaluate.judge_card import SCALES, Augmentation, JudgeCard, Task
from zoo_nn.nets.classifier import WIDTHS, TimmNet, fit, make_net
from zoo_nn.nets.classifier_card import OWN


@dataclass(frozen=True)
class JudgeConfig:
    """How a judge is trained.

    Attributes:
        task: ``domain`` or ``content``.
        classes: Names of the classes.
        size: Side of the pictures in pixels.
        steps: Optimiser steps (AdamW, one cycle).
        batch: Pictures per step, shared equally among the domains.
        lr: Largest learning rate of the cycle.
        validation: Share of the training split that is held out for validation.
        measure: Most training pictures per domain on which the training accuracy is measured.
        seed: Seed of the split, the net and the augmentation.
        device: Where to train.
        architecture: ``judge`` for the zoo's own net, ``timm:NAME`` for one of timm.
        arguments: What `timm.create_model` is given besides.
        augmentation: ``plain``; or ``wide``, for judges that shall read other domains as well.
        scales: Smallest and largest scale of ``wide``.
        widths: Channels of the own net's stages.
    """

    task: Task
    classes: tuple[str, ...]
    size: int = 32
    steps: int = 1500
    batch: int = 128
    lr: float = 4e-3
    validation: float = 0.1
    measure: int = 2000
    seed: int = 0
    device: str = "cpu"
    architecture: str = OWN
    arguments: Mapping[str, Any] = field(default_factory=dict)
    augmentation: Augmentation = "plain"
    scales: tuple[float, float] = SCALES
    widths: tuple[int, ...] = WIDTHS


def train_judge(
    train: Sequence[LabeledSubset],
    test: Sequence[LabeledSubset],
    config: JudgeConfig,
    *,
    data: Mapping[str, str] | None = None,
    on_progress: StepCallback | None = None,
) -> EvalClassifier:
    """Trains a judge and measures it.

    Args:
        train: Real training pictures, a part per domain; validation pictures are taken from them.
        test: Real test pictures, a part per domain, never trained on; may be empty.
        config: How to train.
        data: The training data of each domain, in words, for the card.
        on_progress: Called after each step with its number (from 1), loss and batch accuracy.

    Raises:
        DataError: If a domain has too few pictures, or there are fewer than two classes.
        TrainingError: If the loss becomes non-finite.
        UsageError: If there is no such architecture, the augmentation does not fit the task, or
            the scales are no range or are given to plain augmentation.
    """
    least, most = config.scales
    if not 0 < least <= most:
        raise UsageError(
            "the smallest scale comes first, and both are above 0",
            asked=f"scales {least:g} to {most:g}",
            hint="Give them as 0.6 1.3, say.",
        )
    if config.augmentation != "wide" and config.scales != SCALES:
        raise UsageError(
            "plain augmentation has no scales to choose",
            asked=f"scales {least:g} to {most:g}",
            hint="Ask for wide augmentation, or leave the scales out.",
        )
    if len(config.classes) < 2:
        raise DataError("there are fewer than two classes", asked=f"{config.task} judge")
    if config.augmentation == "wide" and config.task == "domain":
        raise UsageError(
            "it changes the colours and textures by which domains differ",
            asked="wide augmentation of a domain judge",
            hint="Use plain augmentation.",
        )
    rng = torch.Generator().manual_seed(config.seed)
    seen, held = divide(train, config, rng)
    card = JudgeCard(
        task=config.task,
        classes=config.classes,
        domains=tuple(part.domain for part in train),
        size=config.size,
        architecture=config.architecture,
        arguments=dict(config.arguments),
        augmentation=config.augmentation,
        scales=config.scales if config.augmentation == "wide" else None,
        widths=config.widths,
        steps=config.steps,
        batch=config.batch,
        seed=config.seed,
        data=dict(data or {}),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        net = make_net(card).to(config.device).to(memory_format=torch.channels_last)

        def read() -> tuple[Tensor, Tensor]:
            pictures, labels = _draw(seen, config, rng)
            opinion = net(pictures.to(memory_format=torch.channels_last))
            return opinion.logits, labels  # (N, K), (N,)

        asked = f"{config.task} judge"
        fit_classifier(
            net, read, steps=config.steps, lr=config.lr, asked=asked, on_progress=on_progress
        )
    rounded(net)
    widths = (int(net.net.num_features),) if isinstance(net, TimmNet) else config.widths
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
    """Share of a part's pictures (at most ``limit``) that the judge classifies rightly, 0 to 1."""
    device = next(judge.parameters()).device
    right = total = 0
    for pictures, labels in part.batches(batch, limit):
        said = judge(pictures.to(device)).logits.argmax(1).cpu()  # (N,)
        right += int((said == labels).sum())
        total += len(labels)
    return right / max(1, total)


def divide(
    train: Sequence[LabeledSubset], config: JudgeConfig, rng: torch.Generator | None = None
) -> tuple[list[LabeledSubset], list[LabeledSubset]]:
    """The pictures that a judge learns from, and those that are held out for validation.

    Args:
        train: Real training pictures, a part per domain.
        config: How the judge is trained.
        rng: Generator of the split; None: as a training by ``config`` starts.

    Raises:
        DataError: If a domain has fewer than two pictures.
    """
    rng = rng or torch.Generator().manual_seed(config.seed)
    seen, held = [], []
    for part in train:
        if len(part) < 2:
            raise DataError(
                f"it has {len(part)} training pictures; at least 2 are needed",
                asked=f"domain {part.domain}",
            )
        kept, out = part.split(config.validation, rng)
        seen.append(kept)
        held.append(out)
    return seen, held


def _draw(
    parts: Sequence[LabeledSubset], config: JudgeConfig, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """A batch with an equal share of each part: pictures (N, 3, S, S), labels (N,)."""
    share = max(1, config.batch // len(parts))
    drawn = [part.draw(share, rng) for part in parts]
    pictures = torch.cat([pictures for pictures, _ in drawn]).to(config.device)  # (N, C, H, W)
    labels = torch.cat([labels for _, labels in drawn]).to(config.device)  # (N,)
    pictures = fit(pictures, config.size)  # (N, 3, S, S)
    if config.augmentation == "wide":
        return widely(pictures, rng, config.scales), labels
    return augment(pictures, config.task, rng), labels


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
