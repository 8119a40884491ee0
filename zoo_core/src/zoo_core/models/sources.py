"""From a name to a verified model directory: a folder here, a plugin's, the cache's, the Hub's."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path, PurePosixPath

from zoo_core.catalogue.description import NATIVE
from zoo_core.catalogue.registry import CONFIG, Model, Registry
from zoo_core.errors import (
    HubError,
    HubMissingError,
    HubUnreachableError,
    UsageError,
    WeightsError,
)
from zoo_core.files import verify
from zoo_core.host.plugins import PluginHost
from zoo_core.hub.cache import RepoCache, fetch
from zoo_core.hub.reference import ANY, Expected, Reference, looks_like, of_weights, parse
from zoo_core.models.modeldir import CARD, MODEL
from zoo_core.schema import plain

_SHOWN = 6
"""Models that an error names as working offline."""


def find_model(name: str | os.PathLike[str], registry: Registry, host: PluginHost) -> Path:
    """The directory of a model, its weights verified as far as their hash is known.

    Args:
        name: As for `zoo_core.translate.loading.load`.
        registry: The catalogue.
        host: The plugins, one of which may have to convert foreign weights.

    Raises:
        UsageError: If there is no such model.
        HubError: If the Hub cannot be reached, or has no such model.
        WeightsError: If weights are missing, damaged, or not those that are meant.
    """
    text = os.fspath(name)
    if isinstance(name, str) and name in registry.models:
        with _naming_offline(registry):
            return model_files(registry.get(name), host)
    if text and os.path.exists(text):  # noqa: PTH110  (takes any text)
        return model_directory(Path(text))
    if isinstance(name, str) and re.fullmatch(r"[\w.-]+", text):
        registry.get(text)  # which names the near match
    if isinstance(name, str) and looks_like(text):
        with _naming_offline(registry):
            return _of_repository(parse(text), host)
    raise UsageError(
        "there is no such directory",
        asked=f'model "{text[:200]}"',
        hint="Give a name from zoo list, a directory that zoo train wrote, or ORG/REPO of the Hub.",
    )


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


def model_files(model: Model, host: PluginHost) -> Path:
    """The directory of a model of the catalogue; its weights are those that the registry means.

    Raises:
        PluginError: If its plugin is absent.
        HubError: If the Hub cannot be reached, or has it not.
        WeightsError: If the weights are nowhere, damaged, or in a format that nothing reads.
    """
    asked, weights = f'model "{model.id}"', model.require().entry.weights
    expected, reference = Expected(weights.sha256, weights.bytes), of_weights(model.data["weights"])
    native = weights.format == NATIVE
    if weights.path is not None and model.file and (model.embedded or reference is None):
        file = model.file.parent / weights.path
        verify(file, sha256=weights.sha256, size=weights.bytes)
    elif reference is None:
        problem = "its weights are nowhere: neither in its plugin nor on the Hub"
        raise WeightsError(problem, asked=asked)
    elif native:
        return fetch_model(reference, expected, asked=asked)
    else:
        file = fetch(reference, expected, asked=asked)
    if native:
        return file.parent
    opens = host.hook.zoo_open_reference
    directory: Path | None = opens(reference=None, entry=plain(model.entry), file=file)
    if directory is None:
        raise WeightsError(
            f'its weights have the format "{weights.format}", and no plugin reads it',
            asked=asked,
            hint="Install zoo-import, which converts the weights of others.",
        )
    return directory


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


def _of_repository(reference: Reference, host: PluginHost) -> Path:
    opens = host.hook.zoo_open_reference
    try:
        found: Path | None = opens(reference=str(reference), entry=None, file=None)
        return found or fetch_model(reference)
    except (HubMissingError, HubUnreachableError) as error:
        plain = not (reference.revision or reference.file)
        if not plain or getattr(error, "missing", "repository") != "repository":
            raise
        hint = f"There is no directory {reference} here either. {error.hint}"
        kind = HubUnreachableError if isinstance(error, HubUnreachableError) else HubError
        raise kind(error.problem, asked=error.asked, hint=hint) from error


@contextmanager
def _naming_offline(registry: Registry) -> Iterator[None]:
    """Adds the models that work without the Hub to an error that it cannot be reached."""
    try:
        yield
    except HubUnreachableError as error:
        models = registry.models.values()
        names = [model.id for model in models if model.installed and model.embedded]
        hint = f"{error.hint}{_working_offline(error.asked or '', names)}"
        raise HubUnreachableError(error.problem, asked=error.asked, hint=hint) from error


def _working_offline(asked: str, names: Sequence[str]) -> str:
    """A sentence that names models, those of a like name first."""
    near = sorted(names, key=lambda name: -SequenceMatcher(None, asked, f'model "{name}"').ratio())
    more = " and others (zoo list)" if len(names) > _SHOWN else ""
    return f" These work offline: {', '.join(near[:_SHOWN])}{more}." if names else ""
