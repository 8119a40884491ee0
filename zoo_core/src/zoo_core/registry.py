"""The catalogue of models: the plugins' registries, and the index of what could be installed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path

from zoo_core.errors import PluginError, UsageError, ZooError, unknown
from zoo_core.manifest import ModelEntry, parse_entry, parse_file, raw_models, read_yaml
from zoo_core.plugins import CORE, PluginHost

INDEX = "index.yaml"
"""The index inside the core: every model of the workspace, with the distribution that has it."""


@dataclass(frozen=True)
class Model:
    """A model of the catalogue.

    Attributes:
        entry: What its registry says.
        distribution: The plugin's distribution, such as ``zoo-stargan``.
        file: The registry file; None where only the index knows the model.
        obstacle: Why it cannot be loaded here, and what to do; None where it can.
    """

    entry: ModelEntry
    distribution: str
    file: Path | None = None
    obstacle: str | None = None

    @property
    def id(self) -> str:
        """Unique name."""
        return self.entry.id

    @property
    def installed(self) -> bool:
        """Whether the model's plugin and method are here."""
        return self.obstacle is None

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
            raise PluginError(self.obstacle or "its plugin is absent", asked=f'model "{self.id}"')
        return self.file.parent / relative

    def require(self) -> Model:
        """The model itself.

        Raises:
            PluginError: If it cannot be loaded here, with what to do.
        """
        if self.obstacle is not None:
            raise PluginError(self.obstacle, asked=f'model "{self.id}"')
        return self


@dataclass(frozen=True)
class Problem:
    """A registry that could not be used: the plugin that brings it, and why."""

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
    def load(cls, host: PluginHost, index: Path | None = None) -> Registry:
        """Reads the registries of all working plugins, and the index for the absent ones.

        Args:
            host: The plugins.
            index: Index file; None for the one inside the core.

        Raises:
            PluginError: For a broken registry, where the host is strict.
        """
        reader = _Reader(host)
        for distribution, path in host.registries():
            reader.add(distribution, path)
        reader.add_index(index or index_path())
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
        models = list(self.models.values())
        wild = pattern if any(sign in pattern for sign in "*?[") else f"*{pattern}*"
        chosen = [model for model in models if fnmatchcase(model.id, wild.lower())]
        if not chosen and wild.strip("*"):
            raise unknown("model", pattern, self.models, next_step="See zoo list.")
        for kind, wanted, names in (
            ("method", method, lambda model: [model.entry.method]),
            ("task", task, lambda model: [model.entry.task]),
            ("domain", domain, lambda model: list(model.entry.domains.names)),
        ):
            if wanted is None:
                continue
            known = {name for model in models for name in names(model)}
            if wanted.lower() not in {name.lower() for name in known}:
                raise unknown(kind, wanted, known)
            chosen = [m for m in chosen if wanted.lower() in [n.lower() for n in names(m)]]
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


class _Reader:
    """Gathers models; a registry counts whole or not at all."""

    def __init__(self, host: PluginHost) -> None:
        self.host = host
        self.models: dict[str, Model] = {}
        self.problems: list[Problem] = []
        self.methods = host.methods()

    def add(self, distribution: str, path: Path) -> None:
        try:
            entries = parse_file(path)
            for entry in entries:
                if entry.id in self.models:
                    owner = self.models[entry.id].distribution
                    raise PluginError(
                        f"this id is brought by both {owner} and {distribution}",
                        asked=f'registry {path}, model "{entry.id}"',
                    )
        except ZooError as error:
            self.skip(distribution, error)
            return
        for entry in entries:
            self.models[entry.id] = Model(entry, distribution, path, self.obstacle(entry))

    def obstacle(self, entry: ModelEntry) -> str | None:
        """Why a model of a working plugin cannot be loaded."""
        if entry.method in self.methods:
            return None
        return f'its method "{entry.method}" is not installed'

    def add_index(self, path: Path) -> None:
        here = {plugin.distribution for plugin in self.host.plugins if not plugin.problem}
        broken = {plugin.distribution for plugin in self.host.problems}
        broken |= {problem.distribution for problem in self.problems}
        try:
            models = read_index(path, skip=here - broken)
        except ZooError as error:
            self.skip(CORE, error)
            return
        for model in models:
            if model.distribution in broken:
                text = f"its plugin {model.distribution} is broken; see zoo plugins"
            else:
                text = f"its plugin is not installed; {model.install}"
            self.models.setdefault(model.id, Model(model.entry, model.distribution, None, text))

    def skip(self, distribution: str, error: ZooError) -> None:
        if self.host.strict:
            raise error
        self.problems.append(Problem(distribution, str(error).rstrip(".")))


def index_path() -> Path:
    """The index inside the core."""
    return Path(str(resources.files("zoo_core"))) / INDEX


def read_index(path: Path, skip: Iterable[str] = ()) -> list[Model]:
    """The models of an index; those of the distributions in ``skip`` are left out unread.

    Raises:
        PluginError: If the index is missing or wrong.
    """
    asked, models = f"index {path}", []
    for number, item in enumerate(raw_models(read_yaml(path, asked), asked), 1):
        data = dict(item) if isinstance(item, Mapping) else {}
        distribution = data.pop("distribution", None)
        if not isinstance(distribution, str):
            raise PluginError('"distribution" is missing', asked=f"{asked}, entry {number}")
        if distribution not in skip:
            models.append(Model(parse_entry(data, f"{asked}, entry {number}"), distribution))
    return models
