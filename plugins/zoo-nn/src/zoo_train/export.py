"""The end of a run: its model directory, with a card that says how it came about."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from zoo_core.catalogue.description import ModelConfig
from zoo_core.contracts.method import Method
from zoo_core.contracts.signals import Domains
from zoo_core.host.plugins import host
from zoo_core.schema import plain
from zoo_train.card import Card
from zoo_train.config import RunConfig
from zoo_train.data.dataset import DataSet
from zoo_train.data.trained_on import TRAINED_ON
from zoo_train.samples import Samples
from zoo_train.writing import write_model


def model_config(
    config: RunConfig,
    domains: Domains,
    training: Mapping[str, Any] | None = None,
    statistics: Mapping[str, Any] | None = None,
) -> ModelConfig:
    """What rebuilds the model of a run; ``fit_statistics`` is what its codec knows of the data."""
    codec = host().load("codec", config.signal.kind)
    return ModelConfig(
        method=config.method,
        options=dict(config.options),
        domains=domains,
        signal=config.signal,
        preprocessing=codec.preprocessing_for(config.signal, config.train) | dict(statistics or {}),
        training=dict(training or {}),
    )


def export(
    target: Path,
    method: Method[Any],
    config: RunConfig,
    data: DataSet,
    *,
    title: str,
    samples: Samples,
    sheet: Path,
    facts: Mapping[str, Any],
    statistics: Mapping[str, Any],
) -> None:
    """Writes a model directory.

    Args:
        target: Where.
        method: The trained method, as it shall translate (averaged where the run averages).
        config: The run's configuration.
        data: The run's data, which the card describes.
        title: Title of the card.
        samples: Inputs for the golden file.
        sheet: The picture of the last samples.
        facts: What else the card and ``config.yaml`` record: steps, losses, device, precision.
        statistics: What the model has to know of its data; see
            `zoo_core.contracts.codec.Codec.fit_statistics`.
    """
    sources = data.provenance()
    spec = host().method(config.method)
    training = {
        **facts,
        "preset": config.preset,
        "batch": config.train.batch,
        "seed": config.train.seed,
        "ema": config.train.ema,
        "data": sources,
        "zoo_core": importlib.metadata.version("zoo-core"),
        "torch": torch.__version__.partition("+")[0],
    }
    if config.extra_losses:
        training["added_losses"] = list(config.extra_losses)
    if config.defence:
        training["defences"] = list(config.defence)
    if config.changes:
        training["changes"] = plain(config.changes)
    start = config.pretrained
    if start is not None:
        training["pretrained"] = {"name": start.name, "sha256": start.sha256}
    write_model(
        target,
        method,
        replace(
            model_config(config, data.domains, training, statistics),
            options=dict(method.export_options(config.options)),
        ),
        card=Card(
            title=title,
            summary=_summary(config, data.domains, method.targets),
            data="\n".join(f"- {line}" for line in sources) or "Not stated.",
            paper=spec.paper,
            provenance=_provenance(config),
        ),
        sample_batch=samples.drawn(method.sampling),
        files={TRAINED_ON: data.trained_on(named=False)}
        | ({"samples.png": sheet} if sheet.is_file() else {}),
    )


def _summary(config: RunConfig, domains: Domains, targets: Sequence[str]) -> str:
    noun = host().load("codec", config.signal.kind).noun
    how = "trained without paired examples"
    if domains.kind == "attributes":
        return f"Edits {', '.join(targets)} of {noun}s, {how}."
    if len(targets) == 1:
        others = [name for name in domains.names if name not in targets]
        return f"Translates {noun}s from {', '.join(others)} to {targets[0]}, {how}."
    return f"Translates {noun}s between {', '.join(domains.names)}, {how}."


def _provenance(config: RunConfig) -> str:
    text = f"Trained with `zoo train {config.method}`, preset `{config.preset}`"
    if config.pretrained is not None:
        text += f", from the weights of `{config.pretrained.name}`"
    if config.changes:
        text += f"; {'; '.join(map(str, config.changes))}"
    return f"{text}."
