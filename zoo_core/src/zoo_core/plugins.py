"""From entry points to a plugin manager in which a broken plugin breaks nothing else."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import pluggy

from zoo_core import hookspecs
from zoo_core.errors import PluginError, unknown
from zoo_core.spec import Component, LossSpec, MethodSpec

GROUP = "zoo"
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


class PluginHost:
    """Finds plugins and answers what they bring.

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
        self._strict = (
            os.environ.get("ZOO_STRICT", "") not in ("", "0") if strict is None else strict
        )
        wanted = os.environ.get("ZOO_PLUGINS")
        self._only = (
            set(only)
            if only is not None
            else (
                {name.strip() for name in wanted.split(",") if name.strip()}
                if wanted is not None
                else None
            )
        )
        self._manager = pluggy.PluginManager("zoo")
        self._manager.add_hookspecs(hookspecs)
        self._plugins: dict[str, Plugin] = {}
        self._owners: dict[tuple[str, str], str] = {}
        self._tables: dict[str, dict[str, Any]] = {}
        from zoo_core import builtin

        self._manager.register(builtin, name="zoo-core")
        self._plugins["zoo-core"] = Plugin("zoo-core", "zoo-core", _version("zoo-core"))
        found = metadata.entry_points(group=GROUP) if entries is None else entries
        for entry in sorted(found, key=lambda entry: entry.name):
            self._load(entry)
        for kind in _KINDS:
            self._tables[kind] = {}
        for plugin in list(self._plugins.values()):
            if plugin.problem is None:
                self._collect(plugin)

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        """All plugins that were found, the skipped ones with their problem."""
        return tuple(self._plugins.values())

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
        kind = hook.removeprefix("zoo_").removesuffix("s")
        return self.resolve(self._pick(kind, hook, name).target, owner=self.owner(hook, name))

    def codec_class(self, kind: str) -> Any:
        """The codec of a kind of signal."""
        return self.component("zoo_signals", kind)

    def registries(self) -> Iterator[tuple[str, Path]]:
        """(distribution, path) of every registry file."""
        for plugin in self.plugins:
            if plugin.problem is None:
                for path in self._call(plugin, "zoo_models"):
                    yield plugin.distribution, Path(path)

    def owner(self, hook: str, name: str) -> str:
        """Name of the plugin that brings something."""
        return self._owners.get((hook, name), "zoo-core")

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
                f"cannot be imported: {type(error).__name__}: {error}",
                asked=asked,
                hint="Mend or uninstall the plugin.",
            ) from error

    def _pick(self, kind: str, hook: str, name: str) -> Any:
        table = self._tables[hook]
        if name not in table:
            raise unknown(kind, name, table)
        return table[name]

    def _load(self, entry: metadata.EntryPoint) -> None:
        if self._only is not None and entry.name not in self._only:
            return
        dist = entry.dist
        name, version = (dist.name, dist.version) if dist else (entry.name, "")
        plugin = Plugin(entry.name, name, version)
        try:
            if entry.name in self._plugins:
                other = self._plugins[entry.name].distribution
                raise PluginError(f"{name} and {other} both bring a plugin of this name")
            module = entry.load()
            self._manager.register(module, name=entry.name)
            self._refuse_misspelt(module)
        except Exception as error:
            self._skip(plugin, error)
        else:
            self._plugins[plugin.name] = plugin

    def _refuse_misspelt(self, module: object) -> None:
        known = [name for name in dir(hookspecs) if name.startswith("zoo_")]
        for name in dir(module):
            if (
                name.startswith("zoo_")
                and name not in known
                and hasattr(getattr(module, name), "zoo_impl")
            ):
                raise unknown("hook", name, known)
        self._manager.check_pending()

    def _skip(self, plugin: Plugin, error: Exception) -> None:
        text = str(error) or type(error).__name__
        if not isinstance(error, PluginError):
            text = f"{type(error).__name__}: {text}"
        if self._strict:
            raise PluginError(
                text,
                asked=f"plugin {plugin.name} ({plugin.distribution})",
                hint="Mend or uninstall it, or unset ZOO_STRICT.",
            ) from error
        if (self._manager.has_plugin(plugin.name) and plugin.name not in self._plugins) or (
            self._plugins.get(plugin.name)
            and self._plugins[plugin.name].distribution == plugin.distribution
        ):
            self._manager.unregister(name=plugin.name)
        key = plugin.name
        if key in self._plugins and self._plugins[key].distribution != plugin.distribution:
            key = f"{plugin.name} ({plugin.distribution})"
        self._plugins[key] = Plugin(plugin.name, plugin.distribution, plugin.version, text)

    def _collect(self, plugin: Plugin) -> None:
        """Takes all that a plugin names, or nothing where one name is taken."""
        try:
            fresh: list[tuple[str, Any]] = []
            for kind, expected in _KINDS.items():
                for item in self._call(plugin, kind):
                    if not isinstance(item, expected):
                        raise PluginError(f"{kind} gave {item!r}, not a {expected.__name__}")
                    if item.name in self._tables[kind]:
                        other = self.owner(kind, item.name)
                        raise PluginError(
                            f'{kind.removeprefix("zoo_").rstrip("s")} "{item.name}" is brought '
                            f"by both {other} and {plugin.distribution}"
                        )
                    fresh.append((kind, item))
        except Exception as error:
            self._skip(plugin, error)
            return
        for kind, item in fresh:
            self._tables[kind][item.name] = item
            self._owners[kind, item.name] = plugin.distribution

    def _call(self, plugin: Plugin, hook: str) -> list[Any]:
        module = self._manager.get_plugin(plugin.name)
        caller = self._manager.subset_hook_caller(
            hook, [other for other in self._manager.get_plugins() if other is not module]
        )
        return [item for items in caller() for item in items or ()]


_KINDS: dict[str, type[Any]] = {
    "zoo_methods": MethodSpec,
    "zoo_losses": LossSpec,
    "zoo_metrics": Component,
    "zoo_datasets": Component,
    "zoo_importers": Component,
    "zoo_networks": Component,
    "zoo_signals": Component,
    "zoo_commands": Component,
}


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "0+unknown"


@cache
def host() -> PluginHost:
    """The host of this process, made on first use."""
    return PluginHost()
