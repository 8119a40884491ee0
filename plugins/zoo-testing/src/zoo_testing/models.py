"""Checks on registered models: that what the registry says of a model is true of its files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zoo_core.catalogue.registry import Model, Registry
from zoo_core.contracts.method import Method
from zoo_core.errors import ZooError
from zoo_core.files import verify
from zoo_core.host.plugins import PluginHost
from zoo_core.models.config import ModelConfig
from zoo_core.models.golden import check_golden
from zoo_core.models.modeldir import build_method, load_weights
from zoo_core.models.weights import parameter_counts
from zoo_testing.error import ConformanceError

_REBUILD = "Export the model again and paste the registry entry of the new files."


@dataclass(frozen=True)
class ModelSubject:
    """A model whose weights lie within an installed plugin.

    Attributes:
        model: The model of the catalogue.
        host: The plugins, one of which brings its method.
    """

    model: Model
    host: PluginHost

    @property
    def name(self) -> str:
        """Id of the model."""
        return self.model.id

    kind = "model"

    def build(self) -> Method[Any]:
        """The method as the entry describes it, with fresh weights."""
        entry = self.model.entry
        config = ModelConfig(
            method=entry.method,
            options=dict(entry.options),
            domains=entry.domains.domains,
            signal=entry.signal.spec,
            preprocessing=dict(entry.preprocessing),
        )
        return build_method(config, self.host)

    def load(self, check: str) -> Method[Any]:
        """The method with the embedded weights; ``check`` is who asks."""
        method, path = self.build(), self.model.entry.weights.path
        try:
            load_weights(method, self.model.path(path or ""), only=method.inference_nets)
        except ZooError as error:
            raise _broken(check, self, error) from error
        return method


def registry_bytes(subject: ModelSubject) -> None:
    """The embedded weights and the golden file have the stated size and hash."""
    entry = subject.model.entry
    for file in (entry.weights, entry.golden):
        if file is None or file.path is None:
            continue
        try:
            verify(subject.model.path(file.path), sha256=file.sha256, size=file.bytes)
        except ZooError as error:
            raise _broken("registry-bytes", subject, error) from error


def registry_nets(subject: ModelSubject) -> None:
    """The stated nets are those that translate, each with its number of parameters."""
    method = subject.build()
    found = parameter_counts(method, method.inference_nets)
    stated = dict(subject.model.entry.nets)
    for name in sorted({*found, *stated}):
        if found.get(name) != stated.get(name):
            raise ConformanceError(
                "registry-nets",
                f"net {name} of {subject.name} has {_count(found.get(name))}, "
                f"the registry says {_count(stated.get(name))}",
                "State under `nets` the nets that translate, each with its parameter count.",
            )


def weights_fit(subject: ModelSubject) -> None:
    """The embedded weights load strictly into the method that the entry describes."""
    subject.load("weights-fit")


def golden_outputs(subject: ModelSubject) -> None:
    """The golden inputs give the golden outputs to 1e-3, where the model ships them."""
    golden = subject.model.entry.golden
    if golden is None:
        return
    try:
        check_golden(subject.load("golden-outputs"), subject.model.path(golden.path), 1e-3)
    except ConformanceError:
        raise
    except ZooError as error:
        raise _broken("golden-outputs", subject, error) from error


def embedded_models(host: PluginHost, method: str | None = None) -> list[ModelSubject]:
    """The installed models with embedded weights, of one method or of all."""
    return [
        ModelSubject(model, host)
        for model in Registry.load(host).models.values()
        if model.installed and method in (None, model.method) and _embedded(model)
    ]


def _embedded(model: Model) -> bool:
    """Whether the plugin brings the weights; it may leave them to the Hub once they are there."""
    path, repo = model.entry.weights.path, model.entry.weights.repo
    if model.file is None or path is None:
        return False
    return repo is None or model.path(path).is_file()


def _broken(check: str, subject: ModelSubject, error: ZooError) -> ConformanceError:
    text = f"{error.asked}: {error.problem}" if error.asked else error.problem
    return ConformanceError(check, f"{subject.name}: {text}", _REBUILD)


def _count(number: int | None) -> str:
    return "no such net" if number is None else f"{number:,} parameters"
