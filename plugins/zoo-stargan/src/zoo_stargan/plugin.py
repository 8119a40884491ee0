"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from zoo_core.hookspecs import hookimpl
from zoo_core.spec import Component, MethodSpec


@hookimpl
def zoo_methods() -> Iterable[MethodSpec]:
    """StarGAN over domains or attributes."""
    return [
        MethodSpec(
            name="stargan",
            target="zoo_stargan.method:StarGAN",
            summary="One conditional generator for any number of domains or attributes",
            paper="Choi et al. 2018, arXiv:1711.09020",
            domains=(2, None),
            conditions=("domains", "attributes"),
        ),
    ]


@hookimpl
def zoo_models() -> Iterable[Path]:
    """The trained models that come with the plugin."""
    return [Path(__file__).with_name("registry.yaml")]


@hookimpl
def zoo_importers() -> Iterable[Component]:
    """Layouts of checkpoints that hold the same nets."""
    here = "zoo_stargan.importers"
    return [
        Component("stargan-official", f"{here}:Official", "yunjey's generator or discriminator"),
        Component("stargan-lornatang", f"{here}:Lornatang", "those of StarGAN-PyTorch"),
    ]
