"""What a family of classifier nets must say of itself: components of kind ``judge-architecture``.

A judge's card names its architecture, ``NAME`` or ``NAME:REST``; a plugin brings the class behind
NAME. Reading, training, saving and loading judges ask that class and nothing else.
Shapes: N batch, K classes, F features, ``*S`` any signal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from zoo_core.contracts.signals import TensorSpec
from zoo_core.host.plugins import host
from zoo_nn.nets.classifier_card import SCALES, ClassifierCard, Task

KIND = "judge-architecture"


class ClassifierOutput(NamedTuple):
    """What a classifier says of N signals.

    Attributes:
        logits: (N, K) raw class scores.
        features: (N, F) activations before the classifier, for FID and KID.
    """

    logits: Tensor
    features: Tensor


@dataclass(frozen=True)
class Changes:
    """How far training examples may be changed at random.

    Attributes:
        task: ``domain`` or ``content``: what must survive the changes.
        wide: Whether so far that other domains than those learnt from can be read.
        scales: Smallest and largest scale of wide changes, for what has a size.
        degraded: Whether blurred, pale and noisy pictures, which keep their class, are shown too.
    """

    task: Task
    wide: bool = False
    scales: tuple[float, float] = SCALES
    degraded: bool = False


class JudgeArchitecture(ABC):
    """A family of classifier nets.

    Args:
        card: What is known of the judge: classes, size, widths, arguments.

    Attributes:
        signal: Kind of signal that it reads.
        whole: Whether it reads whole signals, files or the codec's own form, such as recordings;
            otherwise it reads the tensors (N, *S) that models see.
        once: Whether what it prepares of a training signal is kept rather than made anew for each
            batch: right where that costs more than the lesson. Of whole signals it always is.
        size: Size of the signals that it reads unless the card says otherwise.
        widths: Channels of its stages unless the card says otherwise.
        rate: Largest learning rate.
    """

    signal: ClassVar[str]
    whole: ClassVar[bool] = False
    once: ClassVar[bool] = False
    size: ClassVar[int] = 32
    widths: ClassVar[tuple[int, ...]] = ()
    rate: ClassVar[float] = 4e-3

    def __init__(self, card: ClassifierCard) -> None:
        self.card = card

    @classmethod
    @abstractmethod
    def form(cls, size: int) -> TensorSpec:
        """Form in which the codec opens signals to learn from; of kind `signal`."""

    @abstractmethod
    def make_net(self) -> nn.Module:
        """The untrained net: maps `inputs` to a `ClassifierOutput`.

        Raises:
            UsageError: If the card asks for a net that there is not.
        """

    @abstractmethod
    def prepare(self, signals: Any) -> Sequence[Tensor] | Tensor:
        """What the net is shown of each signal, one tensor each.

        Args:
            signals: (N, *S) within the signal's range; where `whole`, N files or decoded signals.
        """

    def variants(self, signals: Any, changes: Changes, rng: torch.Generator) -> Iterable[Any]:
        """What is prepared and kept of training signals, where that is done `once`.

        Args:
            signals: N signals, as `prepare` takes them.
            changes: How far they may be changed.
            rng: Generator of the changes.

        Returns:
            N signals each: by default the signals themselves alone.
        """
        return (signals,)

    def inputs(self, prepared: Sequence[Tensor] | Tensor) -> tuple[Tensor, ...]:
        """Arguments of the net for N prepared signals; the first is the signals (N, ...)."""
        if isinstance(prepared, Tensor):
            return (prepared,)
        return (torch.stack(list(prepared)),)

    def augment(
        self, inputs: tuple[Tensor, ...], changes: Changes, rng: torch.Generator
    ) -> tuple[Tensor, ...]:
        """`inputs` changed at random, as a net in training reads them; unchanged by default."""
        return inputs

    def recorded_widths(self, net: nn.Module) -> tuple[int, ...]:
        """Channels of the stages of a net, for its card."""
        return self.card.widths

    @property
    def features(self) -> int:
        """Number of features F of a trained net."""
        return self.card.widths[-1]


def architecture_of(card: ClassifierCard) -> JudgeArchitecture:
    """The architecture that a card names.

    Raises:
        UsageError: If no plugin brings one of this name.
    """
    found: JudgeArchitecture = architecture_class(card.architecture)(card)
    return found


def architecture_class(name: str) -> type[JudgeArchitecture]:
    """The class of an architecture, by its name with or without ``:REST``.

    Raises:
        UsageError: If no plugin brings one of this name.
    """
    found: type[JudgeArchitecture] = host().load(KIND, name.partition(":")[0])
    return found
