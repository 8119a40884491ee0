"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from zoo_core.contracts.component import Component
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """The commands zoo check and zoo new."""
    return [
        Component("command", "new", "zoo_testing.cli:new", "Write a new plugin package."),
        Component("command", "check", "zoo_testing.cli:check", "Run the conformance kit."),
    ]
