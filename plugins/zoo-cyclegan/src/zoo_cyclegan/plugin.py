"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from zoo_core.contracts.component import Component, MethodSpec
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """CycleGAN in both directions, or in one."""
    here = "zoo_cyclegan.importers"
    return [
        MethodSpec(
            name="cyclegan",
            target="zoo_cyclegan.method:CycleGAN",
            summary="Two generators tied by cycle consistency, a PatchGAN for each domain",
            paper="Zhu et al. 2017, arXiv:1703.10593",
        ),
        Component(
            "importer", "cyclegan-official", f"{here}:Official", "junyanz's generator or PatchGAN"
        ),
        Component(
            "importer", "cyclegan-huggan", f"{here}:Huggan", "generator of huggan and PyTorch-GAN"
        ),
        Component(
            "importer", "cyclegan-upit", f"{here}:Upit", "all four nets of UPIT, or one generator"
        ),
        Component("importer", "cut-official", f"{here}:Cut", "anti-aliased generator of CUT"),
    ]


@hookimpl
def zoo_models() -> Iterable[Path]:
    """The trained models that come with the plugin."""
    return [Path(__file__).with_name("registry.yaml")]
