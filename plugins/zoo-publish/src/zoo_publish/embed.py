"""For maintainers: puts a trained model into a plugin, so that it works offline by name."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors.torch import save_file

from zoo_core.catalogue.manifest import MetricEntry, ModelEntry, explain, parse_entry, parse_file
from zoo_core.contracts.method import Method
from zoo_core.errors import UsageError, unknown
from zoo_core.models import golden, weights
from zoo_core.models.card import Card, CardMetric
from zoo_core.models.config import ModelConfig
from zoo_core.models.modeldir import CARD, CONFIG, GOLDEN, MODEL, build_method, read_config
from zoo_core.schema import plain
from zoo_core.untrusted import read_yaml_file
from zoo_publish.workspace import REGISTRY, package_of, write_registry

TOLERANCE = 0.05
"""Largest difference that float16 may make to the golden outputs, in units of the signal."""


@dataclass(frozen=True)
class About:
    """What people should know of a model, from a file that is kept beside the training recipe.

    Attributes:
        task: Name of the task, such as ``emoji-style``.
        card: What the card says; the registry takes summary, paper, provenance and metrics from it.
        seconds: Time for one signal of the trained size on two CPU cores.
    """

    task: str
    card: Card
    seconds: float | None = None


def read_about(path: Path, title: str) -> About:
    """Reads an about file: YAML with ``task``, ``seconds``, and the fields of `Card`.

    Raises:
        UsageError: For an unknown or missing key.
    """
    values = read_yaml_file(path, error=UsageError)
    asked = f"about file {path}"
    known = {f.name for f in fields(Card)} - {"title"}
    for key in values:
        if key not in known | {"task", "seconds"}:
            raise unknown(f"key of {path.name}", key, known | {"task", "seconds"})
    if "task" not in values:
        raise UsageError('the key "task" is missing', asked=asked)
    metrics = values.pop("metrics", [])
    if not isinstance(metrics, list):
        raise UsageError('"metrics" is not a list', asked=asked)
    given = {key: values.pop(key) for key in ("task", "seconds") if key in values}
    try:
        card = TypeAdapter(Card).validate_python({"title": title, **values})
        about = TypeAdapter(About).validate_python({**given, "card": card})
        figures = tuple(_figure(MetricEntry.model_validate(metric)) for metric in metrics)
    except ValidationError as error:
        raise UsageError(explain(error, MetricEntry), asked=asked) from None
    return replace(about, card=replace(card, metrics=figures))


def _figure(metric: MetricEntry) -> CardMetric:
    return CardMetric(**metric.model_dump())


def embed(model: Path, plugin: Path, name: str, about: About) -> ModelEntry:
    """Copies a model directory into a plugin as float16 and writes its registry entry.

    An entry and weights of the same name are replaced.

    Args:
        model: A model directory, as ``zoo train`` writes it.
        plugin: Folder of the plugin.
        name: Id of the model.
        about: What people should know.

    Returns:
        The new entry.

    Raises:
        ZooError: If the directory is not a model, its weights do not fit float16, or the entry
            would be wrong.
    """
    package = package_of(plugin)
    registry = package / REGISTRY
    others = [e for e in (parse_file(registry) if registry.is_file() else []) if e.id != name]
    config = read_config(model)
    folder = package / "weights" / name
    folder.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as temporary:
        fresh = Path(temporary) / name
        fresh.mkdir(mode=0o755)
        method = _copy(model, fresh, config, about)
        values = entry_values(config, method, about)
        place = folder.relative_to(package)
        values["weights"] = {"source": "embedded", **_file(fresh / MODEL, place)}
        if (fresh / GOLDEN).is_file():
            values["golden"] = _file(fresh / GOLDEN, place)
        entry = parse_entry({"id": name, **values}, f"model {name}")
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    write_registry(registry, [*others, entry])
    return entry


def _copy(model: Path, fresh: Path, config: ModelConfig, about: About) -> Method[Any]:
    """Writes the float16 model; returns it as loaded again from the files."""
    method = build_method(config)
    weights.load_weights(method, model)
    weights.save_nets(method, fresh / MODEL, method.inference_nets, half=True)
    (fresh / CONFIG).write_text(config.to_yaml(), encoding="utf-8")
    counts = weights.parameter_counts(method, method.inference_nets)
    (fresh / CARD).write_text(about.card.render(config, counts), encoding="utf-8")
    samples = model / "samples.png"
    if samples.is_file():
        shutil.copyfile(samples, fresh / samples.name)
    copy = weights.rebuilt(lambda: build_method(config), fresh / MODEL)
    if (model / GOLDEN).is_file():
        golden.check_golden(copy, model / GOLDEN, TOLERANCE)
        _renew_golden(model / GOLDEN, fresh / GOLDEN, copy)
    return copy


def _renew_golden(old: Path, new: Path, method: Method[Any]) -> None:
    """Writes the golden inputs with the outputs of the float16 weights."""
    tensors, metadata = weights.read_tensors(old)
    tensors["output"] = torch.cat(
        [golden.eager(method, g.input, g.source, g.target) for g in golden.read_golden(old)]
    )  # (N, *S)
    save_file(tensors, new, metadata=metadata)


def entry_values(config: ModelConfig, method: Method[Any], about: About) -> dict[str, Any]:
    """What a registry entry says of a model, but for its id and files.

    Args:
        config: The model's configuration.
        method: Its nets, which are counted.
        about: What people should know.
    """
    card = about.card
    values: dict[str, Any] = {
        "method": config.method,
        "task": about.task,
        "summary": card.summary,
        "domains": _changed(plain(config.domains), {"kind": "domains", "exclusive": []}),
        "options": plain(config.options),
        "signal": plain(config.signal),
        "preprocessing": plain(config.preprocessing),
        "nets": weights.parameter_counts(method, method.inference_nets),
        "licence": {"code": "Apache-2.0", "weights": card.licence},
        "paper": card.paper,
        "provenance": card.provenance,
    }
    if card.metrics:
        defaults = {"published": None, "note": ""}
        values["metrics"] = [_changed(plain(metric), defaults) for metric in card.metrics]
    if about.seconds is not None:
        values["seconds"] = about.seconds
    return values


def _changed(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """The values that differ from their defaults."""
    return {k: v for k, v in values.items() if k not in defaults or v != defaults[k]}


def _file(path: Path, place: Path) -> dict[str, Any]:
    return {
        "path": (place / path.name).as_posix(),
        "sha256": weights.file_sha256(path),
        "bytes": path.stat().st_size,
    }
