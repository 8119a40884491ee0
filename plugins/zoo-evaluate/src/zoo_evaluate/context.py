"""The direction that is measured, the tools at hand, and one batch of translations.

Shapes: N batch, ``*S`` any signal (an image is C H W), K condition width, F features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import Tensor

from zoo_core.errors import UsageError
from zoo_evaluate.domain_data import DomainData
from zoo_evaluate.examples import LabeledSubset
from zoo_evaluate.extractors import Extractor, JudgeExtractor
from zoo_evaluate.judge import EvalClassifier
from zoo_evaluate.judge_train import accuracy
from zoo_evaluate.pairing import Counterparts, ReferencePairs, find_counterparts
from zoo_nn.nets.judge_architecture import ClassifierOutput

T = TypeVar("T")


@dataclass
class EvalContext:
    """What all directions share: judges, the extractor, and what was once computed of real data.

    Attributes:
        judges: Judges at hand.
        extractor: Feature extractor for FID and KID, if any.
        seed: Seed of random subsets.
        device: Where judges and extractor compute.
        limit: Most real signals per domain that are measured; None for all.
        batch: Signals at once.
        allow_few: Whether distances of distributions are measured of however few signals.
    """

    judges: Sequence[EvalClassifier] = ()
    extractor: Extractor | None = None
    seed: int = 0
    device: str = "cpu"
    limit: int | None = None
    batch: int = 64
    allow_few: bool = False
    _kept: dict[object, object] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for tool in (*self.judges, self.extractor):
            if tool is not None:
                tool.to(self.device).eval()

    def domain_judge(self, domain: str) -> EvalClassifier | None:
        """The first domain judge that knows a domain."""
        found = (j for j in self.judges if j.card.task == "domain" and domain in j.card.classes)
        return next(found, None)

    def content_judge(self, domain: str) -> EvalClassifier | None:
        """The first content judge that learned from real signals of a domain."""
        found = (j for j in self.judges if j.card.task == "content" and domain in j.card.domains)
        return next(found, None)

    def real_features(self, side: DomainData) -> Tensor:
        """(M, F) features of a domain's real signals, computed once."""
        extractor = self.extractor
        if extractor is None:
            raise RuntimeError("there is no extractor")

        def compute() -> Tensor:
            some = side.some(self.limit, self.seed)
            batches = some.batches(self.batch, whole=extractor.whole)
            return torch.cat([extractor(_on(x, self.device)).cpu() for _, x in batches])

        return self._once(("features", side.name), compute)

    def real_accuracy(
        self, judge: EvalClassifier, side: DomainData, label: int | None = None
    ) -> float:
        """Accuracy of a judge on a domain's real signals, 0 to 1, computed once.

        Args:
            judge: The judge.
            side: The domain.
            label: The class of all its signals; None: the signals' own labels.
        """
        some = side.some(self.limit, self.seed)
        labels = some.labels if label is None else torch.full((len(some),), label)
        if labels is None:
            raise RuntimeError(f"the signals of {side.name} have no labels")
        if label is None:
            labels = judge.positions(labels)
        part = LabeledSubset(side.name, some.store, some.indices, labels, some.files)
        key = ("accuracy", id(judge), side.name)
        return self._once(key, lambda: accuracy(judge, part, batch=self.batch))

    def _once(self, key: object, compute: Callable[[], T]) -> T:
        if key not in self._kept:
            self._kept[key] = compute()
        return self._kept[key]  # type: ignore[return-value]


