"""Judges: small classifiers of real pictures that say what a translation looks like.

A *domain judge* says which domain a picture belongs to, a *content judge* what it shows. A judge
directory holds ``judge.safetensors`` (float16) and ``judge.yaml`` (`JudgeCard`).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import ClassVar

import torch
from safetensors.torch import save
from torch import Tensor, nn

from zoo_core.files import replacing
from zoo_evaluate.judge_card import JudgeCard
from zoo_nn.nets.classifier import Classifier
from zoo_nn.nets.classifier_card import CARD, WEIGHTS, ClassifierCard


class EvalClassifier(Classifier):
    """A trained judge.

    Args:
        net: The classifier.
        card: What is known of it.
    """

    Card: ClassVar[type[ClassifierCard]] = JudgeCard
    card: JudgeCard

    def __init__(self, net: nn.Module, card: JudgeCard) -> None:
        super().__init__(net, card)

    def positions(self, labels: Tensor) -> Tensor:
        """(N,) positions among the logits of class numbers (N,).

        They differ where the classes are named by their numbers and stand in another order.
        """
        names = self.card.classes
        numbers = [str(number) for number in range(len(names))]
        if sorted(names) != sorted(numbers):
            return labels
        return torch.tensor([names.index(number) for number in numbers])[labels]

    def save(self, directory: Path) -> EvalClassifier:
        """Writes the judge directory; returns the judge with hash and size in its card."""
        data = save({k: _half(v).contiguous() for k, v in self.net.state_dict().items()})
        self.card = self.card.model_copy(
            update={"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        )
        _write(directory / WEIGHTS, data)
        _write(directory / CARD, self.card.to_yaml().encode())
        return self


def rounded(net: nn.Module) -> None:
    """Rounds the weights to float16 in place, so that accuracies are those of the saved file."""
    for value in net.state_dict().values():
        value.copy_(_half(value))


def _half(value: Tensor) -> Tensor:
    return value.half() if value.is_floating_point() else value


def _write(path: Path, data: bytes) -> None:
    """Writes a file atomically, and its folder: a reader sees the old or the new one."""
    with replacing(path) as part:
        part.write_bytes(data)
