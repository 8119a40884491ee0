"""The catalogue of models: the plugins' registries, and the index of what could be installed.

Imports neither torch nor, unless a registry has to be validated, pydantic.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core.catalogue.index import Index, index_path, read_index
from zoo_core.errors import PluginError, UsageError, ZooError, unknown
from zoo_core.host.plugins import CORE, PluginHost

if TYPE_CHECKING:
    from zoo_core.catalogue.manifest import ModelEntry


@dataclass(frozen=True)
class Model:
    """A model of the catalogue.

    Attributes:
        data: Its registry entry as plain values, for listing.
        distribution: The plugin's distribution, such as ``zoo-stargan``.
        file: The registry file; None where only the index knows the model.
        unavailable_reason: Why it cannot be loaded here, and what to do; None where it can.
    """

    data: Mapping[str, Any]
    distribution: str
    file: Path | None = None
    unavailable_reason: str | None = None

    @cached_property
    def entry(self) -> ModelEntry:
        """The validated entry (imports pydantic)."""
        from zoo_core.catalogue.manifest import parse_entry

        return parse_entry(self.data, f"registry of {self.distribution}")

    @property
    def id(self) -> str:
        """Unique name."""
        return str(self.data["id"])

    @property
    def method(self) -> str:
        """Name of its method."""
        return str(self.data["method"])

    @property
    def task(self) -> str:
        """Name of its task."""
        return str(self.data["task"])

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of its domains or attributes."""
        return tuple(self.data["domains"]["names"])

    @property
    def bytes(self) -> int | None:
        """Size of the weights, where it is known."""
        size: int | None = self.data["weights"].get("bytes")
        return size

    @property
    def parameters(self) -> int:
        """Parameters of all nets in the weights file; 0 where they are not stated."""
        return sum(self.data.get("nets", {}).values())

    @property
    def installed(self) -> bool:
        """Whether the model's plugin and method are here."""
        return self.unavailable_reason is None

    @property
    def install(self) -> str:
        """The command that installs its plugin."""
        return f"pip install {self.distribution}"

    def path(self, relative: str) -> Path:
        """A file that the entry names, such as ``entry.weights.path``.

        Raises:
            PluginError: If the model's plugin is absent.
        """
        if self.file is None:
            raise PluginError(
                self.unavailable_reason or "its plugin is absent", asked=f'model "{self.id}"'
            )
        return self.file.parent / relative

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
            pattern: Shell pattern over ids; without wildcards, a part of the id.
            method: Name of a method.
            task: Name of a task.
            domain: Name of a domain or attribute, whatever its case.
            installed: Whether to leave out models that cannot be loaded here.

        Raises:
            UsageError: If a filter names what no model has, with the near match.
        """
        wild = pattern if any(sign in pattern for sign in "*?[") else f"*{pattern}*"
        chosen = [m for m in self.models.values() if fnmatchcase(m.id, wild.lower())]
        if not chosen and wild.strip("*"):
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
        self.methods = host.methods()
        self.models: dict[str, Model] = {}
        self.problems: list[Problem] = []
        self.index = Index()
        try:
            self.index = read_index(index)
        except ZooError as error:
            self._skip(CORE, error)
        for distribution, path in host.registries():
            self._add(distribution, path)
        self._add_absent()

    def _add(self, distribution: str, path: Path) -> None:
        try:
            entries = self._read(distribution, path)
            for entry in entries:
                if entry["id"] in self.models:
                    owner = self.models[entry["id"]].distribution
                    raise PluginError(
                        f"this id is brought by both {owner} and {distribution}",
                        asked=f'registry {path}, model "{entry["id"]}"',
                    )
        except ZooError as error:
            self._skip(distribution, error)
            return
        for entry in entries:
            known = entry["method"] in self.methods
            unavailable_reason = (
                None if known else f'its method "{entry["method"]}" is not installed'
            )
            model = Model(entry, distribution, path, unavailable_reason)
            self.models[model.id] = model

    def _read(self, distribution: str, path: Path) -> Sequence[Mapping[str, Any]]:
        """The entries of a registry: from the index where it knows this very file."""
        known = self.index.hashes.get(distribution)
        if known is not None and file_hash(path) == known:
            return self.index.models[distribution]
        from zoo_core.catalogue.manifest import parse_file

        return [entry.model_dump(mode="json") for entry in parse_file(path)]

    def _add_absent(self) -> None:
        present = {plugin.distribution for plugin in self.host.plugins}
        broken = {plugin.distribution for plugin in self.host.problems}
        broken |= {problem.distribution for problem in self.problems}
        for distribution, entries in self.index.models.items():
            if distribution in present - broken:
                continue
            for entry in entries:
                model = Model(entry, distribution)
                text = f"its plugin is not installed; {model.install}"
                if distribution in broken:
                    text = f"its plugin {distribution} is broken; see zoo plugins"
                self.models.setdefault(model.id, Model(entry, distribution, None, text))

    def _skip(self, distribution: str, error: ZooError) -> None:
        if self.host.strict:
            raise error
        self.problems.append(Problem(distribution, str(error).rstrip(".")))


def file_hash(path: Path) -> str | None:
    """The sha256 of a file; None where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
