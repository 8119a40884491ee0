"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from zoo_core.contracts.component import Component, MethodSpec
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """Two auto-encoders that nothing ties to each other."""
    return [
        MethodSpec(
            name="autoencoders",
            target="zoo_autoencoders.method:Autoencoders",
            summary="An auto-encoder and a discriminator per domain, nothing that ties their codes",
            presets=("256px", "64px", "32px"),
        ),
    ]


@hookimpl
def zoo_models() -> Iterable[Path]:
    """The trained models that come with the plugin."""
    return [Path(__file__).with_name("registry.yaml")]
