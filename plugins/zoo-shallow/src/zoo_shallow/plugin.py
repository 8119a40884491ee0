"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from zoo_core.contracts.component import Component, MethodSpec
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """Generators tied by nothing but their own depth."""
    return [
        MethodSpec(
            name="shallow",
            target="zoo_shallow.method:Shallow",
            summary="Generators of few layers and discriminators, no other constraint",
            paper="Galanti et al. 2018, arXiv:1709.00074",
            presets=("256px", "64px", "32px"),
        ),
    ]


@hookimpl
def zoo_models() -> Iterable[Path]:
    """The trained models that come with the plugin."""
    return [Path(__file__).with_name("registry.yaml")]
