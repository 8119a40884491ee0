"""The model directory: the one form in which a run exports, a repository holds and a cache keeps.

From a name to it: a folder here, a plugin's, or one that a component of kind ``model-source``
brings, such as zoo-hub's; the core itself opens no connection.

``model.safetensors`` (nets needed to translate), ``config.yaml``, ``README.md`` (the card),
``golden.safetensors`` (inputs, conditions, expected outputs), and optionally
``training.safetensors`` (the other nets), ``samples.png`` and ``trained-on.json`` (hashes of the
training signals): regular files, and nothing else is read or published. Importing this module
imports no torch.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core.catalogue.description import NATIVE, ModelConfig, parse_config
from zoo_core.catalogue.registry import CONFIG, HUB, Model, Registry
from zoo_core.errors import HubUnreachableError, PluginError, UsageError, WeightsError
from zoo_core.host.plugins import PluginHost
from zoo_core.host.plugins import host as shared
from zoo_core.schema import plain
from zoo_core.untrusted import member, read_text, read_yaml_file, verify

if TYPE_CHECKING:
    from zoo_core.contracts.method import Method
    from zoo_core.contracts.model_source import ModelSource

MODEL, TRAINING, GOLDEN = "model.safetensors", "training.safetensors", "golden.safetensors"
CARD, SAMPLES = "README.md", "samples.png"
_SHOWN = 6
"""Models that an error names as working offline."""


def read_config(directory: Path) -> ModelConfig:
    """Reads the ``config.yaml`` of a model directory.

    Raises:
        WeightsError: If there is none, or it is damaged.
    """
    path = member(directory, CONFIG)
    if path is None:
        raise WeightsError(
            f"holds no {CONFIG}, so it is no model directory",
            asked=f"directory {directory}",
            hint="Give a directory that zoo train wrote, or a name from zoo list.",
        )
    return parse_config(read_yaml_file(path, error=WeightsError), str(path))


def read_card_text(directory: Path) -> str:
    """The text of a model directory's card; empty where there is none.

    Raises:
        WeightsError: If it is no regular file, or too large.
    """
    path = member(directory, CARD)
    return "" if path is None else read_text(path, errors="replace")


def weights_file(directory: Path) -> Path:
    """The weights of a model directory, which may be missing.

    Raises:
        WeightsError: If it is no regular file of the directory.
    """
    return member(directory, MODEL) or directory / MODEL


def build_method(config: ModelConfig, host: PluginHost | None = None) -> Method[Any]:
    """Builds a method with freshly initialised nets from its configuration.

    Args:
        config: The configuration.
        host: The plugin host; None for the process's own.

    Raises:
        UsageError: If the method, an option or the domains do not fit.
    """
    host = host or shared()
    spec = host.method(config.method)
    fewest, most = spec.domains
    count, asked = len(config.domains), f"domains {', '.join(config.domains.names) or '(none)'}"
    if config.domains.kind not in spec.conditions:
        raise UsageError(
            f"{spec.name} translates between {' or '.join(spec.conditions)}, "
            f"not {config.domains.kind}",
            asked=asked,
        )
    if config.domains.kind == "domains" and (count < fewest or (most or count) < count):
        wanted = str(fewest) if most == fewest else f"{fewest} to {most or 'any number of'}"
        raise UsageError(f"{spec.name} takes {wanted} domains, got {count}", asked=asked)
    return instantiate(host.load("method", config.method), config)


def instantiate(cls: type[Any], config: ModelConfig) -> Method[Any]:
    """Makes a method of a given class from its configuration."""
    from zoo_core.contracts.method import make_options

    options = make_options(cls.Options, config.options, asked=config.method)
    method: Method[Any] = cls(options, config.domains, config.signal)
    return method


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
