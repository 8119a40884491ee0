"""From entry points to a plugin manager in which a broken plugin breaks nothing else."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import pluggy

from zoo_core import hookspecs
from zoo_core.entries import precedence, refuse_misspelt, registry_path, restriction, version_of
from zoo_core.errors import PluginError, UsageError, ZooError, unknown
from zoo_core.spec import Component, LossSpec, MethodSpec

GROUP = "zoo"
"""Group of the entry points."""
CORE = "zoo-core"
"""Name of the core's own plugin and distribution."""
NamedT = TypeVar("NamedT", MethodSpec, LossSpec, Component)


@dataclass(frozen=True)
class Plugin:
    """A plugin that was found.

    Attributes:
        name: Name of its entry point.
        distribution: Name of the installed distribution, as pip knows it.
        version: Version of the distribution.
        problem: Why it was skipped; None where it works.
    """

    name: str
    distribution: str
    version: str
    problem: str | None = None

    @property
    def label(self) -> str:
        """Name with the distribution, for messages: ``cyclegan (zoo-cyclegan 0.1.0)``."""
        where = f"{self.distribution} {self.version}".strip()
        return f"{self.name} ({where})" if where else self.name


class PluginHost:
    """Finds plugins and answers what they bring.

    Where two plugins want one name, the one whose distribution is called ``zoo-NAME`` has it, else
    the first in alphabetical order; the other is skipped whole, and its problem names both.

    Args:
        entries: Entry points; None for those that are installed.
        only: Names of the plugins to load; None for ``ZOO_PLUGINS`` or all.
        strict: Whether a broken plugin is an error; None for ``ZOO_STRICT``.

    Raises:
        PluginError: In strict mode, for the first broken plugin.
    """

    def __init__(
        self,
        entries: Iterable[metadata.EntryPoint] | None = None,
        *,
        only: Iterable[str] | None = None,
        strict: bool | None = None,
    ) -> None:
        self.strict = (
            os.environ.get("ZOO_STRICT", "") not in ("", "0") if strict is None else strict
        )
        self._manager = pluggy.PluginManager("zoo")
        self._manager.add_hookspecs(hookspecs)
        self._plugins: list[Plugin] = []
        self._tables: dict[str, dict[str, Any]] = {hook: {} for hook in _KINDS}
        self._owners: dict[tuple[str, str], str] = {}
        self._registries: list[tuple[str, Path]] = []
        self._load_all(entries, restriction() if only is None else frozenset(only))

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        """All plugins that were found, the skipped ones with their problem."""
        return tuple(self._plugins)

    @property
    def problems(self) -> tuple[Plugin, ...]:
        """The plugins that were skipped."""
        return tuple(plugin for plugin in self.plugins if plugin.problem)

    @property
    def hook(self) -> Any:
        """The hooks of all working plugins, for the run's events."""
        return self._manager.hook

    def methods(self) -> dict[str, MethodSpec]:
        """Methods by name."""
        return dict(self._tables["zoo_methods"])

    def method(self, name: str) -> MethodSpec:
        """A method's spec; an unknown name is an error with the near match."""
        spec: MethodSpec = self._pick("method", "zoo_methods", name)
        return spec

    def method_class(self, name: str) -> Any:
        """The class of a method (imports it, and with it torch)."""
        return self.resolve(self.method(name).target, owner=self.owner("zoo_methods", name))

    def losses(self) -> dict[str, LossSpec]:
        """Losses by name."""
        return dict(self._tables["zoo_losses"])

    def components(self, hook: str) -> dict[str, Component]:
        """Components that one hook brings, by name: ``zoo_signals``, ``zoo_metrics`` …"""
        return dict(self._tables[hook])

    def component(self, hook: str, name: str) -> Any:
        """A component, resolved to what its target names."""
        spec = self._pick(kind_of(hook), hook, name)
        return self.resolve(spec.target, owner=self.owner(hook, name))

    def codec_class(self, kind: str) -> Any:
        """The codec of a kind of signal."""
        return self.component("zoo_signals", kind)

    def registries(self) -> tuple[tuple[str, Path], ...]:
        """(distribution, path) of every registry file that working plugins name."""
        return tuple(self._registries)

    def brought(self, hook: str, distribution: str) -> list[str]:
        """Names that a distribution brings through one hook."""
        return [n for n in self._tables[hook] if self.owner(hook, n) == distribution]

    def owner(self, hook: str, name: str) -> str:
        """Distribution that brings something, such as ``zoo-cyclegan``."""
        return self._owners.get((hook, name), CORE)

    @staticmethod
    def resolve(target: str, *, owner: str = "") -> Any:
        """Imports what a lazy target names.

        Raises:
            PluginError: If the target is malformed or its import fails.
        """
        module, _, name = target.partition(":")
        asked = f"target {target}" + (f" of plugin {owner}" if owner else "")
        if not name:
            raise PluginError('it is not of the form "package.module:Name"', asked=asked)
        try:
            return getattr(importlib.import_module(module), name)
        except Exception as error:
            raise PluginError(
                f"it cannot be imported: {type(error).__name__}: {error}",
                asked=asked,
                hint="Mend or uninstall the plugin.",
            ) from error

    def _pick(self, kind: str, hook: str, name: str) -> Any:
        table = self._tables[hook]
        if name not in table:
            error = unknown(kind, name, table)
            if self.problems:
                broken = ", ".join(plugin.name for plugin in self.problems)
                note = f"Broken plugins, which may bring it: {broken}; see zoo plugins."
                error = UsageError(error.problem, asked=error.asked, hint=f"{error.hint} {note}")
            raise error
        return table[name]

    def _load_all(
        self, entries: Iterable[metadata.EntryPoint] | None, only: frozenset[str] | None
    ) -> None:
        from zoo_core import builtin

        self._manager.register(builtin, name=CORE)
        loaded = [Plugin(CORE, CORE, version_of(CORE))]
        found = list(metadata.entry_points(group=GROUP) if entries is None else entries)
        for entry in sorted(found, key=precedence):
            if only is None or entry.name in only:
                plugin = self._load(entry, loaded)
                if plugin is not None:
                    loaded.append(plugin)
        for name in sorted((only or frozenset()) - {entry.name for entry in found} - {CORE}):
            self._skip(Plugin(name, "", ""), unknown("plugin", name, {e.name for e in found}))
        for plugin in sorted(loaded, key=self._claims):
            self._collect(plugin)

    def _load(self, entry: metadata.EntryPoint, loaded: Iterable[Plugin]) -> Plugin | None:
        """Imports and registers one plugin; None where it is skipped."""
        dist = entry.dist
        name, version = (dist.name, dist.version) if dist else (entry.name, "")
        plugin = Plugin(entry.name, name, version)
        for other in loaded:
            if other.name == plugin.name:
                text = f"{other.distribution} and {name} both bring a plugin of this name"
                self._skip(plugin, PluginError(text))
                return None
        try:
            module = entry.load()
            self._manager.register(module, name=plugin.name)
            refuse_misspelt(module)
        except (Exception, SystemExit) as error:
            self._drop(plugin)
            self._skip(plugin, error)
            return None
        return plugin

    def _claims(self, plugin: Plugin) -> tuple[bool, bool, str]:
        """Sort key: the core, then plugins that bring a method of their own name."""
        try:
            names = {getattr(item, "name", None) for item in self._call(plugin, "zoo_methods")}
        except (Exception, SystemExit):  # `_collect` meets it again and reports it
            names = set()
        own = any(plugin.distribution == f"zoo-{name}" for name in names)
        return (plugin.name != CORE, not own, plugin.name)

    def _collect(self, plugin: Plugin) -> None:
        """Takes all that a plugin names, or nothing where one thing is wrong."""
        try:
            fresh = {hook: self._checked(plugin, hook) for hook in _KINDS}
            registries = [
                (plugin.distribution, registry_path(p)) for p in self._call(plugin, "zoo_models")
            ]
        except (Exception, SystemExit) as error:
            self._drop(plugin)
            self._skip(plugin, error)
            return
        for hook, items in fresh.items():
            for item in items:
                self._tables[hook][item.name] = item
                self._owners[hook, item.name] = plugin.distribution
        self._registries += registries
        self._plugins.append(plugin)

    def _checked(self, plugin: Plugin, hook: str) -> list[Any]:
        """What a plugin's hook gives, each of the right type and under a name that is free."""
        items = self._call(plugin, hook)
        names: set[str] = set()
        for item in items:
            if not isinstance(item, _KINDS[hook]):
                raise PluginError(f"{hook} gave {item!r}, not a {_KINDS[hook].__name__}")
            if item.name in self._tables[hook] or item.name in names:
                owner = "itself" if item.name in names else self.owner(hook, item.name)
                raise PluginError(
                    f'{kind_of(hook)} "{item.name}" is brought by both {owner} and '
                    f"{plugin.distribution}"
                )
            names.add(item.name)
        return items

    def _call(self, plugin: Plugin, hook: str) -> list[Any]:
        """Calls one plugin's hook alone."""
        items: list[Any] = []
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            if implementation.plugin_name == plugin.name:
                given = implementation.function()
                if isinstance(given, str | bytes | Path) or not isinstance(given, Iterable):
                    raise PluginError(f"{hook} gave {given!r}, not a list")
                items += given
        return items

    def _drop(self, plugin: Plugin) -> None:
        if self._manager.has_plugin(plugin.name):
            self._manager.unregister(name=plugin.name)

    def _skip(self, plugin: Plugin, error: BaseException) -> None:
        """Keeps the problem of a plugin that is not loaded, or raises it in strict mode."""
        text = str(error) or type(error).__name__
        if not isinstance(error, ZooError):
            text = f"{type(error).__name__}: {text}"
        text = " ".join(text.split()).rstrip(".")
        if self.strict:
            raise PluginError(
                text,
                asked=f"plugin {plugin.label}",
                hint="Mend or uninstall it, or unset ZOO_STRICT.",
            ) from error
        self._plugins.append(replace(plugin, problem=text))


_KINDS: dict[str, type[Any]] = {
    "zoo_methods": MethodSpec,
    "zoo_losses": LossSpec,
    "zoo_defences": Component,
    "zoo_metrics": Component,
    "zoo_datasets": Component,
    "zoo_importers": Component,
    "zoo_networks": Component,
    "zoo_signals": Component,
    "zoo_renderers": Component,
    "zoo_commands": Component,
    "zoo_benchmarks": Component,
}
HOOKS = tuple(_KINDS)
"""Hooks that bring named things."""


def kind_of(hook: str) -> str:
    """What a hook brings, in the singular: ``method`` for ``zoo_methods``."""
    singular = {"zoo_losses": "loss", "zoo_signals": "kind of signal", "zoo_datasets": "source"}
    return singular.get(hook, hook.removeprefix("zoo_").removesuffix("s"))


@cache
def host() -> PluginHost:
    """The host of this process, made on first use."""
    return PluginHost()
