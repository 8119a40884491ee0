"""Classifiers: how they are opened, whatever they read, and two architectures for pictures.

A directory holds ``judge.safetensors`` (float16) and ``judge.yaml`` (`ClassifierCard`).
Shapes: N batch, K classes, F features.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo_core.contracts.signals import TensorSpec
from zoo_core.errors import UsageError, WeightsError
from zoo_core.models.weights import load_state, read_tensors, require_fit, sketched, tensor_header
from zoo_core.untrusted import building, file_sha256, member
from zoo_nn.nets.augment import augment, degraded, widely
from zoo_nn.nets.classifier_card import WEIGHTS, ClassifierCard
from zoo_nn.nets.judge_architecture import (
    Changes,
    ClassifierOutput,
    JudgeArchitecture,
    architecture_of,
)
from zoo_nn.nets.timm_nets import create_net

WIDTHS = (24, 48, 96, 128)
"""Channels of the stages: 0.42 M parameters, 0.84 MB in float16."""


class ConvStage(nn.Module):
    """Two 3x3 convolutions with a residual path; halves the size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
        self.down_norm = nn.BatchNorm2d(outputs)
        self.mix = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.mix_norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, H, W) to (N, C', H/2, W/2)."""
        x = F.relu(self.down_norm(self.down(x)))  # (N, C', H/2, W/2)
        return F.relu(x + self.mix_norm(self.mix(x)))  # (N, C', H/2, W/2)


class ClassifierNet(nn.Module):
    """A residual classifier small enough to travel inside a package.

    Args:
        classes: Number of classes K.
        widths: Channels of the stem and of each stage; the last one is the feature width F.
        stride: Stride of the stem; 2 lets pictures of 64 pixels cost what those of 32 cost.
        drop: Dropout before the classifier, in training.
    """

    def __init__(
        self, classes: int, widths: Sequence[int] = WIDTHS, *, stride: int = 1, drop: float = 0.2
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, widths[0], 5, stride=stride, padding=2, bias=False)
        self.stem_norm = nn.BatchNorm2d(widths[0])
        pairs = itertools.pairwise(widths)
        self.stages = nn.Sequential(*(ConvStage(inputs, outputs) for inputs, outputs in pairs))
        self.drop = nn.Dropout(drop)
        self.classifier = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> ClassifierOutput:
        """Judges ``x`` (N, 3, H, W) in [-1, 1]."""
        x = F.relu(self.stem_norm(self.stem(x)))  # (N, W0, H, W), or half of it with stride 2
        x = self.stages(x)  # (N, F, h, w)
        features = x.mean(dim=(2, 3))  # (N, F)
        return ClassifierOutput(self.classifier(self.drop(features)), features)  # (N, K), (N, F)


class TimmNet(nn.Module):
    """A classifier of timm, trained from scratch on pictures in [-1, 1].

    Args:
        architecture: Name of the timm model.
        classes: Number of classes K.
        arguments: What `timm.create_model` takes besides, such as ``channels`` of a ResNet.

    Raises:
        UsageError: If timm knows no such model, or it does not take these arguments.
    """

    def __init__(
        self, architecture: str, classes: int, arguments: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        given = {**(arguments or {}), "num_classes": classes}
        self.net = create_net(architecture, given, asked=f"judge of timm:{architecture}")

    def forward(self, x: Tensor) -> ClassifierOutput:
        """Judges ``x`` (N, 3, H, W) in [-1, 1]."""
        x = self.net.forward_features(x)  # (N, *, F) in the model's own form
        features = self.net.forward_head(x, pre_logits=True).flatten(1)  # (N, F)
        return ClassifierOutput(self.net.get_classifier()(features), features)  # (N, K), (N, F)


class Classifier(nn.Module):
    """A trained classifier: its net and its card.

    Args:
        net: The classifier.
        card: What is known of it.
    """

    Card: ClassVar[type[ClassifierCard]] = ClassifierCard
    """How the card of a directory is read."""

    def __init__(self, net: nn.Module, card: ClassifierCard) -> None:
        super().__init__()
        self.net, self.card = net, card
        self.eval()

    @cached_property
    def architecture(self) -> JudgeArchitecture:
        """What its card names: how it reads signals, and of which kind."""
        return architecture_of(self.card)

    def forward(self, signals: Any) -> ClassifierOutput:
        """Judges N signals, in the form that its architecture reads.

        Pictures are (N, 3, H, W) in [-1, 1] of any size; grey ones (N, 1, H, W) as well.
        """
        inputs = self.architecture.inputs(self.architecture.prepare(signals))  # (N, ...) each
        device = next(self.net.parameters()).device
        return self.net(*(x.to(device) for x in inputs))  # type: ignore[no-any-return]

    @classmethod
    def load(cls, directory: Path | str) -> Self:
        """Reads a judge directory.

        Raises:
            DataError: If it is no judge directory.
            WeightsError: If its weights are missing, damaged or not those of its card.
        """
        directory = Path(directory)
        card = cls.Card.read(directory)
        path, asked = member(directory, WEIGHTS), f"judge {directory}"
        if path is None:
            raise WeightsError(f"{WEIGHTS} is missing", asked=asked, hint="Train the judge again.")
        if (found := file_sha256(path)) != card.sha256:
            raise WeightsError(
                f"{WEIGHTS} has sha256 {found}, its card says {card.sha256 or 'nothing'}",
                asked=asked,
                hint="The file was changed or damaged: restore it or train the judge again.",
            )
        # The directory may be a stranger's: the nets are known before they take memory.
        with building(asked):
            sketch = sketched(lambda: make_net(card), asked)
            require_fit(sketch.state_dict(), tensor_header(path), asked)
            net = make_net(card)
        load_state(net.state_dict(keep_vars=True), read_tensors(path)[0], asked=asked)
        return cls(net, card)


def fit(x: Tensor, size: int) -> Tensor:
    """Pictures as a judge reads them: (N, 3, size, size) from (N, 1 or 3, H, W)."""
    if x.shape[1] == 1:
        x = x.expand(-1, 3, -1, -1)  # (N, 3, H, W)
    if x.shape[-2:] != (size, size):
        x = F.interpolate(x, (size, size), mode="bilinear", antialias=True)  # (N, 3, S, S)
    return x


class PictureArchitecture(JudgeArchitecture):
    """What the architectures for pictures share."""

    signal = "image"

    @classmethod
    def form(cls, size: int) -> TensorSpec:
        """Colour pictures of ``size`` pixels a side."""
        return TensorSpec(cls.signal, (3, size, size))

    def prepare(self, signals: Tensor) -> Tensor:
        """(N, 3, S, S) of pictures (N, 1 or 3, H, W) in [-1, 1]."""
        return fit(signals, self.card.size)

    def augment(
        self, inputs: tuple[Tensor, ...], changes: Changes, rng: torch.Generator
    ) -> tuple[Tensor, ...]:
        """See `zoo_nn.nets.augment`."""
        (x,) = inputs  # (N, 3, S, S)
        if changes.wide:
            return (widely(x, rng, changes.scales),)
        x = augment(x, changes.task, rng)  # (N, 3, S, S)
        return (degraded(x, rng) if changes.degraded else x,)


class OwnArchitecture(PictureArchitecture):
    """``judge``: the zoo's own net for pictures."""

    widths = WIDTHS

    def make_net(self) -> nn.Module:
        """A `ClassifierNet` of the card's widths."""
        widths = self.card.widths or WIDTHS
        return ClassifierNet(len(self.card.classes), widths, stride=stride_for(self.card.size))


class TimmArchitecture(PictureArchitecture):
    """``timm:NAME``: a net of timm, trained from scratch."""

    widths = WIDTHS

    def make_net(self) -> nn.Module:
        """A `TimmNet` with the card's arguments."""
        name = self.card.architecture.partition(":")[2]
        if not name:
            raise UsageError(
                "it names no net of timm",
                asked=f"architecture of a judge {self.card.architecture}",
                hint="Write timm:NAME.",
            )
        return TimmNet(name, len(self.card.classes), self.card.arguments)

    def recorded_widths(self, net: nn.Module) -> tuple[int, ...]:
        """The number of its features alone."""
        if not isinstance(net, TimmNet):
            raise TypeError(f"{type(net).__name__} is no net of timm")
        return (int(net.net.num_features),)


def make_net(card: ClassifierCard) -> nn.Module:
    """The untrained net that a card describes.

    Raises:
        UsageError: If there is no such architecture.
    """
    return architecture_of(card).make_net()


def stride_for(size: int) -> int:
    """The stem's stride for pictures of a size: the stages see at most 32 to 63 pixels a side."""
    return max(1, size // 32)
