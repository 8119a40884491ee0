"""The catalogue of models: the plugins' registries, and the index of what could be installed.

The index is generated. It holds the entries of all registries of the workspace, each with the
configuration of its model directory, so that models are listed without opening these or reading
their registries again. Imports neither torch nor pydantic: entries are validated when used.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from zoo_core.catalogue.description import (
    NATIVE,
    ModelEntry,
    is_listable,
    parse_entry,
    read_rows,
)
from zoo_core.errors import PluginError, UsageError, ZooError, unknown
from zoo_core.host.plugins import CORE, PluginHost
from zoo_core.untrusted import file_sha256, read_yaml_file

INDEX = "index.json"
"""Name of the index inside the core."""
OWNER = "distribution"
"""Key that a row of the index has beyond those of a registry: who brings it."""
REGISTRY_HASH = "registry_sha256"
"""Another: the hash of the registry file that the row was made of."""
CONFIG = "config.yaml"
"""Name of the configuration in a model directory."""
HUB = "hub"
"""Name of the model source (a component of that kind) that brings weights of a repository."""


@dataclass(frozen=True)
class Model:
    """A model of the catalogue.

    Attributes:
        data: Its registry entry as plain values, for listing; with the configuration of its
            directory and the parameters of its nets, where these are known.
        distribution: The plugin's distribution, such as ``zoo-stargan``.
        file: The registry file; None where only the index knows the model.
        unavailable_reason: Why it cannot be loaded here, and what to do; None where it can.
        lacks: Distribution that must be installed for that; None where none would help.
    """

    data: Mapping[str, Any]
    distribution: str
    file: Path | None = None
    unavailable_reason: str | None = None
    lacks: str | None = None

    @cached_property
    def entry(self) -> ModelEntry:
        """The validated entry (imports pydantic).

        Raises:
            PluginError: If it is wrong.
        """
        beside = ("nets", OWNER, REGISTRY_HASH)
        values = {key: value for key, value in self.data.items() if key not in beside}
        if values["weights"].get("format", NATIVE) == NATIVE:
            values.pop("config", None)  # its directory's
        return parse_entry(values, f"registry of {self.distribution}")

    @property
    def id(self) -> str:
        """Unique name."""
        return str(self.data["id"])

    @property
    def searched(self) -> str:
        """What a word is looked for in: its id, domains and summary, in small letters."""
        return " ".join([self.id, *self.domains, self.data.get("summary", "")]).lower()

    @property
    def task(self) -> str:
        """Name of its task."""
        return str(self.data["task"])

    @property
    def config(self) -> Mapping[str, Any]:
        """Its configuration as plain values; empty where nobody has seen it yet."""
        config: Mapping[str, Any] = self.data.get("config", {})
        return config

    @property
    def method(self) -> str:
        """Name of its method."""
        return str(self.config.get("method", ""))

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of its domains or attributes."""
        return tuple(self.config.get("domains", {}).get("names", ()))

    @property
    def bytes(self) -> int | None:
        """Size of the weights, where it is known."""
        size: int | None = self.data["weights"].get("bytes")
        return size

    @property
    def parameters(self) -> int:
        """Parameters of all nets in the weights file; 0 where they are not known."""
        return sum(self.data.get("nets", {}).values())

    @property
    def installed(self) -> bool:
        """Whether the model's plugin and method are here."""
        return self.unavailable_reason is None

    @property
    def embedded(self) -> Path | None:
        """The weights file that its plugin brings, if it is there."""
        path = self.data["weights"].get("path")
        if path is None or self.file is None:
            return None
        place = self.file.parent / path
        return place if place.is_file() else None

    def require(self) -> Model:
        """The model itself.

        Raises:
            PluginError: If it cannot be loaded here, with what to do.
        """
        if self.unavailable_reason is not None:
            raise PluginError(self.unavailable_reason, asked=f'model "{self.id}"')
        return self


@dataclass(frozen=True)
class Problem:
    """A registry that could not be used: the distribution that brings it, and why."""

    distribution: str
    text: str


@dataclass(frozen=True)
class Registry:
    """All models, by id in alphabetical order.

    Attributes:
        models: The models.
        problems: The registries that were left out, whole.
    """

    models: Mapping[str, Model]
    problems: tuple[Problem, ...] = field(default=())

    @classmethod
    def load(cls, host: PluginHost | None = None, index: Path | None = None) -> Registry:
        """Reads the registries of all working plugins, and the index for the absent ones.

        Args:
            host: The plugins; None for the process's own.
            index: Index file; None for the one inside the core.

        Raises:
            PluginError: For a broken registry, where the host is strict.
        """
        from zoo_core.host.plugins import host as shared

        reader = _Reader(host or shared(), index or index_path())
        return cls(dict(sorted(reader.models.items())), tuple(reader.problems))

    def find(
        self,
        pattern: str = "*",
        *,
        method: str | None = None,
        task: str | None = None,
        domain: str | None = None,
        installed: bool = False,
    ) -> list[Model]:
        """The models that fit all filters.

        Args:
            pattern: Shell pattern over ids; without wildcards, a part of an id, a domain or a
                summary, whatever its case.
            method: Name of a method.
            task: Name of a task.
            domain: Name of a domain or attribute, whatever its case.
            installed: Whether to leave out models that cannot be loaded here.

        Raises:
            UsageError: If a filter names what no model has, with the near match.
        """
        if any(sign in pattern for sign in "*?["):
            chosen = [m for m in self.models.values() if fnmatchcase(m.id, pattern.lower())]
        else:
            word = pattern.lower()
            chosen = [m for m in self.models.values() if word in m.searched]
        if not chosen and pattern.strip("*"):
            raise unknown("model", pattern, self.models, next_step="See zoo list.")
        chosen = self._having(chosen, "method", method, lambda model: (model.method,))
        chosen = self._having(chosen, "task", task, lambda model: (model.task,))
        chosen = self._having(chosen, "domain", domain, lambda model: model.domains)
        return [model for model in chosen if model.installed or not installed]

    def get(self, name: str) -> Model:
        """The model of an id.

        Raises:
            UsageError: If there is none, with the near match and the registries left out.
        """
        if name not in self.models:
            error = unknown("model", name, self.models, next_step="See zoo list.")
            if self.problems:
                owners = ", ".join(sorted({problem.distribution for problem in self.problems}))
                hint = f"{error.hint} Left out for their broken registries: {owners}."
                error = UsageError(error.problem, asked=error.asked, hint=hint)
            raise error
        return self.models[name]

    def _having(
        self,
        models: list[Model],
        kind: str,
        wanted: str | None,
        names: Callable[[Model], tuple[str, ...]],
    ) -> list[Model]:
        """Those of ``models`` that have a name; a name that no model at all has is an error."""
        if wanted is None:
            return models
        known = {name for model in self.models.values() for name in names(model)}
        if wanted.lower() not in {name.lower() for name in known}:
            raise unknown(kind, wanted, known)
        return [m for m in models if wanted.lower() in {name.lower() for name in names(m)}]


