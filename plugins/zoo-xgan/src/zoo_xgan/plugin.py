"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from zoo_core.contracts.component import Component, MethodSpec
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """DTN, one way through a frozen code, and XGAN, both ways through a learned one."""
    return [
        MethodSpec(
            name="dtn",
            target="zoo_xgan.dtn:DTN",
            summary="One way through a frozen code that the translation must keep",
            paper="Taigman et al. 2016, arXiv:1611.02200",
            presets=("paper", "port", "64px", "32px"),
        ),
        MethodSpec(
            name="xgan",
            target="zoo_xgan.xgan:XGAN",
            summary="Encoders and decoders that share their inner layers; the code keeps meaning",
            paper="Royer et al. 2017, arXiv:1711.05139",
        ),
    ]


@hookimpl
def zoo_models() -> Iterable[Path]:
    """The trained models that come with the plugin."""
    return [Path(__file__).with_name("registry.yaml")]
