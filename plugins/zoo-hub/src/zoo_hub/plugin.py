"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from zoo_core.contracts.component import Component
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """The Hub as a source of models, and the command zoo verify."""
    return [
        Component("model-source", "hub", "zoo_hub.source:HubSource", "The Hugging Face Hub"),
        Component("command", "verify", "zoo_hub.verify:verify", "Check the hash of weights."),
    ]
