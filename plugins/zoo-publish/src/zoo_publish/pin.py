"""For maintainers: writes commit, size and hash of a model's weights into its plugin's registry."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from zoo_core.catalogue.description import ModelEntry, parse_entry, read_entries
from zoo_core.catalogue.registry import Model
from zoo_core.errors import HubError, UsageError
from zoo_hub.cache import RepoCache, fetch
from zoo_hub.reference import Expected, of_weights
from zoo_publish.workspace import values_of, write_registry


def pin(model: Model, revision: str | None = None) -> ModelEntry:
    """Fetches the weights of a model and writes what they are into its registry.

    Args:
        model: The model; its plugin must be installed from a folder that can be written.
        revision: Revision to take instead of the one that the entry names, or of ``main``.

    Returns:
        The new entry, no longer ``trust: first-use``.

    Raises:
        UsageError: If its weights are not on the Hub.
        HubError: If they cannot be fetched, or are not what the entry says.
    """
    asked = f'model "{model.id}"'
    old = model.require().entry.weights
    reference = of_weights(model.data["weights"])
    if reference is None or model.file is None:
        raise UsageError(
            "its weights are not on the Hub, so there is nothing to pin",
            asked=asked,
            hint="zoo registry add records the hash of embedded weights.",
        )
    reference = replace(reference, revision=revision or old.revision or "main")
    expected = Expected() if revision else Expected(old.sha256, old.bytes)
    path = fetch(reference, expected, asked=asked)
    cache = RepoCache(reference)
    commit, (_, seen) = cache.record().commit(reference), cache.known(reference)
    if seen is None or not path.is_file():
        raise HubError("what came is not in the cache any more", asked=asked, hint="Try again.")
    found = {"revision": commit, "sha256": seen.sha256, "bytes": seen.bytes}
    entries = [
        _pinned(entry, found) if entry.id == model.id else entry
        for entry in read_entries(model.file)
    ]
    write_registry(model.file, entries)
    return next(entry for entry in entries if entry.id == model.id)


def _pinned(entry: ModelEntry, found: dict[str, Any]) -> ModelEntry:
    values = values_of(entry)
    weights = {**values["weights"], **found}
    weights.pop("trust", None)
    return parse_entry({**values, "weights": weights}, f"model {entry.id}")
