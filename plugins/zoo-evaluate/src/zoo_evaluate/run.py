"""Evaluation of a model: every direction, batch by batch, each metric updated as it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any, Protocol

from zoo_core.contracts.codec import SignalStore
from zoo_core.contracts.method import Method
from zoo_core.contracts.signals import TensorSpec
from zoo_core.errors import UsageError, unknown
from zoo_core.host.plugins import host
from zoo_core.translate.translator import Translator
from zoo_evaluate.context import EvalContext
from zoo_evaluate.direction_evaluation import DirectionEvaluation, EvalConfig, ProgressCallback
from zoo_evaluate.directions import find_directions
from zoo_evaluate.eval_model import EvalModel, as_eval_model
from zoo_evaluate.extractors import Extractor
from zoo_evaluate.held_out import (
    NOT_HELD_OUT,
    split_in_words,
    trained_on_counts,
    training_notes,
)
from zoo_evaluate.judge import EvalClassifier
from zoo_evaluate.metrics import Metric
from zoo_evaluate.report import Report, SamplePanel
from zoo_train.data.trained_on import TrainedOn

PIXELS = 64 * 64 * 64
"""Pixels of a default batch: 64 pictures of 64x64."""


class Evaluated(Protocol):
    """Real test signals: a `zoo_train.data.dataset.DataSet`, or anything with its stores."""

    @property
    def stores(self) -> Mapping[str, SignalStore]:
        """Stores by domain, or one under `zoo_core.contracts.signals.MIXED`."""
        ...

    def provenance(self) -> list[str]:
        """The sources in plain words."""
        ...


def evaluate_model(
    model: EvalModel | Translator | Method[Any],
    dataset: Evaluated,
    metrics: Sequence[str] | None = None,
    *,
    judges: Sequence[EvalClassifier] = (),
    extractor: Extractor | None = None,
    config: EvalConfig | None = None,
    trained_on: TrainedOn | None = None,
    name: str = "",
    on_progress: ProgressCallback | None = None,
) -> Report:
    """Measures a model on real test signals, in every direction.

    Memory does not grow with the number of signals beyond features of 4 bytes each: signals are
    translated in batches and forgotten.

    Args:
        model: What translates.
        dataset: Real test signals.
        metrics: Names of metrics; None for all that apply to the kind of signal and whose needs
            are met.
        judges: Judges of domains and contents.
        extractor: Feature extractor for FID and KID.
        config: Settings that the figures depend on.
        trained_on: What the model was trained on, where that is known: signals that it was are
            counted, and no split is called held out then.
        name: Name of the model, for the report; empty for its own.
        on_progress: Called after each batch with the direction, inputs done and inputs in all.

    Raises:
        UsageError: If a metric is unknown, or was asked for and cannot be had in any direction.
        DataError: If a domain is empty.
    """
    config, translator = config or EvalConfig(), as_eval_model(model)
    classes = metric_classes(metrics, translator.signal)
    _refuse_other_kinds(judges, extractor, translator.signal)
    size = config.batch or max(1, PIXELS // max(1, translator.signal.shape[-1] ** 2))
    context = EvalContext(
        judges,
        extractor,
        config.seed,
        str(translator.device),
        config.num_samples,
        size,
        config.allow_few,
    )
    notes: list[str] = []
    directions = find_directions(
        dataset.stores,
        translator.domains,
        translator.signal,
        context,
        files=getattr(dataset, "files", None),
        paired=config.paired,
        notes=notes,
    )
    seen = trained_on_counts(dataset, trained_on)
    notes += training_notes(seen, getattr(dataset, "noun", "signal"))
    found: dict[str, dict[str, dict[str, float]]] = {}
    facts: dict[str, Any] = {}
    panels: dict[str, list[SamplePanel]] = {}
    titles: dict[str, dict[str, str]] = {}
    for direction in directions:
        evaluation = DirectionEvaluation(direction, translator, config, notes, on_progress)
        result = evaluation.measure(classes)
        if result is not None:
            found[direction.name], facts[direction.name] = result
            panels[direction.name] = evaluation.panels
            titles[direction.name] = evaluation.titles
    _refuse_nothing(metrics, found, notes)
    return Report(
        model=name or translator.name,
        protocol=_protocol(translator, dataset, context, config, facts)
        | {
            "split": NOT_HELD_OUT
            if any(count for count, _ in seen.values())
            else split_in_words(dataset, config.split),
            "trained_on": {name: {"count": n, "of": m} for name, (n, m) in seen.items()}
            if trained_on
            else None,
        },
        directions={
            name: {k: v for values in by_metric.values() for k, v in values.items()}
            for name, by_metric in found.items()
        },
        mean=_mean(classes, found),
        notes=notes,
        panels=panels,
        signal=translator.signal,
        titles={name: known for name, known in titles.items() if known},
    )


def metric_classes(
    names: Sequence[str] | None = None, signal: TensorSpec | None = None
) -> list[type[Metric]]:
    """The metrics of the given names, or all that plugins bring, in the order of registration.

    Args:
        names: Names of metrics; None for all that apply to ``signal``.
        signal: Form of the signals; None: any.

    Raises:
        UsageError: If a name is unknown, or its metric does not apply to such signals.
    """
    known = host().components("metric")
    for name in names or ():
        if name not in known:
            raise unknown("metric", name, known)
    chosen = list(dict.fromkeys(names)) if names else list(known)
    classes: list[type[Metric]] = [host().load("metric", name) for name in chosen]
    if signal is None:
        return classes
    for cls in classes if names else ():
        if not cls.applies(signal):
            raise UsageError(
                f"it measures signals of kind {' and '.join(cls.signals)}, not of {signal.kind}",
                asked=f'metric "{cls.name}"',
                hint="Leave it out.",
            )
    return [cls for cls in classes if cls.applies(signal)]


def _refuse_other_kinds(
    judges: Sequence[EvalClassifier], extractor: Extractor | None, signal: TensorSpec
) -> None:
    """Raises `UsageError` where a tool reads another kind of signal."""
    kinds = {f"{judge.card.task} judge": judge.architecture.signal for judge in judges}
    if extractor is not None:
        kinds[f"extractor {extractor.name}"] = extractor.signal
    for name, kind in kinds.items():
        if kind != signal.kind:
            raise UsageError(
                f"it reads signals of kind {kind}, and the model translates {signal.kind}",
                asked=name,
                hint="Leave it out, or name one for this kind.",
            )


def _refuse_nothing(
    asked: Sequence[str] | None,
    found: Mapping[str, Mapping[str, object]],
    notes: Sequence[str],
) -> None:
    """Raises where a metric that was asked for was found in no direction, or nothing was."""
    had = {name for by_metric in found.values() for name in by_metric}
    for name in asked or ():
        if name not in had:
            reason = next((note for note in notes if f" no {name}: " in note), "no direction")
            raise UsageError(f"it cannot be measured here ({reason})", asked=f'metric "{name}"')
    if not had:
        raise UsageError("nothing could be measured", asked="evaluation", hint="; ".join(notes))


def _mean(
    classes: Sequence[type[Metric]], found: Mapping[str, Mapping[str, Mapping[str, float]]]
) -> dict[str, float]:
    mean: dict[str, float] = {}
    for cls in classes:
        rows = [by_metric[cls.name] for by_metric in found.values() if cls.name in by_metric]
        if rows:
            mean.update(cls.mean(rows))
    return mean


def _protocol(
    translator: EvalModel,
    dataset: Evaluated,
    context: EvalContext,
    config: EvalConfig,
    directions: Mapping[str, Any],
) -> dict[str, Any]:
    signal = translator.signal
    return {
        "data": dataset.provenance(),
        "signal": {"kind": signal.kind, "shape": list(signal.shape)},
        "resize": f"signals read and resized by the {signal.kind} codec to "
        f"{'x'.join(str(side) for side in signal.shape)}, not augmented",
        "num_samples": config.num_samples,
        "seed": config.seed,
        "batch": context.batch,
        "device": str(translator.device),
        "precision": translator.precision,
        "extractor": None
        if context.extractor is None
        else {"name": context.extractor.name, "sha256": context.extractor.sha256},
        "judges": [
            {
                "task": judge.card.task,
                "domains": list(judge.card.domains),
                "classes": list(judge.card.classes),
                "size": judge.card.size,
                "sha256": judge.card.sha256,
                "accuracy": judge.card.accuracy,
            }
            for judge in context.judges
        ],
        "versions": {name: metadata.version(name) for name in ("torch", "torchmetrics")},
        "directions": dict(directions),
    }
