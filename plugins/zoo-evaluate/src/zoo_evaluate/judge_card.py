"""What is known of a judge without its weights. Importing this module imports no torch."""

from __future__ import annotations

from typing import Literal

import yaml
from pydantic import ConfigDict, Field

from zoo_nn.nets.classifier_card import SCALES, ClassifierCard, Task

Augmentation = Literal["plain", "wide", "degraded"]
__all__ = ["SCALES", "Augmentation", "JudgeCard", "Task"]


class JudgeCard(ClassifierCard):
    """A judge's ``judge.yaml``: the net's card, and how it was trained.

    Attributes:
        task: ``domain`` (which domain is this?) or ``content`` (what does it show?).
        domains: Domains whose real training signals it learned from.
        augmentation: Random changes of the training signals, as its architecture knows them.
        scales: Smallest and largest scale of ``wide`` changes; None of others.
        steps: Steps of training.
        batch: Signals per step.
        seed: Seed of the split, the net and the augmentation.
        data: The training data of each domain, in words.
        accuracy: Real accuracy, 0 to 1, by domain (and ``mean``) and split (train, val, test).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: Task
    domains: tuple[str, ...]
    augmentation: Augmentation = "plain"
    scales: tuple[float, float] | None = None
    steps: int = 0
    batch: int = 0
    seed: int = 0
    data: dict[str, str] = Field(default_factory=dict)
    accuracy: dict[str, dict[str, float]] = Field(default_factory=dict)

    @property
    def short_hash(self) -> str:
        """The first 12 digits of `sha256`, by which the cells of benchmarks name a judge."""
        return self.sha256[:12]

    def to_yaml(self) -> str:
        """The text of ``judge.yaml``."""
        text: str = yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, width=100)
        return text
