"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from zoo_core.contracts.component import Component, MethodSpec
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """Two ways to keep the domain out of the code."""
    return [
        MethodSpec(
            name="latent-adversarial",
            target="zoo_fader.latent_adversarial:LatentAdversarial",
            summary="An auto-encoder per domain, whose codes a critic shall not tell apart",
            domains=(2, None),
        ),
        MethodSpec(
            name="fader",
            target="zoo_fader.fader:Fader",
            summary="One encoder whose code hides the attributes, one decoder that is told them",
            paper="Lample et al. 2017, arXiv:1706.00409",
            domains=(2, None),
            conditions=("domains", "attributes"),
        ),
    ]


@hookimpl
def zoo_models() -> Iterable[Path]:
    """The trained models that come with the plugin."""
    return [Path(__file__).with_name("registry.yaml")]
