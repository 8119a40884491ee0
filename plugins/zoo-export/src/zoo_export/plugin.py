"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from zoo_core.contracts.spec import Component
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """The command zoo export."""
    summary = "Write a model as one ONNX graph."
    return [Component("command", "export", "zoo_export.command:export", summary)]
