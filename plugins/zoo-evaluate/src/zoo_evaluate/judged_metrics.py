"""What judges trained on real signals say of the translations.

The judge's accuracy on the real signals of the same data stands beside each value: it is what a
perfect translation could reach.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zoo_evaluate.context import Direction, TranslatedBatch
from zoo_evaluate.judge import EvalClassifier
from zoo_evaluate.metrics import Average, Metric


class JudgedMetric(Metric):
    """A share of signals of which a judge says what it should."""

    def __init__(self, direction: Direction) -> None:
        super().__init__(direction)
        self.translated, self.untranslated = Average(), Average()

    @property
    def judge(self) -> EvalClassifier:
        """The judge that is asked."""
        raise NotImplementedError

    def wanted(self, sample: TranslatedBatch) -> Tensor:
        """(N,) the classes that the judge should see."""
        raise NotImplementedError

    def real(self) -> float | None:
        """The judge's accuracy on the target's real signals, where it can be known."""
        raise NotImplementedError

    def update(self, sample: TranslatedBatch) -> None:
        """Asks the judge about translations and inputs."""
        wanted = self.wanted(sample)
        for opinion, average in (
            (sample.classifier_output(self.judge), self.translated),
            (sample.of_inputs(self.judge), self.untranslated),
        ):
            said = opinion.logits.argmax(1).cpu()  # (N,)
            average.add((said == wanted).float().tolist())

    def compute(self) -> dict[str, float]:
        """``NAME_accuracy``, that of the untranslated input, and the judge's on real signals."""
        key = f"{self.name}_accuracy"
        values = {key: self.translated.value, f"{key}_untranslated": self.untranslated.value}
        real = self.real()
        return values if real is None else {**values, f"{key}_real": real}

    def protocol(self) -> dict[str, object]:
        """The judge, its size and its hash."""
        card = self.judge.card
        recorded = card.accuracy.get("mean", {}).get("test")
        return {
            "judge": f"{card.task} judge of {', '.join(card.domains)}",
            "judge_sha256": card.sha256,
            "judge_size": card.size,
            "judge_test_accuracy": recorded,
        }


class DomainAccuracy(JudgedMetric):
    """How often the judge takes the translation for one of the target domain."""

    name = "domain"
    needs = frozenset({"domain_judge"})
    headline = ("domain_accuracy",)
    higher_is_better = True

    @property
    def judge(self) -> EvalClassifier:
        """The domain judge."""
        judge = self.direction.domain_judge
        if judge is None:
            raise RuntimeError("there is no domain judge")
        return judge

    def wanted(self, sample: TranslatedBatch) -> Tensor:
        """(N,) the target domain's class."""
        return torch.full((len(sample.source),), self._target)

    def real(self) -> float:
        """How often the judge recognises the target's real signals."""
        return self.direction.context.real_accuracy(self.judge, self.direction.target, self._target)

    @property
    def _target(self) -> int:
        return self.judge.card.classes.index(self.direction.target.name)


class ContentAccuracy(JudgedMetric):
    """How often the target domain's content judge reads the input's label from the translation."""

    name = "content"
    needs = frozenset({"content_judge", "labels"})
    headline = ("content_accuracy",)
    higher_is_better = True

    @property
    def judge(self) -> EvalClassifier:
        """The content judge of the target domain."""
        judge = self.direction.content_judge
        if judge is None:
            raise RuntimeError("there is no content judge")
        return judge

    def wanted(self, sample: TranslatedBatch) -> Tensor:
        """(N,) the inputs' labels."""
        return self.judge.positions(sample.labels)

    def real(self) -> float | None:
        """How often the judge reads the target's real signals, where they have labels."""
        side = self.direction.target
        if side.labels is None:
            return None
        return self.direction.context.real_accuracy(self.judge, side)
