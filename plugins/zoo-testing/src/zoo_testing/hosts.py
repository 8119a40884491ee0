"""Plugin hosts for tests: plugins that a test makes beside those that are installed."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from zoo_core.contracts.component import Component
from zoo_core.host.hookspecs import hookimpl
from zoo_core.host.plugins import GROUP, PluginHost


class InMemoryPlugin:
    """An entry point of a plugin that is not installed.

    Args:
        name: Name of the plugin.
        components: What it brings.
        registries: Its registry files.
    """

    group, dist = GROUP, None

    def __init__(
        self, name: str, components: Iterable[Component] = (), registries: Iterable[Path] = ()
    ) -> None:
        self.name = self.value = name
        self._module = module = ModuleType(f"made_{name}")
        brought, files = list(components), list(registries)
        module.zoo_components = hookimpl(lambda: brought, specname="zoo_components")  # type: ignore[attr-defined]
        module.zoo_models = hookimpl(lambda: files, specname="zoo_models")  # type: ignore[attr-defined]

    def load(self) -> ModuleType:
        """The module that holds its hooks."""
        return self._module


def host_with(
    *made: InMemoryPlugin, installed: Iterable[str] = ("images", "nn", "train")
) -> PluginHost:
    """A host of some installed plugins and of made ones; a broken one is an error.

    Args:
        made: Plugins of the test.
        installed: Names of the entry points of installed plugins, where they are there.
    """
    names = set(installed)
    found: list[Any] = [e for e in metadata.entry_points(group=GROUP) if e.name in names]
    return PluginHost([*found, *made], strict=True)
