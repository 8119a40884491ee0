"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from zoo_core.contracts.component import Component
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """The command zoo doctor."""
    summary = "Say what is broken or unsafe here."
    return [Component("command", "doctor", "zoo_doctor.cli:doctor", summary)]
