"""How a judge is trained, and what cannot be asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo_core.errors import DataError, UsageError
from zoo_evaluate.judge_card import SCALES, Augmentation, Task
from zoo_nn.nets.classifier_card import OWN
from zoo_nn.nets.judge_architecture import architecture_class


@dataclass(frozen=True)
class JudgeConfig:
    """How a judge is trained.

    Attributes:
        task: ``domain`` or ``content``.
        classes: Names of the classes.
        size: Size of the signals; None: the architecture's.
        steps: Optimiser steps (AdamW, one cycle).
        batch: Signals per step, shared equally among the domains; of signals that are prepared
            once, each is read once per round instead.
        lr: Largest learning rate of the cycle; None: the architecture's.
        validation: Share of the training split that is held out for validation.
        measure: Most training signals per domain on which the training accuracy is measured.
        seed: Seed of the split, the net and the augmentation.
        device: Where to train.
        architecture: Name of a component of kind ``judge-architecture``, with its ``:REST``.
        arguments: What the architecture is given besides.
        augmentation: ``plain``; ``wide``, for judges that shall read other domains as well; or
            ``degraded``, for judges of domains that no blur and no loss of contrast shall deceive.
        scales: Smallest and largest scale of ``wide``.
        widths: Channels of the net's stages; empty: the architecture's.
    """

    task: Task
    classes: tuple[str, ...]
    size: int | None = None
    steps: int = 1500
    batch: int = 128
    lr: float | None = None
    validation: float = 0.1
    measure: int = 2000
    seed: int = 0
    device: str = "cpu"
    architecture: str = OWN
    arguments: Mapping[str, Any] = field(default_factory=dict)
    augmentation: Augmentation = "plain"
    scales: tuple[float, float] = SCALES
    widths: tuple[int, ...] = ()

    def check(self) -> None:
        """Refuses what does not fit together.

        Raises:
            DataError: If there are fewer than two classes.
            UsageError: If the augmentation does not fit the task or the kind of signal, or the
                scales are no range or are given to another augmentation than ``wide``.
        """
        least, most = self.scales
        if not 0 < least <= most:
            raise UsageError(
                "the smallest scale comes first, and both are above 0",
                asked=f"scales {least:g} to {most:g}",
                hint="Give them as 0.6 1.3, say.",
            )
        if self.augmentation != "wide" and self.scales != SCALES:
            raise UsageError(
                f"{self.augmentation} augmentation has no scales to choose",
                asked=f"scales {least:g} to {most:g}",
                hint="Ask for wide augmentation, or leave the scales out.",
            )
        if len(self.classes) < 2:
            raise DataError("there are fewer than two classes", asked=f"{self.task} judge")
        if self.augmentation == "wide" and self.task == "domain":
            raise UsageError(
                "it changes the colours and textures by which domains differ",
                asked="wide augmentation of a domain judge",
                hint="Use plain or degraded augmentation.",
            )
        if self.augmentation == "degraded" and self.task == "content":
            raise UsageError(
                "it is there for judges of domains, which must not go by sharpness alone",
                asked="degraded augmentation of a content judge",
                hint="Use plain augmentation.",
            )
        if (
            self.augmentation == "degraded"
            and architecture_class(self.architecture).signal != "image"
        ):
            raise UsageError(
                "it is known of pictures alone",
                asked=f"degraded augmentation of a judge of architecture {self.architecture}",
                hint="Use plain augmentation.",
            )
