"""Foreign weights of a registry entry, converted once and kept in the zoo's cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from zoo_core.catalogue.description import ModelConfig
from zoo_core.contracts.method import Method
from zoo_core.contracts.signals import Batch, Domains, TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import UsageError, WeightsError, ZooError
from zoo_core.host.plugins import PluginHost
from zoo_core.models.modeldir import MODEL, build_method
from zoo_core.models.weights import load_state, net_state, no_init
from zoo_core.schema import write_yaml
from zoo_core.translate.loading import load
from zoo_core.translate.translator import Translator
from zoo_core.untrusted import file_sha256, read_yaml_file, verify
from zoo_hub.cache import cache_errors
from zoo_hub.settings import cache_root
from zoo_import.checkpoint import read_state
from zoo_import.mapping import (
    AUTO,
    CheckpointSource,
    blueprint,
    configure,
    contradictions,
    importer_of,
    recognise,
    tensors_for,
)
from zoo_nn.synthetic import random_batch
from zoo_train.card import Card
from zoo_train.writing import write_model

if TYPE_CHECKING:
    from zoo_core.catalogue.description import ModelEntry

GOLDEN_EXTENT = 32
"""Largest extent of the golden signals of an import, where the nets take any."""
_STAMP = "converted.yaml"


def converted(path: Path, entry: ModelEntry, *, host: PluginHost) -> Path:
    """The safetensors file of a model whose weights have a foreign format.

    Args:
        path: The foreign file, already verified.
        entry: Its registry entry; ``entry.weights.format`` names the importer.
        host: The plugins.

    Returns:
        ``model.safetensors`` of a model directory in the zoo's cache. The directory's name is made
        of the hash of ``path``, of the importer's version and of the entry's configuration, so
        that a file is converted once; a directory that was damaged since is made anew.

    Raises:
        WeightsError: If there is no such importer, the file is not of this format or does not fit
            the entry, or the cache cannot be written.
    """
    layout, config = entry.weights.format, entry.config
    if config is None:
        raise ValueError(f"{entry.id} is in the zoo's own format")  # a caller's fault

    def make(directory: Path) -> None:
        found = recognise(path, read_state(path), layout, host)
        _require_agreement(found, config, host, entry.id)
        tensors = tensors_for(config, [found], host)
        write_import(directory, config, tensors, card=_card_of(entry, config, host), host=host)

    source = {
        "sha256": entry.weights.sha256 or file_sha256(path),
        "format": layout,
        "version": importer_of(layout, host).version,
    }
    return _kept(entry.id, source, config.to_yaml(), make) / MODEL


def _card_of(entry: ModelEntry, config: ModelConfig, host: PluginHost) -> Card:
    """The card of weights that only a registry describes."""
    return Card(
        title=entry.id,
        summary=entry.summary,
        licence=entry.licence.weights,
        paper=host.method(config.method).paper,
        provenance=entry.provenance,
        tags=(entry.task,),
        metrics=entry.metrics,
    )


def import_unregistered(path: Path, name: str, *, host: PluginHost) -> Path:
    """The model directory of a foreign file of which no registry entry tells anything.

    Its domains have the layout's own names, else they are called ``a`` and ``b``, its attributes
    ``attribute_1`` and so on; the file itself tells the rest.

    Args:
        path: The foreign file.
        name: What the user calls it.
        host: The plugins.

    Returns:
        A model directory in the zoo's cache.

    Raises:
        WeightsError: If the file is of no known layout, or the cache cannot be written.
    """
    found = recognise(path, read_state(path), AUTO, host)
    count = next((p.conditions for p in found.parts if p.conditions is not None), 2)
    kind = found.importer.kind
    made_up = (
        chr(ord("a") + i) if kind == "domains" else f"attribute_{i + 1}" for i in range(count)
    )
    names = found.importer.domains or tuple(made_up)
    config = configure([found], Domains(names, kind))
    codec = host.load("codec", config.signal.kind)
    trained = codec.preprocessing_for(config.signal, TrainConfig(scale=found.importer.scale))
    config = replace(config, preprocessing=trained)
    card = Card(
        title=name,
        summary=f"Weights in the layout {found.layout}, used as {config.method}.",
        licence="not stated",
        paper=host.method(config.method).paper,
        provenance=f"{name}; nobody has said what it was trained on.",
    )
    source = {
        "sha256": file_sha256(path),
        "format": found.layout,
        "version": found.importer.version,
    }

    def make(directory: Path) -> None:
        tensors = tensors_for(config, [found], host)
        write_import(directory, config, tensors, card=card, host=host)

    return _kept("adopted", source, config.to_yaml() + name, make)


def _kept(name: str, source: Mapping[str, Any], config: str, make: Callable[[Path], None]) -> Path:
    """A directory of the cache that holds one conversion; made where it is not there intact."""
    from filelock import FileLock

    text = json.dumps([source, config], sort_keys=True)
    mark = hashlib.sha256(text.encode()).hexdigest()[:20]
    directory = cache_root() / "converted" / f"{name}-{mark}"
    with cache_errors(f'model "{name}"'):
        if _intact(directory):
            return directory
        directory.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(directory.with_suffix(".lock")):
            if not _intact(directory):
                make(directory)
                _stamp(directory, source)
    return directory


def write_import(
    directory: Path,
    config: ModelConfig,
    tensors: Mapping[str, Tensor],
    *,
    card: Card,
    host: PluginHost,
) -> None:
    """Writes a model directory of imported tensors, with golden outputs; all of it or nothing.

    Args:
        directory: Where.
        config: The configuration.
        tensors: From `zoo_import.mapping.tensors_for`: whole nets, as ``net.key``. Other
            nets are left out, not made up.
        card: What the card says.
        host: The plugins.

    Raises:
        WeightsError: If a value is not finite, or the model cannot be loaded and translate.
        UsageError: If ``directory`` holds something that is not a model.
        ZooError: If it cannot be written.
    """
    method = no_init(lambda: build_method(config, host))
    names = list(dict.fromkeys(key.partition(".")[0] for key in tensors))
    load_state(net_state(method, names), tensors, asked=f"import {directory.name}")
    for name in [name for name in method.nets if name not in names]:
        del method.nets[name]
    batch = _golden_batch(method, config)
    write_model(
        directory, method, config, card=card, sample_batch=batch, check=partial(_prove, host)
    )


def _prove(host: PluginHost, directory: Path) -> None:
    """Loads a model as a user would, and translates one signal.

    Raises:
        WeightsError: If that fails, or the translation is not finite.
    """
    asked, hint = "the imported model", "Nothing was written."
    try:
        translator = load(directory, "cpu", "float32", host=host)
        batch = _golden_batch(translator.method, translator.config)
        signal = next(iter(batch.signals.values()))[:1]  # (1, *S)
        output = _translated(translator, signal)  # (1, *S)
    except ZooError as error:
        what = f"{error.asked}: " if error.asked else ""
        problem = f"it cannot be used ({what}{error.problem})"
        raise WeightsError(
            problem, asked=asked, hint=f"{error.hint or ''} {hint}".strip()
        ) from error
    if output.shape != signal.shape or not output.isfinite().all():
        raise WeightsError(
            f"of a signal {tuple(signal.shape)} it makes {tuple(output.shape)}"
            + ("" if output.isfinite().all() else " with values that are not finite"),
            asked=asked,
            hint=hint,
        )


def _translated(translator: Translator, signal: Tensor) -> Tensor:
    """(1, *S) one signal translated, by way of the codec where it takes tensors."""
    target, domains = translator.method.targets[0], translator.domains
    exclusive = domains.kind == "domains"
    to = target if exclusive else {target: 1}
    source = next((n for n in domains if n != target), None) if exclusive else None
    try:
        translator.codec.wrap(signal)
    except UsageError:  # recordings, say, come in another form
        engine = translator.engine
        return engine.translate(signal, engine.label(source), engine.vector(to))
    return translator.translate(signal, to, source=source)  # type: ignore[no-any-return]


def _golden_batch(method: Method[Any], config: ModelConfig) -> Batch:
    """Random signals, no larger than they need be."""
    spec = config.signal
    extents = list(spec.shape)
    for axis in range(len(extents) - spec.flexible, len(extents)):
        bound = max(spec.stride, GOLDEN_EXTENT // spec.stride * spec.stride)
        extents[axis] = min(extents[axis], bound)
    small: TensorSpec = replace(spec, shape=tuple(extents))
    mixed = config.domains.kind == "attributes" or method.sampling == "mixed"
    return random_batch(config.domains, small, mixed=mixed, count=2, seed=0)


def _require_agreement(
    source: CheckpointSource, config: ModelConfig, host: PluginHost, name: str
) -> None:
    lines = contradictions(source, config, blueprint(config, host))
    if lines:
        raise WeightsError(
            "its file is not what its registry entry says:\n"
            + "\n".join(f"  {line}" for line in lines),
            asked=f'model "{name}"',
            hint="This is a fault of the registry; tell the maintainer of the plugin.",
        )


def _stamp(directory: Path, source: Mapping[str, Any]) -> None:
    """Records what a conversion came from and what it gave."""
    file = directory / MODEL
    result = {"sha256": file_sha256(file), "bytes": file.stat().st_size}
    text = write_yaml({"source": source, "result": result})
    (directory / _STAMP).write_text(text, encoding="utf-8")


def _intact(directory: Path) -> bool:
    """Whether a conversion is there, whole and undamaged."""
    if not (directory / _STAMP).is_file():
        return False
    try:
        result = read_yaml_file(directory / _STAMP)["result"]
        verify(directory / MODEL, sha256=result["sha256"], size=result["bytes"])
    except (ZooError, KeyError, TypeError, AttributeError):
        return False
    return True
