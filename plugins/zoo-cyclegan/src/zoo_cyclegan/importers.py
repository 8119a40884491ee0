"""Published checkpoints whose nets are ours under other names.

All of them number the layers of one sequence, and so do our nets: the numbers agree, what stands
around them differs. Layouts of which a file holds one generator are taken to lead from the first
domain to the second.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from zoo_core.errors import WeightsError
from zoo_import.contract import STATISTICS, ForeignNet, Importer, Shapes

FORWARD = "generator_{1}"
"""The net from the first domain to the second."""
BACK = "generator_{0}"
MOST_HALVINGS = 6
"""Of a published generator there are two; with more than this a picture has no pixels left."""


class _CycleGAN(Importer):
    """What the layouts share."""

    method: ClassVar[str] = "cyclegan"

    def complete(self, nets: Sequence[str], domains: Sequence[str]) -> Mapping[str, Any]:
        """Names the generators that there are, where one is missing."""
        held = [name for name in domains if f"generator_{name}" in nets]
        return {"generators": held} if len(held) < len(domains) else {}


class Official(_CycleGAN):
    """``ResnetGenerator`` or ``NLayerDiscriminator`` of pytorch-CycleGAN-and-pix2pix.

    With or without dropout, and with or without running statistics of the instance normalisation,
    which the published results never used.
    """

    def parts(self, shapes: Shapes) -> Sequence[ForeignNet]:
        """One generator, or the discriminator of the second domain."""
        if _is_generator(shapes, "model.") and not any(key.endswith(".filt") for key in shapes):
            return [generator(shapes, FORWARD, "model.")]
        if _is_discriminator(shapes, "model."):
            return [discriminator(shapes, "discriminator_{1}", "model.")]
        return []


class Huggan(_CycleGAN):
    """``GeneratorResNet`` of PyTorch-GAN and of huggan: nearest neighbours, then a convolution."""

    def parts(self, shapes: Shapes) -> Sequence[ForeignNet]:
        """One generator."""
        if not _is_generator(shapes, "model.", block="block"):
            return []
        if shapes["model.1.weight"][1] != 3:
            raise WeightsError(
                f"it has {shapes['model.1.weight'][1]} channels, and this layout pads its first "
                "layer by as many pixels; ours pads by 3",
                asked="layout cyclegan-huggan",
            )
        return [generator(shapes, FORWARD, "model.", block="block", upsample="nearest-zero")]


class Upit(_CycleGAN):
    """``CycleGAN`` of UPIT: ``G_B`` makes the second domain (B), ``D_B`` judges it."""

    def parts(self, shapes: Shapes) -> Sequence[ForeignNet]:
        """All four nets, or the one generator of a file without names."""
        if _is_generator(shapes, ""):
            return [generator(shapes, FORWARD, "")]
        parts = [
            generator(shapes, net, scope)
            for net, scope in ((BACK, "G_A."), (FORWARD, "G_B."))
            if _is_generator(shapes, scope)
        ]
        if parts:
            parts += [
                discriminator(shapes, net, scope)
                for net, scope in (("discriminator_{0}", "D_A."), ("discriminator_{1}", "D_B."))
                if _is_discriminator(shapes, scope)
            ]
        return parts


class Cut(_CycleGAN):
    """``ResnetGenerator`` of CUT, which samples without aliasing."""

    def parts(self, shapes: Shapes) -> Sequence[ForeignNet]:
        """One generator."""
        if not _is_generator(shapes, "model.") or not any(key.endswith(".filt") for key in shapes):
            return []
        return [generator(shapes, FORWARD, "model.", downsample="blur")]


def generator(
    shapes: Shapes,
    net: str,
    scope: str,
    *,
    block: str = "conv_block",
    upsample: str = "transpose",
    downsample: str = "stride",
) -> ForeignNet:
    """The part of a residual generator.

    Args:
        shapes: Shapes of the file.
        net: Name of our net.
        scope: What its keys begin with; the number of a layer follows.
        block: Name of the layers of a residual block.
        upsample: As the option; for ``transpose``, filters ahead of the convolutions mean ``blur``.
        downsample: As the option.

    Raises:
        WeightsError: If it normalises by batch, or its layers are numbered in no known way.
    """
    stem = shapes[f"{scope}1.weight"]
    if f"{scope}2.weight" in shapes:
        raise WeightsError(
            "it was trained with batch normalisation, ours normalises each instance",
            asked=f"generator of a checkpoint, key {scope}2.weight",
        )
    blocks = _blocks(shapes, scope, block)
    if f"{scope}{blocks[-1] + 1}.filt" in shapes:
        upsample = "blur"
    # A layer is a convolution, a normalisation and a ReLU, with a filter a fourth; before the
    # first of them stand the four of the stem.
    halvings, rest = divmod(blocks[0] - 4, 4 if downsample == "blur" else 3)
    if rest or not 0 <= halvings <= MOST_HALVINGS:
        raise WeightsError(
            f"its first residual block is layer {blocks[0]}, which no number of halvings explains",
            asked=f"generator of a checkpoint, keys {scope}{blocks[0]}.{block}",
        )
    second = 6 if f"{scope}{blocks[0]}.{block}.6.weight" in shapes else 5  # 6: behind a dropout

    def theirs(ours: str) -> str:
        key = ours.removeprefix("layers.")
        key = key.replace(".body.1.", f".{block}.1.").replace(".body.5.", f".{block}.{second}.")
        return scope + key.replace(".filter", ".filt")

    layer = rf"{re.escape(scope)}\d+(\.{block}\.\d+)?"
    return ForeignNet(
        net,
        theirs,
        scope,
        left_out=layer + STATISTICS,
        options={
            "width": stem[0],
            "blocks": len(blocks),
            "halvings": halvings,
            "upsample": upsample,
            "downsample": downsample,
        },
        conditions=2,
        shape=(stem[1], None, None),
    )


def discriminator(shapes: Shapes, net: str, scope: str) -> ForeignNet:
    """The part of a patch discriminator.

    Args:
        shapes: Shapes of the file.
        net: Name of our net.
        scope: What its keys begin with; the number of a layer follows.
    """
    first = shapes[f"{scope}0.weight"]
    pattern = re.compile(rf"{re.escape(scope)}\d+\.weight")
    convolutions = [key for key in shapes if pattern.fullmatch(key) and len(shapes[key]) == 4]
    return ForeignNet(
        net,
        lambda ours: scope + ours.removeprefix("layers."),
        scope,
        left_out=rf"{re.escape(scope)}\d+{STATISTICS}",
        options={"critic_width": first[0], "critic_layers": max(1, len(convolutions) - 2)},
        conditions=2,
        shape=(first[1], None, None),
    )


def _is_generator(shapes: Shapes, scope: str, block: str = "conv_block") -> bool:
    stem = shapes.get(f"{scope}1.weight", ())
    return len(stem) == 4 and stem[2:] == (7, 7) and bool(_blocks(shapes, scope, block))


def _is_discriminator(shapes: Shapes, scope: str) -> bool:
    """Whether the first two layers are convolutions of stride 2 with kernels of 4."""
    first, second = (shapes.get(f"{scope}{number}.weight", ()) for number in (0, 2))
    return len(first) == len(second) == 4 and first[2:] == second[2:] == (4, 4)


def _blocks(shapes: Shapes, scope: str, block: str) -> list[int]:
    """Numbers of the residual blocks, in order."""
    pattern = re.compile(rf"{re.escape(scope)}(\d+)\.{block}\.")
    found = {int(match[1]) for key in shapes if (match := pattern.match(key))}
    return sorted(found)
