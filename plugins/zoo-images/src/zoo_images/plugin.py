"""Entry module of the plugin: light, imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from zoo_core.contracts.spec import Component
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """Pictures, and data sets that torchvision reads from disk."""
    sets = "zoo_images.sources.torchvision_sets"
    return [
        Component("codec", "image", "zoo_images.codec:ImageCodec", "RGB pictures in [-1, 1]"),
        Component(
            "source",
            "attribute-list",
            "zoo_images.sources.celeba:CelebA",
            "CelebA's layout: img_align*/, list_attr*.txt, list_eval_partition.txt",
        ),
        Component(
            "source", "mnist", f"{sets}:mnist", "MNIST, padded to 32×32; ROOT holds MNIST/raw"
        ),
        Component(
            "source", "usps", f"{sets}:usps", "USPS, 16×16; ROOT holds usps.bz2 and usps.t.bz2"
        ),
    ]
