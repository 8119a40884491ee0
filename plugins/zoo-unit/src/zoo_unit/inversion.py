"""The code of a picture, found by gradient descent through the decoder."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi

import torch
from torch import Tensor

from zoo_core.contracts.method import at_least_float32


def invert(
    decode: Callable[[Tensor], Tensor],
    x: Tensor,
    start: Tensor,
    *,
    steps: int,
    lr: float,
    pull: float = 0.0,
) -> Tensor:
    """The codes whose pictures are nearest to given ones (CoGAN, arXiv:1606.07536, §4).

    ``argmin_z ||decode(z) - x||^2 + pull ||z||^2``, by Adam whose rate falls to 0 as a cosine.
    Nothing is drawn, and no sum runs over the batch, so that a picture's code depends on the
    picture alone. Works in inference mode, which it leaves for the gradients.

    Args:
        decode: Makes pictures (N, *S) of codes (N, Z); parameters get no gradient.
        x: (N, *S) pictures.
        start: (N, Z) where to begin.
        steps: Steps of descent; 0 returns ``start``.
        lr: Rate of the first step.
        pull: Weight of the prior N(0, I); with noise of variance v per pixel it is v.

    Returns:
        (N, Z) codes, without a graph.
    """
    with torch.inference_mode(False), torch.enable_grad():
        # Clones, which are no inference tensors any more.
        goal = at_least_float32(x.detach().clone())  # (N, *S)
        z = at_least_float32(start.detach().clone()).requires_grad_()  # (N, Z)
        adam = torch.optim.Adam([z], lr)
        for number in range(steps):
            adam.param_groups[0]["lr"] = lr * (1 + cos(pi * number / steps)) / 2
            gap = (at_least_float32(decode(z)) - goal).square().sum()  # ()
            (z.grad,) = torch.autograd.grad(gap + pull * z.square().sum(), z)  # (N, Z)
            adam.step()
    return z.detach()  # (N, Z)
