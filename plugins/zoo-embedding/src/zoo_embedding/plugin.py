"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from zoo_core.contracts.spec import Component, MethodSpec
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """Generators tied by a frozen embedding."""
    return [
        MethodSpec(
            name="embedding",
            target="zoo_embedding.method:Embedding",
            summary="Generators whose output a frozen pretrained net sees as it sees the input",
            paper="Taigman et al. 2016, arXiv:1611.02200 (f-constancy)",
            presets=("256px", "64px", "32px"),
        ),
    ]


@hookimpl
def zoo_models() -> Iterable[Path]:
    """The trained models that come with the plugin."""
    return [Path(__file__).with_name("registry.yaml")]
