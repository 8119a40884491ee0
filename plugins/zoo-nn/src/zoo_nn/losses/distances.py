"""Distances between tensors that options may name, and what all losses share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from operator import add

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo_core.contracts.method import at_least_float32
from zoo_core.errors import unknown

Distance = Callable[[Tensor, Tensor], Tensor]


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Mean () over batch and places of 1 - the cosine between the channels (axis 1), 0 to 2."""
    return (1 - F.cosine_similarity(a, b, dim=1)).mean()


def l1_norm(a: Tensor, b: Tensor) -> Tensor:
    """Mean () over the batch of the sum of absolute differences."""
    return (a - b).flatten(1).abs().sum(1).mean()


def l2_norm(a: Tensor, b: Tensor) -> Tensor:
    """Mean () over the batch of the Euclidean length of the difference."""
    lengths: Tensor = torch.linalg.vector_norm((a - b).flatten(1), dim=1)  # (N,)
    return lengths.mean()


def pooled_smooth_l1(a: Tensor, b: Tensor) -> Tensor:
    """Huber's function () of the difference of pictures (N, C, H, W), averaged over 3x3 pixels."""
    return F.smooth_l1_loss(F.avg_pool2d(a, 3, stride=2), F.avg_pool2d(b, 3, stride=2))


DISTANCES: dict[str, Distance] = {
    "l1": F.l1_loss,
    "l2": F.mse_loss,
    "smooth_l1": F.smooth_l1_loss,
    "pooled_smooth_l1": pooled_smooth_l1,
    "cosine": cosine,
    "l1_norm": l1_norm,
    "l2_norm": l2_norm,
}
"""Mean over all elements of: the absolute difference, its square, Huber's function of it (of
whole pictures, or of averages over 3x3 pixels); the cosine distance along the channels; and norms
of the difference, which grow with its size."""


def distance_of(name: str | Distance) -> Distance:
    """The distance, in float32 at least, of a name, one of `DISTANCES`, or of a function.

    Raises:
        UsageError: If there is none of this name.
    """
    if isinstance(name, str) and name not in DISTANCES:
        raise unknown("distance", name, DISTANCES)
    distance = DISTANCES[name] if isinstance(name, str) else name
    return lambda a, b: distance(at_least_float32(a), at_least_float32(b))


def total(parts: Iterable[Tensor]) -> Tensor:
    """The sum () of scalars, in float32 at least; no parts at all is a mistake of the plan."""
    found = [at_least_float32(part) for part in parts]
    if not found:
        raise RuntimeError(
            "a loss found no route to work on: see its `routes` and the method's plan"
        )
    return reduce(add, found)
