"""Entry module: imported by every command of zoo, so it imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from zoo_core.contracts.component import Component, MethodSpec
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """The method that this plugin brings."""
    return [
        MethodSpec(
            name="my-method",
            target="zoo_my_method.method:MyMethod",
            summary="Two small generators tied by cycle consistency",
            paper="",
            presets=("64px", "32px"),
        ),
    ]
