"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from zoo_core.contracts.component import Component, MethodSpec
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """UNIT and its forerunner CoGAN: a common space by shared layers."""
    return [
        MethodSpec(
            name="unit",
            target="zoo_unit.method:UNIT",
            summary="Variational auto-encoders whose innermost layers both domains share",
            paper="Liu, Breuel, Kautz 2017, arXiv:1703.00848",
        ),
        MethodSpec(
            name="cogan",
            target="zoo_unit.cogan:CoGAN",
            summary="One code makes a picture of both domains; translates by inverting that",
            paper="Liu, Tuzel 2016, arXiv:1606.07536",
        ),
    ]


@hookimpl
def zoo_models() -> Iterable[Path]:
    """The trained models that come with the plugin."""
    return [Path(__file__).with_name("registry.yaml")]
