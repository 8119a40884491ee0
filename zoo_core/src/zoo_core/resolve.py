"""Finds the weights of a catalogue model: embedded in its plugin, else in the Hub's cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo_core.errors import WeightsError
from zoo_core.importing import converted
from zoo_core.weights import verify

if TYPE_CHECKING:
    from zoo_core.manifest import Weights
    from zoo_core.registry import Model

Finder = Callable[["Model"], Path | None]
"""Looks in one place; None where the weights are not there."""


def embedded(model: Model) -> Path | None:
    """The file that the plugin brings, relative to its registry file."""
    path = model.entry.weights.path
    return None if path is None else model.path(path)


def cached(model: Model) -> Path | None:
    """The file in the Hub's local cache, at the very revision of the entry."""
    weights = model.entry.weights
    if weights.repo is None or weights.file is None or weights.revision is None:
        return None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(
        weights.repo, weights.file, revision=weights.revision, repo_type=weights.repo_type
    )
    return Path(found) if isinstance(found, str) else None


FINDERS: Sequence[Finder] = (embedded, cached)
"""The places in the order in which they are tried."""


def resolve(
    model: Model, *, offline: Sequence[str] = (), finders: Sequence[Finder] = FINDERS
) -> Path:
    """The weights file of a model, verified.

    Args:
        model: From the catalogue.
        offline: Names of models that work without the Hub, for the error.
        finders: The places to look in, in order.

    Raises:
        WeightsError: If the file is nowhere, or it is not the one that the registry means.
    """
    weights = model.entry.weights
    for find in finders:
        path = find(model)
        if path is not None:
            _check(model, path, weights)
            return path if weights.format == "safetensors" else converted(path, model)
    works = f"These work offline: {', '.join(offline)}." if offline else None
    raise WeightsError(
        f"its weights are on the Hub ({weights.repo}, {weights.file}) and not in the local cache",
        asked=f'model "{model.id}"',
        hint=works,
    )


def _check(model: Model, path: Path, weights: Weights) -> None:
    if weights.sha256 is None:
        raise WeightsError(
            "the registry does not state the hash of its weights, so they are not opened",
            asked=f'model "{model.id}"',
        )
    verify(path, sha256=weights.sha256, size=weights.bytes)
