"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from zoo_core.contracts.component import Component, MethodSpec
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """ComboGAN: as many domains as there are encoders and decoders."""
    return [
        MethodSpec(
            name="combogan",
            target="zoo_combogan.method:ComboGAN",
            summary="An encoder and a decoder per domain, any number, tied by the cycle",
            paper="Anoosheh et al. 2017, arXiv:1712.06909",
            domains=(2, None),
        ),
    ]


@hookimpl
def zoo_models() -> Iterable[Path]:
    """The trained models that come with the plugin."""
    return [Path(__file__).with_name("registry.yaml")]
