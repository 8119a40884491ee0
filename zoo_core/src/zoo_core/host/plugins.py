"""From entry points to components, so that a broken plugin breaks nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any

import pluggy

from zoo_core.contracts.component import Component, Kind, MethodSpec
from zoo_core.errors import PluginError, UsageError, unknown
from zoo_core.host import hookspecs
from zoo_core.host.isolation import (
    Plugin,
    fault_text,
    found_plugins,
    hooks,
    installed,
    isolated,
    resolve,
    restriction,
    version_of,
)

GROUP = "zoo"
"""Group of the entry points."""
CORE = "zoo-core"
"""Name of the core's own plugin and distribution."""
SECONDS = 30.0
"""How long a plugin may take to be imported and to say what it brings."""
MOST = 10_000
"""Most components that one plugin may bring."""
KINDS = Kind("kind", "", "Kinds of component", spec=Kind)


class PluginHost:
    """Finds plugins and answers what they bring.

    Where two plugins want one name, the one whose distribution is called ``zoo-NAME`` has it, else
    the first in alphabetical order; the other is skipped whole, and its problem names both.

    Args:
        entries: Entry points; None for those that are installed.
        only: Names of the plugins to load; None for ``ZOO_PLUGINS`` or all.
        strict: Whether a broken plugin is an error; None for ``ZOO_STRICT``.
        seconds: How long one plugin may take.

    Attributes:
        strict: Whether a broken plugin is an error.
        unused: Components of kinds that no installed package declares, with their distribution.

    Raises:
        PluginError: In strict mode, for the first broken plugin.
    """

    def __init__(
        self,
        entries: Iterable[metadata.EntryPoint] | None = None,
        *,
        only: Iterable[str] | None = None,
        strict: bool | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self.strict = (
            os.environ.get("ZOO_STRICT", "") not in ("", "0") if strict is None else strict
        )
        self.unused: list[tuple[Component, str]] = []
        self._seconds = seconds
        self._manager = pluggy.PluginManager("zoo")
        self._manager.add_hookspecs(hookspecs)
        self._plugins: list[Plugin] = []
        self._kinds: dict[str, Kind] = {"kind": KINDS}
        self._tables: dict[str, dict[str, Component]] = {"kind": {}}
        self._owners: dict[tuple[str, str], Plugin] = {}
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
    def kinds(self) -> Mapping[str, Kind]:
        """Kinds of component that installed packages declare, by name."""
        return self._kinds

    def components(self, kind: str) -> dict[str, Component]:
        """Components of one kind, by name; none where nobody declares the kind."""
        return dict(self._tables.get(kind, {}))

    def find(self, kind: str, name: str) -> Component:
        """The description of a component.

        Raises:
            UsageError: If there is none of this name, with the near match.
        """
        table = self._tables.get(kind, {})
        if name not in table:
            error = unknown(kind, name, table)
            if self.problems:
                broken = ", ".join(plugin.name for plugin in self.problems)
                note = f"Broken plugins, which may bring it: {broken}; see zoo plugins."
                error = UsageError(error.problem, asked=error.asked, hint=f"{error.hint} {note}")
            raise error
        return table[name]

    def load(self, kind: str, name: str) -> Any:
        """What a component's target names, imported and held against its kind's contract.

        Raises:
            UsageError: If there is none of this name.
            PluginError: If its import fails, or it is not what its kind asks for.
        """
        owner = self.owner(kind, name)
        found = resolve(self.find(kind, name).target, owner=owner)
        contract = self._kinds[kind].target
        if contract:
            cls = resolve(contract, owner=self.owner("kind", kind))
            fits = isinstance(found, cls) or (isinstance(found, type) and issubclass(found, cls))
        else:
            fits = callable(found)
        if not fits:
            raise PluginError(
                f"it is {found!r}, which is not a {contract or 'callable'}",
                asked=f'{kind} "{name}" of plugin {owner}',
                hint="Mend or uninstall the plugin.",
            )
        return found

    def methods(self) -> dict[str, MethodSpec]:
        """Methods by name."""
        return {n: m for n, m in self._tables["method"].items() if isinstance(m, MethodSpec)}

    def method(self, name: str) -> MethodSpec:
        """A method's description; an unknown name is an error with the near match."""
        self.find("method", name)
        return self.methods()[name]

    def registries(self) -> tuple[tuple[str, Path], ...]:
        """(distribution, path) of every registry file that working plugins name."""
        return tuple((p.distribution, path) for p in self.plugins for path in p.registries)

    def owner(self, kind: str, name: str) -> str:
        """Distribution that brings a component, such as ``zoo-cyclegan``."""
        plugin = self._owners.get((kind, name))
        return plugin.distribution if plugin else CORE

    def remedy(self, distribution: str) -> str:
        """What to do where a distribution brings nothing: install it, or see why it is broken."""
        broken = any(plugin.distribution == distribution for plugin in self.problems)
        return "see zoo plugins: it is broken" if broken else f"pip install {distribution}"

    @property
    def hook(self) -> Any:
        """The hooks of all working plugins."""
        return self._manager.hook

    def _load_all(
        self, entries: Iterable[metadata.EntryPoint] | None, only: frozenset[str] | None
    ) -> None:
        self._manager.register(hookspecs, name=CORE)
        loaded = [self._brought(Plugin(CORE, CORE, version_of(CORE)))]
        every = found_plugins(installed(GROUP) if entries is None else entries)
        names = {plugin.name for _, plugin in every}
        for entry, plugin in every:
            if only is None or plugin.name in only:
                loaded += self._load(entry, plugin, {plugin.name: plugin for plugin in loaded})
        for name in sorted((only or frozenset()) - names - {CORE}):
            self._skip(Plugin(name, "", ""), unknown("plugin", name, names))
        kept = [
            plugin
            for plugin in sorted(loaded, key=_precedence)
            if self._try(plugin, lambda plugin=plugin: self._add_kinds(plugin))
        ]
        for plugin in kept:
            if self._try(plugin, lambda plugin=plugin: self._add(plugin)):
                self._plugins.append(plugin)

    def _load(
        self, entry: metadata.EntryPoint, plugin: Plugin, loaded: Mapping[str, Plugin]
    ) -> list[Plugin]:
        """Imports one plugin and asks what it brings; nothing where it is skipped."""
        if plugin.name in loaded:
            both = f"{loaded[plugin.name].distribution} and {plugin.distribution}"
            self._skip(plugin, PluginError(f"{both} both bring a plugin of this name"))
            return []

        def ask() -> Plugin:
            self._manager.register(hooks(entry.load()), name=entry.name)
            self._manager.check_pending()
            return self._brought(plugin)

        try:
            return [isolated(ask, self._seconds)]
        except PluginError as error:
            self._drop(plugin)
            self._skip(plugin, error)
            return []

    def _brought(self, plugin: Plugin) -> Plugin:
        """The plugin with all that its hooks give."""
        components = self._call(plugin, "zoo_components", Component)
        paths = self._call(plugin, "zoo_models", str | Path)
        return replace(plugin, components=components, registries=tuple(Path(p) for p in paths))

    def _call(self, plugin: Plugin, hook: str, kind: Any) -> tuple[Any, ...]:
        """What one plugin's hook gives, each of the right type."""
        items: list[Any] = []
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            if implementation.plugin_name == plugin.name:
                given = implementation.function()
                if isinstance(given, str | bytes | Path) or not isinstance(given, Iterable):
                    raise PluginError(f"{hook} gave {given!r}, not a list")
                items += islice(given, MOST + 1)
        if len(items) > MOST:
            raise PluginError(f"{hook} gave more than {MOST:,} things")
        for item in items:
            if not isinstance(item, kind):
                raise PluginError(f"{hook} gave {item!r}, not a {_name(kind)}")
        return tuple(items)

    def _add_kinds(self, plugin: Plugin) -> None:
        """Takes the kinds that a plugin declares."""
        for kind in plugin.components:
            if isinstance(kind, Kind):
                self._require_free(kind, plugin)
                self._kinds[kind.name] = kind
                self._tables.setdefault(kind.name, {})
                self._register(kind, plugin)

    def _add(self, plugin: Plugin) -> None:
        """Takes all that a plugin brings, or nothing where one thing is wrong."""
        fresh: dict[tuple[str, str], Component] = {}
        unused = []
        for item in plugin.components:
            if isinstance(item, Kind):
                continue
            if item.kind not in self._kinds:
                import difflib  # needed by few

                near = difflib.get_close_matches(item.kind, self._kinds, n=1, cutoff=0.75)
                if near:
                    raise unknown("kind of component", item.kind, self._kinds)
                unused.append((item, plugin.distribution))
                continue
            spec = self._kinds[item.kind].spec
            if not isinstance(item, spec):
                raise PluginError(
                    f'{item.kind} "{item.name}" is described by a {_name(type(item))}, '
                    f"not by a {_name(spec)}"
                )
            if (item.kind, item.name) in fresh:
                raise PluginError(
                    f'{item.kind} "{item.name}" is brought by both itself and {plugin.distribution}'
                )
            self._require_free(item, plugin)
            fresh[item.kind, item.name] = item
        for item in fresh.values():
            self._register(item, plugin)
        self.unused += unused

    def _require_free(self, item: Component, plugin: Plugin) -> None:
        if item.name in self._tables.get(item.kind, {}):
            raise PluginError(
                f'{item.kind} "{item.name}" is brought by both '
                f"{self.owner(item.kind, item.name)} and {plugin.distribution}"
            )

    def _register(self, item: Component, plugin: Plugin) -> None:
        self._tables[item.kind][item.name] = item
        self._owners[item.kind, item.name] = plugin

    def _try(self, plugin: Plugin, act: Any) -> bool:
        """Whether a plugin could be taken; it is skipped whole otherwise."""
        try:
            act()
        except (PluginError, UsageError) as error:
            self._drop(plugin)
            self._skip(plugin, error)
            return False
        return True

    def _drop(self, plugin: Plugin) -> None:
        if self._manager.has_plugin(plugin.name):
            self._manager.unregister(name=plugin.name)
        for key in [key for key, owner in self._owners.items() if owner.name == plugin.name]:
            self._tables[key[0]].pop(key[1], None)
            del self._owners[key]

    def _skip(self, plugin: Plugin, error: PluginError | UsageError) -> None:
        """Keeps the problem of a plugin that is not loaded, or raises it in strict mode."""
        if self.strict:
            raise PluginError(
                fault_text(error),
                asked=f"plugin {plugin.label}",
                hint="Mend or uninstall it, or unset ZOO_STRICT.",
            ) from error
        self._plugins.append(
            replace(plugin, problem=fault_text(error), components=(), registries=())
        )


def _precedence(plugin: Plugin) -> tuple[bool, bool, str]:
    """Sort key: the core, then plugins that bring a method of their own name."""
    methods = {f"zoo-{item.name}" for item in plugin.components if item.kind == "method"}
    return (plugin.name != CORE, plugin.distribution not in methods, plugin.name)


def _name(kind: Any) -> str:
    return getattr(kind, "__name__", "path")


@cache
def host() -> PluginHost:
    """The host of this process, made on first use."""
    return PluginHost()
