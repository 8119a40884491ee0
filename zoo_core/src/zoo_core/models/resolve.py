"""Finds the weights of a catalogue model: embedded in its plugin, in the cache, on the Hub."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING

from zoo_core.errors import HubUnreachableError, WeightsError
from zoo_core.files import verify
from zoo_core.host import plugins
from zoo_core.hub.reference import of_weights
from zoo_core.models.modeldir import MODEL

if TYPE_CHECKING:
    from zoo_core.catalogue.registry import Model
    from zoo_core.host.plugins import PluginHost

Finder = Callable[["Model"], Path | None]
"""Looks in one place and verifies what it finds; None where the weights are not there."""
_SHOWN = 6
"""Models that an error names as working offline."""


def embedded(model: Model) -> Path | None:
    """The file that the plugin brings, relative to its registry file."""
    weights = model.entry.weights
    if weights.path is None:
        return None
    path = model.path(weights.path)
    if weights.repo is not None and not path.exists():
        return None  # this release of the plugin leaves it to the Hub
    if weights.sha256 is None:
        raise WeightsError(
            "the registry does not state the hash of its weights, so they are not opened",
            asked=f'model "{model.id}"',
        )
    verify(path, sha256=weights.sha256, size=weights.bytes)
    return path


def fetched(model: Model) -> Path | None:
    """The file of the Hub: from the zoo's cache, else fetched into it."""
    weights = model.entry.weights
    reference = of_weights(model.data["weights"])
    if reference is None:
        return None
    from zoo_core.hub.cache import fetch
    from zoo_core.hub.reference import Expected

    return fetch(reference, Expected(weights.sha256, weights.bytes), asked=f'model "{model.id}"')


FINDERS: Sequence[Finder] = (embedded, fetched)
"""The places in the order in which they are tried."""


def resolve(
    model: Model,
    *,
    offline: Sequence[str] = (),
    finders: Sequence[Finder] = FINDERS,
    host: PluginHost | None = None,
) -> Path:
    """The safetensors file of a model, verified, and converted where its format is foreign.

    Args:
        model: From the catalogue.
        offline: Names of models that work without the Hub, for the error.
        finders: The places to look in, in order.
        host: The plugins, one of which may have to convert; None for the process's own.

    Raises:
        WeightsError: If the file is nowhere, or it is not the one that the registry means.
    """
    try:
        path = next((path for find in finders if (path := find(model)) is not None), None)
    except HubUnreachableError as error:
        raise naming_offline(error, offline) from error.__cause__
    if path is None:
        raise WeightsError(
            "its weights are nowhere: neither in its plugin nor on the Hub",
            asked=f'model "{model.id}"',
        )
    if model.entry.weights.format == "safetensors":
        return path
    opens = (host or plugins.host()).hook.zoo_open_reference
    directory: Path | None = opens(reference=None, entry=model.data, file=path)
    if directory is None:
        raise WeightsError(
            f'its weights have the format "{model.entry.weights.format}", and no plugin reads it',
            asked=f'model "{model.id}"',
            hint="Install zoo-import, which converts the weights of others.",
        )
    return directory / MODEL


def naming_offline(error: HubUnreachableError, names: Sequence[str]) -> HubUnreachableError:
    """The error with the models that work without the Hub, those of a like name first."""
    if not names:
        return error
    asked = error.asked or ""
    near = sorted(names, key=lambda name: -SequenceMatcher(None, asked, f'model "{name}"').ratio())
    more = " and others (zoo list)" if len(names) > _SHOWN else ""
    hint = f"{error.hint} These work offline: {', '.join(near[:_SHOWN])}{more}."
    return HubUnreachableError(error.problem, asked=error.asked, hint=hint)
