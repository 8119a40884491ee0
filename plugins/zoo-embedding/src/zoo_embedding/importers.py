"""The published generators of CartoonGAN (Hayao, Hosoda, Paprika, Shinkai) under their own names.

The authors' Torch files were converted to state dicts (Yijunmaverick/CartoonGAN-Test-Pytorch-Torch)
and to a folder of ``.npy`` arrays (mnicnc404/CartoonGan-tensorflow): one layout in two forms.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

from torch import Tensor

from zoo_import.contract import ForeignNet, Importer, Shapes

STEM, HEAD = "conv01_1", "deconv03_1"
"""Their first and last convolution; in spite of its name the last one is a plain one."""


class CartoonGANImporter(Importer):
    """``Transformer``: numbered stages ``conv``, ``in`` and ``deconv``; pictures in BGR order."""

    method: ClassVar[str] = "cartoongan"
    domains: ClassVar[tuple[str, ...]] = ("photo", "cartoon")
    scale: ClassVar[Literal["own", "trained", "whole"]] = "whole"

    def parts(self, shapes: Shapes) -> Sequence[ForeignNet]:
        """The generator."""
        stem, head = (shapes.get(f"{name}.weight", ()) for name in (STEM, HEAD))
        if len(stem) != 4 or len(head) != 4 or f"in{STEM[4:]}.scale" not in shapes:
            return []
        stages = (re.fullmatch(r"conv(\d\d)_[12]\.weight", key) for key in shapes)
        blocks = max(int(stage[1]) for stage in stages if stage) - 3
        return [
            ForeignNet(
                "generator_{1}",
                _names(blocks),
                options={"width": stem[0], "blocks": blocks},
                conditions=2,
                shape=(stem[1], None, None),
                adapt=_in_rgb,
            )
        ]


def _names(blocks: int) -> Callable[[str], str]:
    """Their key of a tensor of our generator with so many residual blocks.

    ``conv01`` to ``conv03`` end at the smallest size, a block each follows, ``deconv01`` to
    ``deconv03`` lead back; normalisations go by the number of their convolution, and behind the
    blocks count on.
    """
    first, last = 12, 12 + blocks  # numbers of our first residual block, and of what follows them
    names = {"1": STEM, "2": "in01_1", str(last + 9): HEAD}
    for stage, at in ((2, 4), (3, 8)):
        names |= _stage(at, f"conv{stage:02d}", f"in{stage:02d}_1")
    for stage, at in ((1, last), (2, last + 4)):
        names |= _stage(at, f"deconv{stage:02d}", f"in{3 + blocks + stage:02d}_1")
    for block in range(blocks):
        for half, at in ((1, 1), (2, 5)):
            place = f"{4 + block:02d}_{half}"
            names[f"{first + block}.body.{at}"] = f"conv{place}"
            names[f"{first + block}.body.{at + 1}"] = f"in{place}"

    def theirs(ours: str) -> str:
        layer, _, kind = ours.removeprefix("layers.").rpartition(".")
        name = names.get(layer, layer)
        if name.startswith("in"):
            kind = {"weight": "scale", "bias": "shift"}[kind]
        return f"{name}.{kind}"

    return theirs


def _stage(at: int, name: str, normalisation: str) -> dict[str, str]:
    """Two convolutions and a normalisation, from our layer ``at`` on."""
    return {str(at): f"{name}_1", str(at + 1): f"{name}_2", str(at + 2): normalisation}


def _in_rgb(theirs: str, value: Tensor) -> Tensor:
    """A tensor of a net that reads and makes BGR pictures, as one of a net for RGB pictures."""
    name, _, kind = theirs.rpartition(".")
    if name == STEM and kind == "weight":
        return value.flip(1)  # (width, 3, 7, 7)
    return value.flip(0) if name == HEAD else value  # (3, width, 7, 7) or (3,)
