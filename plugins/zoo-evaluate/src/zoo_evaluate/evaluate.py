"""``zoo.evaluate``: measure a model on real test data, by a named protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo_core.catalogue.registry import Registry
from zoo_core.errors import UsageError
from zoo_core.host.plugins import host
from zoo_core.models.modeldir import find_model
from zoo_core.translate.loading import load
from zoo_evaluate.direction_evaluation import EvalConfig, ProgressCallback
from zoo_evaluate.extractors import Extractor, JudgeExtractor, open_extractor
from zoo_evaluate.held_out import declared_paired, unknown_training
from zoo_evaluate.judge import EvalClassifier
from zoo_evaluate.real_data import open_real_data
from zoo_evaluate.report import Report
from zoo_evaluate.run import evaluate_model, metric_classes
from zoo_train.data.memory import by_domain
from zoo_train.data.trained_on import read_trained_on


def evaluate(
    model: str | Path,
    *,
    domains: Mapping[str, Any] | None = None,
    data: str | Path | Mapping[str, Any] | None = None,
    ranges: Mapping[str, str] | None = None,
    split: str = "test",
    metrics: Sequence[str] | None = None,
    judges: Sequence[str | Path] = (),
    extractor: str | None = None,
    num_samples: int | None = None,
    batch: int | None = None,
    allow_few: bool = False,
    samples: int = 8,
    paired: bool | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    on_progress: ProgressCallback | None = None,
) -> Report:
    """Measures a model in every direction, as ``zoo evaluate`` does: the same figures.

    Args:
        model: Anything that `zoo.load` opens by name or path.
        domains: Data of each domain by name: a folder, a text as for ``--domain``, or signals in
            memory (an array, a tensor, a list, a data set of torch or Hugging Face; see
            `zoo_train.data.memory.signals_of`), as `zoo.train` takes them.
        data: A folder that holds all domains, or attributes; or the same as ``domains``.
        ranges: ``LOW,HIGH`` by domain: values of black and white, such as ``{"photo": "0,1"}``,
            which floats in memory need.
        split: ``train``, ``val``, ``test`` or ``all``, where a source has splits.
        metrics: Names of metrics; None for all that apply.
        judges: Directories of judges.
        extractor: What FID and KID compare features of, ``NAME[:REST]``; None for the first judge
            of domains.
        num_samples: Most inputs per direction; None for all.
        batch: Signals at once; None for as many as make some 64 pictures of 64 × 64.
        allow_few: Whether to compute FID and KID of fewer than 50 signals, too.
        samples: Signals of each direction that `Report.panels` shows.
        paired: Whether files of one name, and signals in memory of one place, show the same; None
            as the data set declares.
        seed: Seed of which inputs are taken, where not all are.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        precision: ``auto``, ``float32`` or ``bfloat16``.
        on_progress: Called after each batch with the direction, inputs done and inputs in all.

    Returns:
        Values by direction, their mean, and the protocol; `Report.write_json` keeps them.

    Raises:
        UsageError: If the request does not fit the model, a name is unknown, or a metric that was
            asked for cannot be had.
        DataError: If a source cannot be read.
        WeightsError: If the model or a judge cannot be had.
    """
    if metrics is not None and not metrics:
        raise UsageError("it names no metric", asked="--metrics")
    domains, data = by_domain(domains, data)
    metric_classes(metrics)  # refuses an unknown name before anything is loaded
    opened = [EvalClassifier.load(directory) for directory in judges]
    chosen = _extractor(extractor, opened, judges)
    translator = load(model, device=device, precision=precision, engine="torch")
    dataset = open_real_data(translator, domains, data, split, ranges)
    config = EvalConfig(
        split=split,
        num_samples=num_samples,
        seed=seed,
        batch=batch,
        paired=declared_paired(data) if paired is None else paired,
        samples=samples,
        allow_few=allow_few,
    )
    directory = find_model(model, Registry.load(host()), host())
    known = read_trained_on(directory)
    report = evaluate_model(
        translator,
        dataset,
        metrics,
        judges=opened,
        extractor=chosen,
        config=config,
        trained_on=known,
        name=str(model),
        on_progress=on_progress,
    )
    if known is None:
        report.notes.append(unknown_training(directory))
    return report


def _extractor(
    name: str | None, judges: Sequence[EvalClassifier], directories: Sequence[str | Path]
) -> Extractor | None:
    """The extractor as named, else the first domain judge, else none."""
    if name is not None:
        return open_extractor(name)
    for judge, directory in zip(judges, directories, strict=True):
        if judge.card.task == "domain":
            return JudgeExtractor(judge, f"judge:{directory}")
    return None
