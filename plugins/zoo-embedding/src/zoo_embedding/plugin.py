"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from zoo_core.contracts.component import Component, LossSpec, MethodSpec
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """Generators tied by a frozen embedding, and the best known method of this kind."""
    return [
        MethodSpec(
            name="embedding",
            target="zoo_embedding.method:Embedding",
            summary="Generators whose output a frozen pretrained net sees as it sees the input",
            paper="Taigman et al. 2016, arXiv:1611.02200 (f-constancy)",
            presets=("256px", "64px", "32px"),
        ),
        MethodSpec(
            name="cartoongan",
            target="zoo_embedding.cartoon:CartoonGAN",
            summary="Photos as cartoons: VGG features tie them, smoothed edges count as fake",
            paper="Chen, Lai, Liu 2018, CVPR: CartoonGAN",
            presets=("paper", "64px"),
        ),
        LossSpec(
            "edges",
            "zoo_embedding.edges:SmoothedEdges",
            "Real pictures with smoothed edges count as fake",
            "discriminator",
        ),
        Component(
            "backbone",
            "imagenet",
            "zoo_embedding.imagenet:imagenet",
            "EfficientNet-Lite0, trained on ImageNet",
        ),
        Component(
            "judge-architecture",
            "imagenet",
            "zoo_embedding.judge:ImagenetArchitecture",
            "EfficientNet-Lite0, begun at its ImageNet weights",
        ),
        Component(
            "importer",
            "cartoongan-official",
            "zoo_embedding.importers:CartoonGANImporter",
            "the authors' generators: a state dict, or a folder of .npy arrays",
        ),
    ]


@hookimpl
def zoo_models() -> Iterable[Path]:
    """The trained models that come with the plugin."""
    return [Path(__file__).with_name("registry.yaml")]
