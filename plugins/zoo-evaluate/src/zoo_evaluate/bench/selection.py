"""The choice of the best snapshot, without a look at any target label or any test picture.

The score is a product of factors, each from 0 to 1, of translations of *training* pictures of the
source: those that the source's own classifier was validated on, where there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo_core.errors import UsageError
from zoo_evaluate.bench.measure import BenchCase, chosen
from zoo_evaluate.bench.protocol import Benchmark
from zoo_evaluate.judge import EvalClassifier
from zoo_evaluate.judge_train import divide

WORDS = {
    "read": "the share of translations from which a classifier of the source, which has seen no "
    "picture and no label of the target, reads the source label",
    "domain": "the share of translations that the domain judge takes for the target domain",
    "restored": "one minus the cycle error as a share of the range (1 where there is no way back)",
}
"""The factors in words."""
MARGIN = 0.025
"""What an earlier snapshot must be ahead of the last state: on 500 pictures of which a model gets
four fifths right, the standard error of a difference."""


@dataclass(frozen=True)
class SelectionBatch:
    """Translations of one batch of validation pictures.

    Attributes:
        case: The model and its direction.
        x: (N, C, H, W) the pictures.
        y: (N, C, H, W) their translations.
        labels: (N,) what the pictures show, where that is known.
    """

    case: BenchCase
    x: Tensor
    y: Tensor
    labels: Tensor | None


def score(case: BenchCase) -> float:
    """The score of a model in one direction, 0 to 1."""
    positions, labels = _held(case)
    sums, count = dict.fromkeys(case.benchmark.factors, 0.0), 0
    done = 0
    for x in case.batches(case.source, "train", positions):
        own = None if labels is None else labels[done : done + len(x)]
        batch = SelectionBatch(case, x, case.translate(x), own)
        for name in sums:
            sums[name] += float(FACTORS[name](batch).sum())
        done += len(x)
        count += len(x)
    product = 1.0
    for total in sums.values():
        product *= total / max(1, count)
    return product


def best_of(scores: Mapping[int, float], margin: float = MARGIN) -> int:
    """The step of the best snapshot: the last, unless another is ahead by more than the margin."""
    last = max(scores)
    best = max(scores, key=lambda step: (scores[step], step))
    return best if scores[best] > scores[last] + margin else last


def selection_text(benchmark: Benchmark) -> str:
    """How the best snapshot is chosen, for the page."""
    if benchmark.selection:
        return benchmark.selection
    product = ", times ".join(WORDS[name] for name in benchmark.factors)
    return (
        f"The best of a training's snapshots has the highest product of: {product}; measured on "
        f"at most {benchmark.held} training pictures of the source. It is the last state unless "
        f"another is ahead by more than {MARGIN:g}. No label of the target and no test "
        "picture is looked at."
    )


def _held(case: BenchCase) -> tuple[list[int], Tensor | None]:
    """Positions and labels of the validation pictures among the source's training pictures."""
    benchmark, judges = case.benchmark, case.instruments.judges
    most = case.override.held or benchmark.held
    recipe = benchmark.source_classifier(case.source)
    if recipe is None:
        store = case.store(case.source, "train")
        return chosen(len(store), most), None
    parts = case.instruments.pictures.parts("content", recipe.domains, "train")
    _, held = divide(parts, judges.config(recipe))
    some = held[0].pick(torch.arange(min(most, len(held[0]))))
    return some.indices.tolist(), some.labels


@torch.no_grad()
def _read(batch: SelectionBatch) -> Tensor:
    """(N,) whether the source's classifier reads the label."""
    recipe = batch.case.benchmark.source_classifier(batch.case.source)
    if recipe is None or batch.labels is None:
        raise UsageError(
            "it needs a classifier of the source", asked='factor "read" of the selection'
        )
    judge = batch.case.instruments.judges.judge(recipe)
    return (_said(batch, judge) == batch.labels).float()


@torch.no_grad()
def _domain(batch: SelectionBatch) -> Tensor:
    """(N,) whether the domain judge sees the target."""
    case = batch.case
    judge = case.instruments.context(case.task, case.target).domain_judge(case.target)
    if judge is None:
        raise UsageError("it needs a domain judge", asked='factor "domain" of the selection')
    return (_said(batch, judge) == judge.card.classes.index(case.target)).float()


def _restored(batch: SelectionBatch) -> Tensor:
    """(N,) closeness of there and back to the input."""
    try:
        back = batch.case.back(batch.y)
    except UsageError:
        return torch.ones(len(batch.x))
    return 1 - (back - batch.x).abs().flatten(1).mean(1) / 2


def _said(batch: SelectionBatch, judge: EvalClassifier) -> Tensor:
    """(N,) class that a judge sees in the translations."""
    device = batch.case.instruments.device
    said: Tensor = judge.to(device)(batch.y.to(device)).logits.argmax(1)
    return said.cpu()


FACTORS: Mapping[str, Callable[[SelectionBatch], Tensor]] = {
    "read": _read,
    "domain": _domain,
    "restored": _restored,
}
"""Each maps a look to (N,) numbers from 0 to 1."""
