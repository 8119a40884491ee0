"""A model directory in a repository of the Hub."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path, PurePosixPath

from zoo_core.errors import HubError, HubMissingError
from zoo_core.hub.cache import RepoCache, fetch
from zoo_core.hub.reference import ANY, Reference
from zoo_core.models.modeldir import CARD, CONFIG, MODEL


def fetch_model(reference: Reference) -> Path:
    """The cached model directory of a repository: its configuration, weights and card, verified.

    Args:
        reference: The repository. Its file, where one is named, is the weights file of a model
            directory inside the repository, or that directory.

    Raises:
        HubError: If there is no model directory, or the Hub cannot be asked.
    """
    asked = f'model "{reference}"'
    folder = _folder(reference)
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
    commit = RepoCache(reference).record().commit(reference)
    weights = replace(reference, revision=commit, file=str(folder / MODEL))
    fresh = RepoCache(weights).find(weights, ANY) is None
    fetch(weights, asked=asked)
    if fresh:
        with contextlib.suppress(HubError):  # a model without a card translates as well
            fetch(replace(reference, revision=commit, file=str(folder / CARD)), asked=asked)
    return config.parent


def _folder(reference: Reference) -> PurePosixPath:
    path = PurePosixPath(reference.file or "")
    return path.parent if path.name in (MODEL, CONFIG) else path
