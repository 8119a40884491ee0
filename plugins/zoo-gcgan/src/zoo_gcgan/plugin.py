"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from zoo_core.contracts.component import Component, LossSpec, MethodSpec
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """GcGAN, and the one-sided constraint that it is compared and mixed with."""
    return [
        MethodSpec(
            name="gcgan",
            target="zoo_gcgan.method:GcGAN",
            summary="One generator that commutes with a rotation or a flip of the picture",
            paper="Fu et al. 2019, arXiv:1809.05852",
        ),
        LossSpec(
            "distance",
            "zoo_gcgan.losses:PairwiseDistance",
            "Two translations are as far apart as their inputs",
        ),
    ]
