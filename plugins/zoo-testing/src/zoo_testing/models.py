"""Checks on registered models: that what the registry says of a model is true of its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo_core.catalogue.registry import Model, Registry
from zoo_core.contracts.method import Method
from zoo_core.errors import ZooError
from zoo_core.host.plugins import PluginHost
from zoo_core.models.card import read_card
from zoo_core.models.modeldir import GOLDEN, MODEL, build_method, read_card_text, read_config
from zoo_core.models.weights import loaded
from zoo_core.schema import brief, plain
from zoo_core.untrusted import verify
from zoo_testing.error import ConformanceError
from zoo_train.golden import check_golden

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

    @property
    def directory(self) -> Path:
        """Its model directory."""
        file = self.model.file or Path()
        return (file.parent / self.model.data["weights"]["path"]).parent

    def build(self) -> Method[Any]:
        """The method as the directory describes it, with fresh weights."""
        return build_method(read_config(self.directory), self.host)

    def load(self, check: str) -> Method[Any]:
        """The method with the embedded weights; ``check`` is who asks."""
        try:
            return loaded(self.build, self.directory / MODEL)
        except ZooError as error:
            raise _broken(check, self, error) from error


def registry_bytes(subject: ModelSubject) -> None:
    """The embedded weights have the stated size and hash."""
    weights = subject.model.entry.weights
    try:
        verify(subject.directory / MODEL, sha256=weights.sha256, size=weights.bytes)
    except ZooError as error:
        raise _broken("registry-bytes", subject, error) from error


def registry_agrees(subject: ModelSubject) -> None:
    """What the registry and the index say of the model is what its directory says."""
    entry, config = subject.model.entry, plain(read_config(subject.directory))
    listed = subject.model.config
    card = read_card(read_card_text(subject.directory), str(subject.directory))
    measured = {
        metric["name"]: metric["value"]
        for model in card.data.get("model-index", [])
        for result in model["results"]
        for metric in result["metrics"]
    }
    pairs = {
        "method": (listed.get("method"), config["method"]),
        "domains": (list(subject.model.domains), config["domains"]["names"]),
        "licence of the weights": (entry.licence.weights.lower(), card.data.get("license")),
        "metrics": ({m.name: m.value for m in entry.metrics}, measured),
    }
    for what, (here, there) in pairs.items():
        if here != there:
            raise ConformanceError(
                "registry-agrees",
                f"{what} of {subject.name}: the registry says {brief(here)}, "
                f"the model directory {brief(there)}",
                "Mend one of them, then run zoo registry build.",
            )


def weights_fit(subject: ModelSubject) -> None:
    """The embedded weights load strictly into the method that the entry describes."""
    subject.load("weights-fit")


def golden_outputs(subject: ModelSubject) -> None:
    """The golden inputs give the golden outputs to 1e-3, where the model ships them."""
    path = subject.directory / GOLDEN
    if not path.is_file():
        return
    try:
        check_golden(subject.load("golden-outputs"), path, 1e-3)
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
    weights = model.data["weights"]
    return model.embedded is not None or ("path" in weights and "repo" not in weights)


def _broken(check: str, subject: ModelSubject, error: ZooError) -> ConformanceError:
    text = f"{error.asked}: {error.problem}" if error.asked else error.problem
    return ConformanceError(check, f"{subject.name}: {text}", _REBUILD)
