"""What the core itself brings, through the same hooks as every plugin."""

from __future__ import annotations

from collections.abc import Iterable

from zoo_core.hookspecs import hookimpl
from zoo_core.spec import Component, LossSpec


@hookimpl
def zoo_signals() -> Iterable[Component]:
    """Pictures are the core's own kind of signal."""
    return [Component("image", "zoo_core.images.codec:ImageCodec", "RGB pictures in [-1, 1]")]


@hookimpl
def zoo_losses() -> Iterable[LossSpec]:
    """Constraints that join any method whose steps provide what they ask for."""
    consistency, regularisers = "zoo_core.losses.consistency", "zoo_core.losses.regularisers"
    return [
        LossSpec("cycle", f"{consistency}:Cycle", "There and back again is the input"),
        LossSpec(
            "identity", f"{consistency}:Identity", "The target's own signals stay as they are"
        ),
        LossSpec("semantic", f"{consistency}:SemanticConsistency", "A translation keeps its code"),
        LossSpec("kl", f"{regularisers}:KullbackLeibler", "Codes stay near a standard normal"),
        LossSpec("tv", f"{regularisers}:TotalVariation", "Translations are smooth"),
        LossSpec("r1", "zoo_core.losses.gradient:R1", "Critics are flat at reals", "discriminator"),
    ]
