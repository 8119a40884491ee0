"""Adaptation accuracy: what a classifier learns from translations alone, on real target pictures.

The classifier sees translated source training pictures with their source labels, and no picture
and no label of the target. Its recipe is fixed, its last state is tested, nothing is selected.
"""

from __future__ import annotations

import torch

from zoo_evaluate.bench.data import GeneratedSet, to_pixels
from zoo_evaluate.bench.measure import SEED, BenchCase, chosen, labels_of
from zoo_evaluate.bench.protocol import Adaptation
from zoo_evaluate.examples import LabeledSubset
from zoo_evaluate.judge_train import JudgeConfig, train_judge


def accuracy(case: BenchCase) -> float | None:
    """Accuracy on all real test pictures of the target, 0 to 1; None without a recipe."""
    recipe = case.benchmark.adaptation
    if recipe is None:
        return None
    value, pictures = _adapted(case, recipe)
    case.facts["adaptation"] = {**recipe.facts, "pictures": pictures}
    return value


def short(case: BenchCase) -> float | None:
    """The same by the benchmark's shorter recipe; None without one."""
    recipe = case.benchmark.short
    return None if recipe is None else _adapted(case, recipe)[0]


def of_target(case: BenchCase, recipe: Adaptation) -> float:
    """The same, of a classifier that learns from as many real pictures of the target."""
    store = case.store(case.target, "train")
    at = torch.tensor(chosen(len(store), recipe.pictures))  # (M,)
    learnt = LabeledSubset(case.target, store, at, labels_of(store, case.target)[at])
    return _tested(case, learnt, recipe)


def _adapted(case: BenchCase, recipe: Adaptation) -> tuple[float, int]:
    """The accuracy, and how many pictures were translated for it."""
    store = case.store(case.source, "train")
    at = chosen(len(store), min(recipe.pictures, case.override.pictures or recipe.pictures))
    pixels = torch.cat(
        [to_pixels(case.translate(x)) for x in case.batches(case.source, "train", at)]
    )  # (M, 3, H, W)
    learnt = GeneratedSet(pixels, labels_of(store, case.source)[at]).part(case.target)
    return _tested(case, learnt, recipe), len(at)


def _tested(case: BenchCase, learnt: LabeledSubset, recipe: Adaptation) -> float:
    store = case.store(case.target, "test")
    labels = labels_of(store, case.target)
    test = LabeledSubset(case.target, store, torch.arange(len(store)), labels)
    count = 1 + max(int(learnt.labels.max()), int(labels.max()))
    config = JudgeConfig(
        "content",
        tuple(str(number) for number in range(count)),
        size=case.benchmark.size,
        steps=recipe.steps,
        batch=recipe.batch,
        measure=0,
        seed=SEED,
        device=case.instruments.device,
        widths=recipe.widths,
    )
    judge = train_judge([learnt], [test], config)
    return judge.card.accuracy[case.target]["test"]
