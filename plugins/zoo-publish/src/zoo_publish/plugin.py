"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from zoo_core.contracts.component import Component
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """The commands zoo publish and zoo registry."""
    cli = "zoo_publish.cli"
    return [
        Component("command", "publish", f"{cli}.publish:publish_command", "Upload a model."),
        Component("command", "registry", f"{cli}.registry:registry", "Keep the model index."),
    ]
