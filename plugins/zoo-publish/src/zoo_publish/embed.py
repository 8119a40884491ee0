"""For maintainers: puts a trained model into a plugin, so that it works offline by name."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from zoo_core.catalogue.description import ModelConfig, ModelEntry, parse_entry, read_entries
from zoo_core.catalogue.registry import CONFIG
from zoo_core.contracts.method import Method
from zoo_core.errors import UsageError, WeightsError
from zoo_core.models import golden, weights
from zoo_core.models.modeldir import (
    CARD,
    GOLDEN,
    MODEL,
    SAMPLES,
    build_method,
    read_config,
    weights_file,
)
from zoo_core.schema import fill, plain
from zoo_core.untrusted import file_sha256, member, read_yaml_file
from zoo_publish.workspace import REGISTRY, package_of, write_registry
from zoo_train.card import Card
from zoo_train.golden import check_golden
from zoo_train.writing import replacing_folder, save_nets

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
        UsageError: For an unknown or missing key, or a value of the wrong type.
    """
    values = read_yaml_file(path, error=UsageError)
    own = {key: values.pop(key) for key in ("task", "seconds") if key in values}
    given = {**own, "card": {"title": title, **values}}
    return fill(About, given, asked=f"about file {path}")


def embed(model: Path, plugin: Path, name: str, about: About, *, half: bool = True) -> ModelEntry:
    """Copies a model directory into a plugin and writes its registry entry.

    An entry and weights of the same name are replaced.

    Args:
        model: A model directory, as ``zoo train`` writes it.
        plugin: Folder of the plugin.
        name: Id of the model.
        about: What people should know.
        half: Whether weights are stored as float16. Of a model that translates by a descent
            through its nets this changes too much.

    Returns:
        The new entry.

    Raises:
        ZooError: If the directory is not a model, or the entry would be wrong.
        WeightsError: If the weights do not fit float16, or outputs change too much by it.
    """
    package = package_of(plugin)
    registry = package / REGISTRY
    others = [e for e in (read_entries(registry) if registry.is_file() else []) if e.id != name]
    config = read_config(model)
    folder = package / "weights" / name
    with replacing_folder(folder) as fresh:
        _copy(model, fresh, config, about, half=half)
        weights = {
            "source": "embedded",
            "path": (folder.relative_to(package) / MODEL).as_posix(),
            "sha256": file_sha256(fresh / MODEL),
            "bytes": (fresh / MODEL).stat().st_size,
        }
        entry = entry_of(name, about, weights)
    write_registry(registry, [*others, entry])
    return entry


def entry_of(name: str, about: About, weights: Mapping[str, Any]) -> ModelEntry:
    """What a registry says of a model that its directory does not.

    Args:
        name: Id of the model.
        about: What people should know.
        weights: Where its weights are.
    """
    card = about.card
    values = {
        "id": name,
        "task": about.task,
        "summary": card.summary,
        "weights": dict(weights),
        "licence": {"weights": card.licence},
        "provenance": card.provenance,
        "metrics": plain(card.metrics),
        "seconds": about.seconds,
    }
    return parse_entry(values, f"model {name}")


def _copy(model: Path, fresh: Path, config: ModelConfig, about: About, *, half: bool) -> None:
    """Writes the model, held against the golden outputs of the original."""
    method = weights.loaded(lambda: build_method(config), weights_file(model))
    save_nets(method, fresh / MODEL, method.inference_nets, half=half)
    (fresh / MODEL).chmod(0o644)  # the safetensors library writes for the owner alone
    (fresh / CONFIG).write_text(config.to_yaml(), encoding="utf-8")
    counts = weights.parameter_counts(method, method.inference_nets)
    (fresh / CARD).write_text(about.card.render(config, counts), encoding="utf-8")
    if (samples := member(model, SAMPLES)) is not None:
        shutil.copyfile(samples, fresh / SAMPLES)
    copy = weights.loaded(lambda: build_method(config), fresh / MODEL)
    if (old := member(model, GOLDEN)) is not None:
        try:
            check_golden(copy, old, TOLERANCE)
        except WeightsError as fault:
            raise (_changed(model, fault) if half else fault) from fault
        _renew_golden(old, fresh / GOLDEN, copy)
        (fresh / GOLDEN).chmod(0o644)


def _changed(model: Path, fault: WeightsError) -> WeightsError:
    """What to say where float16 changes the outputs too much."""
    return WeightsError(
        f"as float16 it is another model: {fault.problem}",
        asked=f"model {model}",
        hint="Add --float32, which takes twice the bytes.",
    )


def _renew_golden(old: Path, new: Path, method: Method[Any]) -> None:
    """Writes the golden inputs with the outputs of the weights as they are stored."""
    tensors, metadata = weights.read_tensors(old)
    tensors["output"] = torch.cat(
        [golden.eager(method, g.input, g.source, g.target) for g in golden.read_golden(old)]
    )  # (N, *S)
    save_file(tensors, new, metadata=metadata)
