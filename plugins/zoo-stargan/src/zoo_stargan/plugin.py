"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from zoo_core.contracts.component import Component, MethodSpec
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """StarGAN over domains or attributes."""
    here = "zoo_stargan.importers"
    return [
        MethodSpec(
            name="stargan",
            target="zoo_stargan.method:StarGAN",
            summary="One conditional generator for any number of domains or attributes",
            paper="Choi et al. 2018, arXiv:1711.09020",
            domains=(2, None),
            conditions=("domains", "attributes"),
        ),
        Component(
            "importer",
            "stargan-official",
            f"{here}:Official",
            "yunjey's generator or discriminator",
        ),
        Component("importer", "stargan-lornatang", f"{here}:Lornatang", "those of StarGAN-PyTorch"),
    ]


@hookimpl
def zoo_models() -> Iterable[Path]:
    """The trained models that come with the plugin."""
    return [Path(__file__).with_name("registry.yaml")]
