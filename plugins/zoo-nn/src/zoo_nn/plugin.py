"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from zoo_core.contracts.component import Component, Kind, LossSpec
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """Losses, defences, runners of steps, engines and statistics of windows; a backbone."""
    losses, defences = "zoo_nn.losses", "zoo_nn.defences"
    consistency, regularisers = f"{losses}.consistency", f"{losses}.regularisers"
    digits = "A small timm ResNet that has learnt MNIST's digits"
    return [
        Kind("backbone", "", "Frozen networks that options may name"),
        Kind(
            "judge-architecture",
            "zoo_nn.nets.judge_architecture:JudgeArchitecture",
            "Nets of judges, for zoo judge train --architecture NAME[:REST]",
        ),
        Component(
            "judge-architecture",
            "judge",
            "zoo_nn.nets.classifier:OwnArchitecture",
            "The zoo's own residual net for pictures",
        ),
        Component(
            "judge-architecture",
            "timm",
            "zoo_nn.nets.classifier:TimmArchitecture",
            "timm:NAME, any classifier of timm, from scratch",
        ),
        Component("backbone", "digits", "zoo_nn.nets.backbones:digits", digits),
        LossSpec("cycle", f"{consistency}:Cycle", "There and back again is the input"),
        LossSpec("identity", f"{consistency}:Identity", "The target's own signals stay unchanged"),
        LossSpec("likeness", f"{consistency}:Likeness", "A translation looks like its input"),
        LossSpec("semantic", f"{consistency}:SemanticConsistency", "A translation keeps its code"),
        LossSpec("latent", f"{losses}.latent:Indistinguishable", "Codes do not show their domain"),
        LossSpec("kl", f"{regularisers}:KullbackLeibler", "Codes stay near a standard normal"),
        LossSpec("tv", f"{regularisers}:TotalVariation", "Translations are smooth"),
        LossSpec(
            "guess",
            f"{losses}.guess:Guess",
            "Input and reconstruction cannot be told apart",
            weight=2.0,
        ),
        LossSpec(
            "embedding",
            f"{losses}.embedding:EmbeddingDistance",
            "A frozen network sees the same in the translation as in the input",
        ),
        LossSpec(
            "r1", f"{losses}.gradient:R1", "Gradient penalty at real signals", "discriminator"
        ),
        Component(
            "step-runner",
            "captured",
            "zoo_nn.speed.captured:CapturedSteps",
            "Steps as CUDA graphs, the default on a GPU",
        ),
        Component(
            "step-runner",
            "compiled",
            "zoo_nn.speed.compiled:CompiledSteps",
            "The same, and the nets that translate compiled, which takes a minute or two",
        ),
        Component(
            "engine",
            "compiled",
            "zoo_nn.speed.engines:Compiled",
            "Nets compiled by torch, which needs a C++ compiler",
        ),
        Component(
            "engine",
            "auto",
            "zoo_nn.speed.engines:Auto",
            "The fastest that is ready, or pays, and agrees with the model",
        ),
        Component("windows", "fast", "zoo_nn.windows:Fast", "By the statistics of a reduced copy"),
        Component("windows", "exact", "zoo_nn.windows:Exact", "By those of the whole"),
        Component("defence", "noise", f"{defences}:Noise", "White noise; std=0.1 as published"),
        Component("defence", "quantise", f"{defences}:Quantise", "8 bits, straight-through"),
        Component("defence", "lowpass", f"{defences}:LowPass", "A Gaussian filter"),
    ]
