"""From a name or a directory to a translator."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from zoo_core.catalogue.registry import Model, Registry
from zoo_core.errors import (
    HubError,
    HubMissingError,
    HubUnreachableError,
    UsageError,
    WeightsError,
    unknown,
)
from zoo_core.host.plugins import PluginHost
from zoo_core.host.plugins import host as shared_host
from zoo_core.hub.reference import Reference, looks_like, parse
from zoo_core.models import modeldir
from zoo_core.models.card import Card
from zoo_core.models.config import ModelConfig
from zoo_core.models.modeldir import CARD, CONFIG, MODEL, build_method
from zoo_core.models.resolve import naming_offline, resolve
from zoo_core.models.weights import load_weights, no_init
from zoo_core.translate.translator import Translator


def load(
    name: str | os.PathLike[str],
    device: str | torch.device = "auto",
    precision: str = "auto",
    *,
    compile: bool = False,
    renderer: Any = None,
    host: PluginHost | None = None,
) -> Translator:
    """Loads a model, ready to translate.

    Args:
        name: A name from ``zoo list``, a model directory, the directory of a training run, or a
            repository of the Hub as ``org/repo[@revision][:folder]``, or a checkpoint there that
            others trained as ``org/repo[@revision]:file.pth``. A bare name means the catalogue
            first, and a path that exists goes before the Hub; write ``./NAME`` for a directory.
        device: ``auto`` (CUDA, Apple's MPS, else the CPU), or a device as torch names it.
        precision: ``auto`` (bfloat16 where it is fast), ``float32`` (exact) or ``bfloat16``.
        compile: Whether to compile the nets: slow at first, faster afterwards.
        renderer: Makes translated signals perceivable in place of the codec's own way, such as a
            vocoder: the name of one that a plugin brings, with options, as ``NAME:key=value``, or
            an object that the codec takes.
        host: The plugins; None for the installed ones.

    Raises:
        UsageError: If there is no such model, device, precision or renderer.
        HubError: If the Hub cannot be reached, or has no such model.
        WeightsError: If weights are missing, damaged, not those that are meant, or do not fit.
    """
    host = host or shared_host()
    options = {"device": device, "precision": precision, "compile": compile}
    loader = _Loader(host, options, renderer)
    registry = Registry.load(host)
    text = os.fspath(name)
    if isinstance(name, str) and name in registry.models:
        return _from_registry(registry.get(name), registry, loader)
    if text and os.path.exists(text):  # noqa: PTH110  (takes any text)
        return _from_directory(Path(text), loader)
    if isinstance(name, str) and re.fullmatch(r"[\w.-]+", text):
        registry.get(text)
    if isinstance(name, str) and looks_like(text):
        return _from_hub(parse(text), registry, loader)
    raise UsageError(
        "there is no such directory",
        asked=f'model "{text[:200]}"',
        hint="Give a name from zoo list, a directory that zoo train wrote, or ORG/REPO of the Hub.",
    )


def list_models(pattern: str = "*") -> list[str]:
    """Names of the models of the catalogue that can be loaded here.

    Args:
        pattern: Shell pattern such as ``stargan-*``; without wildcards, a part of the name.
    """
    registry = Registry.load(shared_host())
    try:
        return [model.id for model in registry.find(pattern) if model.installed]
    except UsageError:
        return []


def model_directory(path: Path) -> Path:
    """The model directory that a path means: itself, or ``model/`` of a training run.

    Raises:
        UsageError: If the path is a file.
        WeightsError: If there is no model in it.
    """
    if path.is_file():
        raise UsageError(
            "is a file, not a directory",
            asked=f"model {path}",
            hint=f"Give the directory that holds {MODEL} and {CONFIG}; zoo import makes one of a "
            "checkpoint that others trained.",
        )
    inner = path / "model"
    if (inner / CONFIG).is_file() or (inner / MODEL).is_file():
        return inner
    if (path / "checkpoint").is_dir() and not (path / MODEL).is_file():
        raise WeightsError(
            "this run has not written a model yet",
            asked=f"directory {path}",
            hint=f"Let it end: zoo train --resume {path}.",
        )
    return path


def _from_directory(path: Path, loader: _Loader, name: str | None = None) -> Translator:
    directory = model_directory(path)
    config = modeldir.read_config(directory)
    weights = directory / MODEL
    card = directory / CARD
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    return loader.assemble(name or str(path), config, weights, text)


def _from_registry(model: Model, registry: Registry, loader: _Loader) -> Translator:
    model.require()
    weights = resolve(model, offline=_embedded(registry), host=loader.host)
    config = ModelConfig.of_entry(model.entry)
    readme = weights.parent / CARD
    if readme.is_file() and (weights.parent / CONFIG).is_file():
        text = readme.read_text(encoding="utf-8", errors="replace")
    else:
        text = Card.of_entry(model.entry).render(config, model.entry.nets)
    return loader.assemble(model.id, config, weights, text)


def _from_hub(reference: Reference, registry: Registry, loader: _Loader) -> Translator:
    from zoo_core.models.fetched import fetch_model

    opens = loader.host.hook.zoo_open_reference
    try:
        directory = opens(reference=str(reference), entry=None, file=None) or fetch_model(reference)
    except HubUnreachableError as error:
        named = naming_offline(error, _embedded(registry))
        raise _or_directory(named, reference) from error
    except HubMissingError as error:
        if error.missing != "repository":
            raise
        raise _or_directory(error, reference) from error
    return _from_directory(directory, loader, str(reference))


def _or_directory(error: HubError, reference: Reference) -> HubError:
    """The error that also says that the name is no directory, which it may have meant."""
    if reference.revision or reference.file:
        return error
    hint = f"There is no directory {reference} here either. {error.hint}"
    return HubError(error.problem, asked=error.asked, hint=hint)


def _embedded(registry: Registry) -> list[str]:
    """Names of the models that work without the Hub."""
    return [
        model.id
        for model in registry.models.values()
        if model.installed and (path := model.data["weights"].get("path"))
        if model.path(path).is_file()
    ]


@dataclass(frozen=True)
class _Loader:
    """What all ways of loading share."""

    host: PluginHost
    options: Mapping[str, Any]
    renderer: Any = None

    def assemble(self, name: str, config: ModelConfig, weights: Path, card: str) -> Translator:
        kinds = self.host.components("codec")
        if config.signal.kind not in kinds:
            raise unknown("kind of signal", config.signal.kind, kinds)
        codec = self.host.load("codec", config.signal.kind)(config.signal, config.preprocessing)
        if self.renderer is not None:
            codec.render_with(_made(self.renderer, self.host))
        method = no_init(lambda: build_method(config, self.host))
        load_weights(method, weights)
        return Translator(method, config, codec, card=card, name=name, **self.options)


def _made(renderer: Any, host: PluginHost) -> Any:
    """A renderer that is named together with its options; any other object as it is."""
    if not isinstance(renderer, str):
        return renderer
    from zoo_core.host.named import make_named, parse_named

    name, values = parse_named(renderer, "--renderer")
    cls = host.load("renderer", name)
    return make_named(cls, values, asked=f"renderer {name}")
