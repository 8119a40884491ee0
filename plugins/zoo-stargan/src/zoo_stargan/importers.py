"""Published checkpoints whose nets are ours under other names.

Both layouts normalise with running statistics on board; the published results never used them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

from zoo_core.contracts.signals import TensorSpec
from zoo_import.contract import STATISTICS, ForeignNet, Importer, Shapes

TRUNK = 9
"""Number of the first residual block in our sequence: three stages of three layers precede it."""


class _StarGAN(Importer):
    """What the layouts share: all but the names of the generator's layers."""

    method: ClassVar[str] = "stargan"
    kind: ClassVar[Literal["domains", "attributes"]] = "attributes"
    signal: ClassVar[TensorSpec] = TensorSpec(shape=(3, 128, 128))
    stem: ClassVar[str]
    """Key of the generator's first layer."""
    block: ClassVar[str]
    """Pattern of the first key of a residual block."""

    def parts(self, shapes: Shapes) -> Sequence[ForeignNet]:
        """The generator, or the discriminator, which both layouts name alike."""
        if len(shapes.get("conv2.weight", ())) == 4 and len(shapes.get("main.0.weight", ())) == 4:
            return [_discriminator(shapes)]
        stem = shapes.get(self.stem, ())
        blocks = sum(bool(re.fullmatch(self.block, key)) for key in shapes)
        if len(stem) != 4 or not blocks:
            return []
        last = TRUNK + blocks + 6
        channels = shapes.get(self.name_of(blocks)(f"layers.{last}.weight"), (3,))[0]
        return [
            ForeignNet(
                "generator",
                self.name_of(blocks),
                left_out=r".*" + STATISTICS,
                options={"width": stem[0], "blocks": blocks, "upsample": "transpose", "skip": 0.0},
                conditions=stem[1] - channels,
                shape=(channels, None, None),
            )
        ]

    def name_of(self, blocks: int) -> Callable[[str], str]:
        """The file's key of a tensor of our generator with so many blocks."""
        raise NotImplementedError


class Official(_StarGAN):
    """``Generator`` or ``Discriminator`` of yunjey/stargan: our numbers under another name."""

    stem = "main.0.weight"
    block = r"main\.\d+\.main\.0\.weight"

    def name_of(self, blocks: int) -> Callable[[str], str]:
        """``layers`` and ``body`` are both called ``main``."""
        return lambda ours: ours.replace("layers.", "main.").replace(".body.", ".main.")


class Lornatang(_StarGAN):
    """``StarGAN`` or ``PathDiscriminator`` of StarGAN-PyTorch: the sequence in five pieces."""

    stem = "first_layer.0.weight"
    block = r"trunk\.\d+\.main\.0\.weight"

    def name_of(self, blocks: int) -> Callable[[str], str]:
        """Each piece counts its layers anew."""
        ends = [(3, "first_layer"), (TRUNK, "down_sampling"), (TRUNK + blocks, "trunk")]
        ends += [(TRUNK + blocks + 6, "up_sampling"), (TRUNK + blocks + 7, "last_layer")]

        def theirs(ours: str) -> str:
            _, number, rest = ours.split(".", 2)
            start = 0
            for end, piece in ends:
                if int(number) < end:
                    return f"{piece}.{int(number) - start}.{rest.replace('body.', 'main.')}"
                start = end
            raise KeyError(ours)

        return theirs


def _discriminator(shapes: Shapes) -> ForeignNet:
    first, domain = shapes["main.0.weight"], shapes["conv2.weight"]
    layers = sum(bool(re.fullmatch(r"main\.\d+\.weight", key)) for key in shapes)
    side = domain[2] << layers

    def theirs(ours: str) -> str:
        heads = {"source.weight": "conv1.weight", "domain.weight": "conv2.weight"}
        return heads.get(ours, ours.replace("body.", "main."))

    return ForeignNet(
        "discriminator",
        theirs,
        options={"critic_width": first[0], "critic_layers": layers},
        conditions=domain[0],
        shape=(first[1], side, side),
    )
