"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from zoo_core.contracts.component import Component
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """The runner that has a Ray cluster translate."""
    return [Component("runner", "ray", "zoo_ray.runner:RayRunner", "A Ray cluster")]
