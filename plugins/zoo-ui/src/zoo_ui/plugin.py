"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from zoo_core.contracts.component import Component
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """The command zoo ui."""
    return [Component("command", "ui", "zoo_ui.command:ui", "Translate in the browser.")]
