"""Weights of others that are named by their repository: ``org/repo@revision:G.pth``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from zoo_core.catalogue.description import parse_entry
from zoo_core.catalogue.registry import CONFIG, Model, Registry
from zoo_core.errors import UsageError, WeightsError
from zoo_core.host import plugins
from zoo_core.host.plugins import PluginHost
from zoo_core.models.modeldir import MODEL
from zoo_hub.cache import fetch
from zoo_hub.reference import ANY, Expected, Reference, parse
from zoo_import.convert import converted, import_unregistered
from zoo_import.file_kinds import FileKind, file_kind


def open_reference(
    reference: str | None, entry: Mapping[str, object] | None, file: Path | None
) -> Path | None:
    """The model directory of foreign weights; see `zoo_core.host.hookspecs.zoo_open_reference`."""
    known = plugins.host()
    if entry is not None and file is not None:
        return converted(file, parse_entry(entry, "the catalogue"), host=known).parent
    if file is not None:
        raise _no_model(file)
    if reference is None:
        return None
    return fetch_foreign(parse(reference), Registry.load(known), known)


def _no_model(file: Path) -> WeightsError:
    """The error for a file that is named as a model: what it is, and how it becomes one."""
    kind = file_kind(file)
    if kind is None and file.name == MODEL:
        kind = FileKind("the weights of a model", f"Give the directory: {file.absolute().parent}.")
    if kind is None:
        kind = FileKind(
            "a file, perhaps a checkpoint",
            f"Make a model of it: zoo import {file} --domain A --domain B --out DIR.",
        )
    return WeightsError(
        f"it is {kind.name}, not a model directory", asked=f'model "{file}"', hint=kind.hint
    )


def fetch_foreign(reference: Reference, registry: Registry, host: PluginHost) -> Path | None:
    """The model directory of foreign weights on the Hub; None where the reference names none.

    A repository that the registry knows needs no file where it has one model, and its model is what
    the entry says. Any other file is taken for what its keys and shapes tell.

    Args:
        reference: Repository, perhaps revision and file.
        registry: The catalogue.
        host: The plugins.

    Raises:
        UsageError: If several models are in the repository and no file says which.
        HubError: If the Hub cannot be reached, or has no such file.
        WeightsError: If the file is of no known layout or does not fit.
    """
    asked = f'model "{reference}"'
    models = _registered(reference, registry)
    if len(models) > 1:
        files = ", ".join(sorted(str(model.data["weights"]["file"]) for model in models))
        raise UsageError(
            f"it holds several models: {files}", asked=asked, hint=f"Name one: {reference}:FILE."
        )
    if models:
        weights = models[0].entry.weights
        same = reference.revision in (None, weights.revision)
        expected = Expected(weights.sha256, weights.bytes) if same else ANY
        revision = reference.revision or weights.revision
        wanted = replace(reference, file=weights.file, revision=revision)
        return converted(fetch(wanted, expected, asked=asked), models[0].entry, host=host).parent
    if reference.file is None or not PurePosixPath(reference.file).suffix:
        return None
    if PurePosixPath(reference.file).name in (MODEL, CONFIG):
        return None
    return import_unregistered(fetch(reference, asked=asked), str(reference), host=host)


def _registered(reference: Reference, registry: Registry) -> Sequence[Model]:
    """The models of the registry whose foreign weights a reference names."""
    return [
        model
        for model in registry.models.values()
        if model.installed
        and (weights := model.data["weights"]).get("repo") == reference.repo
        and (weights.get("repo_type") or "model") == reference.kind
        and weights.get("format", "safetensors") != "safetensors"
        and reference.file in (None, weights.get("file"))
    ]