class _Reader:
    """Gathers models; a registry counts whole or not at all."""

    def __init__(self, host: PluginHost, index: Path) -> None:
        self.host = host
        self.models: dict[str, Model] = {}
        self.problems: list[Problem] = []
        self.index: dict[str, Mapping[str, Any]] = {}
        try:
            self.index = {row["id"]: row for row in read_index(index)}
        except ZooError as error:
            self._skip(CORE, error)
        for distribution, path in host.registries():
            self._add(distribution, path)
        self._add_absent()

    def _add(self, distribution: str, path: Path) -> None:
        try:
            rows = self._rows(distribution, path)
            for row in rows:
                if row["id"] in self.models:
                    owner = self.models[row["id"]].distribution
                    raise PluginError(
                        f"this id is brought by both {owner} and {distribution}",
                        asked=f'registry {path}, model "{row["id"]}"',
                    )
        except ZooError as error:
            self._skip(distribution, error)
            return
        for row in rows:
            model = Model(row, distribution, path)
            self.models[model.id] = self._held_against_what_is_here(model)

    def _rows(self, distribution: str, path: Path) -> list[Mapping[str, Any]]:
        """The entries of a registry: the index's, where these were made of this very file."""
        rows = [row for row in self.index.values() if row[OWNER] == distribution]
        if rows and path.is_file() and rows[0].get(REGISTRY_HASH) == file_sha256(path):
            return rows
        return [self._described(row, path) for row in read_rows(path)]

    def _held_against_what_is_here(self, model: Model) -> Model:
        """A model of an installed plugin, unavailable where it needs what is not here."""
        if model.method and model.method not in self.host.methods():
            reason = f'its method "{model.method}" is not installed'
            return replace(model, unavailable_reason=reason)
        far = model.embedded is None and model.data["weights"].get("repo") is not None
        if far and HUB not in self.host.components("model-source"):
            package = f"zoo-{HUB}"
            reason = f"its weights are on the Hub, which needs {package}"
            reason += f"; {self.host.remedy(package)}"
            return replace(model, unavailable_reason=reason, lacks=package)
        return model

    def _described(self, row: dict[str, Any], path: Path) -> Mapping[str, Any]:
        """An entry with its configuration: its own, else the index's or its directory's."""
        weights, known = row["weights"], self.index.get(row["id"])
        if known is not None and weights.get("sha256") == known["weights"].get("sha256"):
            return {"config": known.get("config", {}), "nets": known.get("nets", {})} | row
        place = (path.parent / weights.get("path", "")).with_name(CONFIG)
        if "config" in row or not place.is_file():
            return row
        described = row | {"config": read_yaml_file(place, error=PluginError)}
        if not is_listable(described):
            raise PluginError("it is no configuration of a model", asked=str(place))
        return described

    def _add_absent(self) -> None:
        present = {plugin.distribution for plugin in self.host.plugins}
        broken = {plugin.distribution for plugin in self.host.problems}
        broken |= {problem.distribution for problem in self.problems}
        for row in self.index.values():
            owner = row[OWNER]
            if owner in present - broken:
                continue
            reason, lacks = f"its plugin is not installed; pip install {owner}", owner
            if owner in broken:
                reason, lacks = f"its plugin {owner} is broken; see zoo plugins", None
            self.models.setdefault(row["id"], Model(row, owner, None, reason, lacks))

    def _skip(self, distribution: str, error: ZooError) -> None:
        if self.host.strict:
            raise error
        self.problems.append(Problem(distribution, str(error).rstrip(".")))


def index_path() -> Path:
    """The index inside the core."""
    return Path(str(resources.files("zoo_core"))) / INDEX


def read_index(path: Path) -> list[dict[str, Any]]:
    """The rows of an index, each an entry with its owner.

    Raises:
        PluginError: If the file is missing or not of this form.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["models"]
        if all(is_listable(row) and isinstance(row[OWNER], str) for row in rows):
            return list(rows)
        problem = "a row is no entry of an index"
    except (OSError, ValueError, KeyError, TypeError) as fault:
        problem = f"it cannot be read ({type(fault).__name__})"
    raise PluginError(problem, asked=f"index {path}", hint="Install zoo-core again.")
