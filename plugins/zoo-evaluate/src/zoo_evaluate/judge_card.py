"""What is known of a judge without its weights. Importing this module imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from zoo_core.errors import DataError

WEIGHTS = "judge.safetensors"
CARD = "judge.yaml"
OWN = "judge"
"""Name of the zoo's own architecture."""

Task = Literal["domain", "content"]
Augmentation = Literal["plain", "wide"]
SCALES = (0.86, 1.57)
"""Smallest and largest scale of ``wide`` changes: of drawings that have a margin."""


class JudgeCard(BaseModel):
    """A judge's ``judge.yaml``.

    Attributes:
        format: Version of this form.
        task: ``domain`` (which domain is this?) or ``content`` (what does it show?).
        classes: Names of the classes, in the order of the logits.
        domains: Domains whose real training pictures it learned from.
        size: Side of the square pictures that it reads, in pixels; others are resized to it.
        architecture: ``judge`` for the zoo's own net, ``timm:NAME`` for one of timm.
        arguments: What `timm.create_model` is given besides, for a net of timm.
        augmentation: Random changes of the training pictures; see `zoo_evaluate.augment`.
        scales: Smallest and largest scale of ``wide`` changes; None of others.
        widths: Channels of the net's stages; the last is the number of its features.
        steps: Steps of training.
        batch: Pictures per step.
        seed: Seed of the split, the net and the augmentation.
        data: The training data of each domain, in words.
        accuracy: Real accuracy, 0 to 1, by domain (and ``mean``) and split (train, val, test).
        parameters: Number of the net's parameters.
        bytes: Size of ``judge.safetensors``.
        sha256: Hash of ``judge.safetensors``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    task: Task
    classes: tuple[str, ...]
    domains: tuple[str, ...]
    size: int
    architecture: str = OWN
    arguments: dict[str, Any] = {}
    augmentation: Augmentation = "plain"
    scales: tuple[float, float] | None = None
    widths: tuple[int, ...] = ()
    steps: int = 0
    batch: int = 0
    seed: int = 0
    data: dict[str, str] = {}
    accuracy: dict[str, dict[str, float]] = {}
    parameters: int = 0
    bytes: int = 0
    sha256: str = ""

    def to_yaml(self) -> str:
        """The text of ``judge.yaml``."""
        text: str = yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, width=100)
        return text

    @classmethod
    def read(cls, directory: Path) -> JudgeCard:
        """Reads the card of a judge directory.

        Raises:
            DataError: If the directory is no judge directory or its card is damaged.
        """
        path = directory / CARD
        if not path.is_file():
            raise DataError(
                f"it has no {CARD}, so it is no judge directory",
                asked=f"judge {directory}",
                hint="Train one with zoo judge train --out DIR.",
            )
        try:
            return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (ValidationError, yaml.YAMLError, UnicodeDecodeError) as error:
            problem = str(error).replace("\n", " ").strip()
            raise DataError(
                f"its card cannot be read: {problem}",
                asked=f"judge {directory}",
                hint="Train the judge again, or restore the file.",
            ) from error
