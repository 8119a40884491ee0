"""A probe: how much of the input can be read out of the fine or faint part of its translation?

Shapes: N signals, C channels, F features, ``*P`` the patch: one axis or two.
"""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor
from torch.nn import functional as F

PATCH = 32
"""Longest side of the patches that the probe sees."""
SEEN, FEATURES = 7, 96
"""Samples across that one answer depends on, and random features of them."""
WEAK = 0.004
"""Traces up to this strength count in full; stronger ones grow as their logarithm."""
RIDGE = 1e-4
"""Regularisation, relative to the features' mean square."""


class Readings:
    """Patches of parts of translations and of what is to be read out of them."""

    def __init__(self) -> None:
        self._parts: dict[str, list[Tensor]] = defaultdict(list)
        self._inputs: dict[str, list[Tensor]] = defaultdict(list)
        self._references: dict[str, list[Tensor]] = defaultdict(list)

    def add(self, kind: str, part: Tensor, x: Tensor, reference: Tensor | None) -> None:
        """Takes in the middle patches of a batch.

        Args:
            kind: Name of the part, such as ``fine``.
            part: (N, *S) that part of the translations.
            x: (N, *S) their inputs.
            reference: (N, *S) the same part of the inputs' references, where there are any.
        """
        self._parts[kind].append(_patch(part))
        self._inputs[kind].append(_patch(x))
        if reference is not None:
            self._references[kind].append(_patch(reference))

    def read(self, seed: int) -> dict[str, float]:
        """R² on the third of the inputs that the probe has not seen, for every kind of part.

        ``probe_KIND_r2`` of the translations' part, ``probe_KIND_shuffled_r2`` of somebody else's,
        and ``probe_KIND_reference_r2`` of the references': what an honest translation would show.
        """
        found = {}
        for kind in self._parts:
            x, part = torch.cat(self._inputs[kind]), torch.cat(self._parts[kind])
            rng = torch.Generator().manual_seed(seed)
            strangers = part[torch.randperm(len(x), generator=rng)]
            found[f"probe_{kind}_r2"] = r_squared(part, x, seed)
            found[f"probe_{kind}_shuffled_r2"] = r_squared(strangers, x, seed)
            if kind in self._references:
                references = torch.cat(self._references[kind])
                found[f"probe_{kind}_reference_r2"] = r_squared(references, x, seed)
        return found


def r_squared(part: Tensor, x: Tensor, seed: int) -> float:
    """Coefficient of determination of ``x`` (N, C, *P) read from ``part`` (N, C, *P).

    A net of one hidden layer, whose first layer is random and whose second is found by ridge
    regression, learns from two thirds; its error on the other third is held against that of the
    learned inputs' mean. It sees `SEEN` samples across, and weak traces as well as strong ones.
    """
    train = max(1, len(x) * 2 // 3)
    mean = x[:train].mean(0)  # (C, *P)
    hidden = _hidden(part - part[:train].mean(0), seed)  # (N, F, *P)
    told = _rows(hidden[:train]).double()  # (M, F)
    gram = told.T @ told  # (F, F)
    ridge = RIDGE * gram.diagonal().mean().clamp(min=1e-12) * torch.eye(len(gram)).double()
    weights = torch.linalg.solve(gram + ridge, told.T @ _rows(x[:train] - mean).double())  # (F, C)
    wanted = _rows(x[train:] - mean).double()  # (M', C)
    left = (_rows(hidden[train:]).double() @ weights - wanted).square().sum()
    return 1 - float(left / wanted.square().sum().clamp(min=1e-12))


def _hidden(part: Tensor, seed: int) -> Tensor:
    """(N, F, *P) random features of the part (N, C, *P), itself and a constant."""
    channels, axes = part.shape[1], part.dim() - 2
    rng = torch.Generator().manual_seed(seed)
    fan = channels * SEEN**axes
    filters = torch.randn(FEATURES, channels, *[SEEN] * axes, generator=rng) / fan**0.5
    bias = torch.randn(FEATURES, generator=rng)  # (F,)
    spread = torch.asinh(part / WEAK)  # (N, C, *P)
    convolve = {1: F.conv1d, 2: F.conv2d}[axes]
    found = convolve(spread, filters, bias, padding=SEEN // 2).relu()  # (N, F, *P)
    return torch.cat([found, spread, torch.ones_like(found[:, :1])], 1)  # (N, F, *P)


def _rows(x: Tensor) -> Tensor:
    """(N * P, C) the samples of (N, C, *P) one by one."""
    return x.flatten(2).movedim(1, -1).flatten(0, 1)


def _patch(x: Tensor) -> Tensor:
    """(N, C, *P) the middle of each signal, float32 on the CPU."""
    for axis in range(2, x.dim()):
        side = min(PATCH, x.shape[axis])
        x = x.narrow(axis, (x.shape[axis] - side) // 2, side)
    return x.detach().float().cpu().clone()