@dataclass(frozen=True)
class Direction:
    """One direction of translation.

    Attributes:
        source: Real signals of the source domain.
        target: Real signals of the target domain.
        references: Which target signal is the true translation of which source signal, if known.
        context: Judges, extractor and more, shared by all directions.
        span: Width of the signals' range: 2 for [-1, 1].
    """

    source: DomainData
    target: DomainData
    references: ReferencePairs | None
    context: EvalContext
    span: float = 2.0

    @property
    def name(self) -> str:
        """Name of the direction, such as ``a->b``."""
        return f"{self.source.name}->{self.target.name}"

    @cached_property
    def domain_judge(self) -> EvalClassifier | None:
        """The domain judge that knows the target domain."""
        return self.context.domain_judge(self.target.name)

    @cached_property
    def content_judge(self) -> EvalClassifier | None:
        """The content judge of the target domain."""
        return self.context.content_judge(self.target.name)

    @cached_property
    def counterparts(self) -> Counterparts | None:
        """Real signals of the target with the same content as each input, if any are known."""
        return find_counterparts(self.source, self.target)

    def has(self, need: str) -> bool:
        """Whether something that a metric needs is at hand."""
        return {
            "reference": self.references,
            "labels": self.source.labels,
            "domain_judge": self.domain_judge,
            "content_judge": self.content_judge,
            "extractor": self.context.extractor,
            "whole": None if self.target.files is None else self.source.files,
            "counterparts": self.counterparts if need == "counterparts" else None,
        }[need] is not None


@dataclass
class TranslatedBatch:
    """One batch of translations, float32 on the tools' device.

    Attributes:
        direction: The direction.
        positions: (N,) positions of the inputs in ``direction.source``.
        source: (N, *S) the inputs.
        translated: (N, *S) the translations.
        restore: Translates ``translated`` back; called at most once.
        translate_whole: Translates the whole inputs as users do; None where the model cannot.
    """

    direction: Direction
    positions: Tensor
    source: Tensor
    translated: Tensor
    restore: Callable[[], Tensor]
    translate_whole: Callable[[list[Any]], list[Any]] | None = None
    _classifier_outputs: dict[int, ClassifierOutput] = field(default_factory=dict, repr=False)

    def classifier_output(self, judge: EvalClassifier) -> ClassifierOutput:
        """What a judge says of the translations, asked once however many metrics want to know."""
        if id(judge) not in self._classifier_outputs:
            self._classifier_outputs[id(judge)] = judge(
                self.outputs if judge.architecture.whole else self.translated
            )
        return self._classifier_outputs[id(judge)]

    def of_inputs(self, judge: EvalClassifier) -> ClassifierOutput:
        """What a judge says of the inputs."""
        said: ClassifierOutput = judge(self.inputs if judge.architecture.whole else self.source)
        return said

    @cached_property
    def inputs(self) -> list[Any]:
        """The N inputs whole, as files or in the codec's own form."""
        return self.direction.source.wholes(self.positions)

    @cached_property
    def outputs(self) -> list[Any]:
        """The translations of the N `inputs`, in the codec's own form, as a user gets them.

        Raises:
            UsageError: If the model translates tensors alone.
        """
        if self.translate_whole is None:
            raise UsageError(
                "the model translates tensors alone, not whole files",
                asked=f"direction {self.direction.name}",
                hint="Measure a model that zoo.load gives.",
            )
        return self.translate_whole(self.inputs)

    @cached_property
    def restored(self) -> Tensor:
        """(N, *S) the translations, translated back."""
        return self.restore()

    @cached_property
    def labels(self) -> Tensor:
        """(N,) class numbers of the inputs."""
        labels = self.direction.source.labels
        if labels is None:
            raise RuntimeError("the inputs have no labels")
        return labels[self.positions]

    @cached_property
    def reference_positions(self) -> Tensor:
        """(N,) positions of the references in ``direction.target``."""
        if self.direction.references is None:
            raise RuntimeError("the inputs have no references")
        return self.direction.references.of(self.positions)

    @cached_property
    def reference(self) -> Tensor:
        """(N, *S) the references."""
        return self.direction.target.signals(self.reference_positions).to(self.source.device)

    @cached_property
    def features(self) -> Tensor:
        """(N, F) features of the translations."""
        extractor = self.direction.context.extractor
        if extractor is None:
            raise RuntimeError("there is no extractor")
        if isinstance(extractor, JudgeExtractor):
            return self.classifier_output(extractor.judge).features.cpu()  # (N, F)
        made = self.outputs if extractor.whole else self.translated
        return extractor(made).cpu()  # type: ignore[no-any-return]


def _on(signals: Any, device: str) -> Any:
    """Signals (N, *S) on a device; whole signals as they are."""
    return signals.to(device) if isinstance(signals, Tensor) else signals
