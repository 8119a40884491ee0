"""From a name to a model directory: a folder here, a plugin's, or one that a source brings.

The core itself opens no connection. What is not on this machine comes from components of kind
``model-source``, of which zoo-hub brings one. Importing this module imports no torch.
"""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from zoo_core.catalogue.description import NATIVE
from zoo_core.catalogue.registry import CONFIG, HUB, Model, Registry
from zoo_core.errors import HubUnreachableError, PluginError, UsageError, WeightsError
from zoo_core.files import verify
from zoo_core.host.plugins import PluginHost
from zoo_core.host.plugins import host as shared
from zoo_core.models.modeldir import MODEL
from zoo_core.schema import plain

_SHOWN = 6
"""Models that an error names as working offline."""


@dataclass(frozen=True)
class FirstSeen:
    """What a file was when a source brought it first.

    Attributes:
        sha256: Its hash.
        bytes: Its size.
        date: The day, as ``2026-01-31``.
    """

    sha256: str
    bytes: int
    date: str = ""


class ModelSource(ABC):
    """Brings models that are not on this machine: the contract of kind ``model-source``.

    What it brings it keeps, verifies whenever it is asked for, and needs no network for any more.
    It must not be asked while a stranger's model is built, and raises then
    (`zoo_core.untrusted.refuse_while_building`). Its module imports nothing heavy.
    """

    @abstractmethod
    def recognises(self, reference: str) -> bool:
        """Whether a text has the form of this source's references; no request is made."""

    @abstractmethod
    def directory(self, reference: str) -> Path:
        """The model directory that a reference names.

        Raises:
            HubError: If it is not there, or the source cannot be reached.
        """

    @abstractmethod
    def file(self, reference: str, *, asked: str) -> Path:
        """The one file that a reference names.

        Args:
            reference: With a file, such as ``org/repo:file``.
            asked: How the user named it, for errors.

        Raises:
            HubError: If it is not there, or the source cannot be reached.
        """

    @abstractmethod
    def weights(self, weights: Mapping[str, Any], *, asked: str) -> Path:
        """The weights file of a registry entry, with the hash and size that the entry says.

        Args:
            weights: Its ``weights``, as `zoo_core.catalogue.description.Weights` has them. In the
                zoo's own format, the rest of the model directory lies beside the file.
            asked: How the user named the model, for errors.

        Raises:
            HubError: If it is not there, is another file, or the source cannot be reached.
        """

    @abstractmethod
    def known(self, weights: Mapping[str, Any]) -> tuple[Path | None, FirstSeen | None]:
        """Where the weights of a registry entry are kept, and what they were when they came.

        Makes no request and opens no weights; neither is known where they were never here.
        """


def model_source(asked: str, name: str = HUB, host: PluginHost | None = None) -> ModelSource:
    """The source of a name.

    Args:
        asked: What is wanted of it, for the error.
        name: Its name.
        host: The plugins; None for the installed ones.

    Raises:
        PluginError: If it is not there, with the package that brings it.
    """
    host = host or shared()
    if name not in host.components("model-source"):
        remedy = host.remedy(f"zoo-{name}")
        raise PluginError(
            f"the package zoo-{name}, which fetches it, is not here", asked=asked, hint=f"{remedy}."
        )
    source: ModelSource = host.load("model-source", name)()
    return source


def find_model(name: str | os.PathLike[str], registry: Registry, host: PluginHost) -> Path:
    """The directory of a model, its weights verified as far as their hash is known.

    Args:
        name: As for `zoo_core.translate.loading.load`.
        registry: The catalogue.
        host: The plugins, one of which may have to convert foreign weights.

    Raises:
        UsageError: If there is no such model.
        PluginError: If a package that it needs is not installed.
        HubError: If the Hub cannot be reached, or has no such model.
        WeightsError: If weights are missing, damaged, or not those that are meant.
    """
    text = os.fspath(name)
    if isinstance(name, str) and name in registry.models:
        with _naming_offline(registry):
            return model_files(registry.get(name), host)
    if text and os.path.exists(text):  # noqa: PTH110  (takes any text)
        path, opened = Path(text), None
        if path.is_file():
            opened = host.hook.zoo_open_reference(reference=text, entry=None, file=path)
        return opened or model_directory(path)
    if isinstance(name, str) and re.fullmatch(r"[\w.-]+", text):
        registry.get(text)  # which names the near match
    sources = [model_source(text, known, host) for known in host.components("model-source")]
    for source in sources if isinstance(name, str) else ():
        if source.recognises(text):
            with _naming_offline(registry):
                opens = host.hook.zoo_open_reference
                found: Path | None = opens(reference=text, entry=None, file=None)
                return found or source.directory(text)
    far = "ORG/REPO of the Hub" + ("" if sources else f" ({host.remedy(f'zoo-{HUB}')})")
    raise UsageError(
        "there is no such directory",
        asked=f'model "{text[:200]}"',
        hint=f"Give a name from zoo list, a directory that zoo train wrote, or {far}.",
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
        PluginError: If its plugin, or the package that fetches its weights, is absent.
        HubError: If the Hub cannot be reached, or has it not.
        WeightsError: If the weights are nowhere, damaged, or in a format that nothing reads.
    """
    asked, weights = f'model "{model.id}"', model.require().entry.weights
    if weights.path is not None and model.file and (model.embedded or weights.repo is None):
        file = model.file.parent / weights.path
        verify(file, sha256=weights.sha256, size=weights.bytes)
    elif weights.repo is None:
        problem = "its weights are nowhere: neither in its plugin nor on the Hub"
        raise WeightsError(problem, asked=asked)
    else:
        file = model_source(asked, host=host).weights(plain(weights), asked=asked)
    if weights.format == NATIVE:
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
