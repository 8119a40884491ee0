"""The Hub as a source of models: from a registry entry or a reference to verified files.

Importing this module imports nothing heavy.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from zoo_core.catalogue.description import NATIVE
from zoo_core.catalogue.registry import CONFIG
from zoo_core.contracts.model_source import FirstSeen, ModelSource
from zoo_core.errors import HubError, HubUnreachableError, WeightsError
from zoo_core.models.modeldir import CARD, MODEL
from zoo_hub.cache import RepoCache, fetch
from zoo_hub.reference import (
    ANY,
    Expected,
    HubMissingError,
    Reference,
    looks_like,
    of_weights,
    parse,
)


class HubSource(ModelSource):
    """Weights of registry entries, and ``org/repo[@revision][:file]``."""

    def recognises(self, reference: str) -> bool:
        """Whether a text has the form ``[spaces/]org/repo[@revision][:file]``."""
        return looks_like(reference)

    def directory(self, reference: str) -> Path:
        """The cached model directory of a repository, or of a folder of it.

        Raises:
            HubError: If there is no model directory, or the Hub cannot be asked.
            WeightsError: If the cache cannot be used.
        """
        wanted = parse(reference)
        try:
            return fetch_model(wanted)
        except (HubMissingError, HubUnreachableError) as error:
            plain = not (wanted.revision or wanted.file)
            if not plain or getattr(error, "missing", "repository") != "repository":
                raise
            hint = f"There is no directory {reference} here either. {error.hint}"
            kind = HubUnreachableError if isinstance(error, HubUnreachableError) else HubError
            raise kind(error.problem, asked=error.asked, hint=hint) from error

    def file(self, reference: str, *, asked: str) -> Path:
        """One cached file, ``org/repo[@revision]:file``; see `zoo_hub.cache.fetch`."""
        return fetch(parse(reference), asked=asked)

    def weights(self, weights: Mapping[str, Any], *, asked: str) -> Path:
        """The cached weights file of a registry entry, in its model directory where it has one.

        Raises:
            HubError: If the Hub cannot be reached, has it not, or sends something else.
            WeightsError: If the entry names nothing on the Hub, or the cache cannot be used.
        """
        reference = of_weights(weights)
        if reference is None:
            raise WeightsError("its registry entry names no file of the Hub", asked=asked)
        expected = Expected(weights.get("sha256"), weights.get("bytes"))
        if weights.get("format", NATIVE) == NATIVE:
            return fetch_model(reference, expected, asked=asked) / MODEL
        return fetch(reference, expected, asked=asked)

    def known(self, weights: Mapping[str, Any]) -> tuple[Path | None, FirstSeen | None]:
        """The cached file of a registry entry, unopened, and what was seen of it first."""
        reference = of_weights(weights)
        try:
            return (None, None) if reference is None else RepoCache(reference).known(reference)
        except (WeightsError, OSError):  # zoo verify says what is wrong
            return None, None


def fetch_model(reference: Reference, expected: Expected = ANY, *, asked: str = "") -> Path:
    """The cached model directory of a repository: its configuration, weights and card, verified.

    Args:
        reference: The repository. Its file, where one is named, is the weights file of a model
            directory inside the repository, or that directory.
        expected: What the weights must be.
        asked: How the user named it, for errors.

    Raises:
        HubError: If there is no model directory, or the Hub cannot be asked.
    """
    asked = asked or f'model "{reference}"'
    folder = PurePosixPath(reference.file or "")
    folder = folder.parent if folder.name in (MODEL, CONFIG) else folder
    try:
        config = fetch(replace(reference, file=str(folder / CONFIG)), asked=asked)
    except HubMissingError as error:
        if error.missing != "file":
            raise
        raise HubError(
            f'the {reference.kind} repository {reference.repo} has no "{folder / CONFIG}", so it '
            "holds no model of the zoo",
            asked=asked,
            hint="Weights in another layout are converted by zoo import.",
        ) from error.__cause__
    cache = RepoCache(reference)
    pinned = replace(reference, revision=cache.record().commit(reference))
    weights = replace(pinned, file=str(folder / MODEL))
    fresh = cache.find(weights, expected) is None
    fetch(weights, expected, asked=asked)
    if fresh:
        with contextlib.suppress(HubError):  # a model without a card translates as well
            fetch(replace(pinned, file=str(folder / CARD)), asked=asked)
    return config.parent
