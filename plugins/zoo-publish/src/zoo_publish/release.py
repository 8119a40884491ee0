"""What registries say of models that were published, and the release of all embedded ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from huggingface_hub import ModelCardData

from zoo_core.catalogue.description import MetricValue, ModelEntry, parse_entry, read_entries
from zoo_core.catalogue.registry import Model, Registry
from zoo_core.errors import UsageError
from zoo_core.host.plugins import PluginHost
from zoo_core.models.modeldir import model_directory, read_card_text, read_config
from zoo_publish.embed import About, entry_of
from zoo_publish.publish import PublishedModel, publish
from zoo_publish.published_card import hub_card
from zoo_publish.workspace import indexed_files, values_of, write_index, write_registry
from zoo_train.card import Card


def publish_named(
    name: str, repo: str, host: PluginHost, *, private: bool = False
) -> tuple[PublishedModel, ModelEntry]:
    """Publishes a run, a model directory, or an embedded model by its name.

    Returns:
        What was published, and the registry entry by which others load it by name.

    Raises:
        UsageError: If there is no such model here.
        ZooError: As `zoo_publish.publish.publish`.
    """
    registry = Registry.load(host)
    known = registry.models.get(name)
    if known is not None:
        done = publish(_folder(known), repo, host, private=private)
        weights = {"source": "hub", **done.weights}
        return done, _changed(known.entry, weights)
    if not Path(name).exists():
        names = ", ".join(model.id for model in _embedded(registry))
        raise UsageError(
            "there is no such directory, nor an embedded model of this name",
            asked=f'model "{name}"',
            hint=f"Embedded here: {names or 'none'}.",
        )
    directory = model_directory(Path(name))
    done = publish(directory, repo, host, private=private)
    return done, entry_of_directory(directory, done, host)


def publish_embedded(
    org: str, root: Path, host: PluginHost, *, private: bool = False
) -> Iterator[PublishedModel]:
    """Publishes every embedded model of a workspace, and writes where it is into its registry.

    A model is ``ORG/ID``. Each registry is written as soon as its model is on the Hub; the index of
    all models at the end. A plugin may leave out its weights from then on.

    Args:
        org: Owner of the repositories.
        root: The workspace.
        host: The plugins.
        private: Whether only the owner shall see them.

    Raises:
        UsageError: If ``root`` is no workspace.
        ZooError: As `zoo_publish.publish.publish`; what was published before stays.
    """
    indexed_files(root)  # refuses what is no workspace before anything is uploaded
    for model in _embedded(Registry.load(host)):
        file = model.file
        if file is None or not file.resolve().is_relative_to(root.resolve()):
            continue  # a plugin of someone else
        done = publish(_folder(model), f"{org}/{model.id}", host, private=private)
        entries = [
            _changed(entry, {**values_of(entry)["weights"], **done.weights})
            if entry.id == model.id
            else entry
            for entry in read_entries(file)
        ]
        write_registry(file, entries)
        yield done
    write_index(root)


def entry_of_directory(directory: Path, done: PublishedModel, host: PluginHost) -> ModelEntry:
    """A registry entry made of a published model directory and its card."""
    config = read_config(directory)
    data = cast(ModelCardData, hub_card(read_card_text(directory), str(directory)).data)
    licence = data.license if data.license not in (None, "unknown") else "not stated"
    card = Card(
        title=done.repo,
        summary=f"{config.signal.kind.capitalize()}s: {', '.join(config.domains.names)}",
        licence=str(licence),
        provenance=done.page,
        metrics=[
            MetricValue(r.metric_name or r.metric_type, r.metric_value, r.dataset_name)
            for r in data.eval_results or []
        ],
    )
    name = re.sub(r"[^a-z0-9._-]+", "-", done.repo.partition("/")[2].lower()).strip("._-")
    return entry_of(name, About("translation", card), {"source": "hub", **done.weights})


def _embedded(registry: Registry) -> list[Model]:
    """The models whose weights are in a plugin here."""
    return [model for model in registry.models.values() if model.installed and model.embedded]


def _folder(model: Model) -> Path:
    path = model.require().embedded
    if path is None:
        raise UsageError(
            "its weights are not in its plugin but on the Hub",
            asked=f'model "{model.id}"',
            hint="See zoo info.",
        )
    return path.parent


def _changed(entry: ModelEntry, weights: Mapping[str, Any]) -> ModelEntry:
    """The entry with other ``weights``."""
    return parse_entry({**values_of(entry), "weights": dict(weights)}, f"model {entry.id}")
