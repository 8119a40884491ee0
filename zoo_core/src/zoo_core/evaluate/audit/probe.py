"""A probe: how much of the input can be read out of the fine detail of its translation?

Shapes: N signals, C channels, F features, ``*P`` the patch: one axis or two.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

PATCH = 32
"""Longest side of the patches that the probe sees."""
SEEN, FEATURES = 7, 96
"""Samples across that one answer depends on, and random features of them."""
WEAK = 0.004
"""Detail of this strength counts in full; stronger detail grows as its logarithm."""
RIDGE = 1e-4
"""Regularisation, relative to the features' mean square."""


class Readings:
    """Patches of fine detail and of what is to be read out of them, gathered batch by batch."""

    def __init__(self) -> None:
        self._detail: list[Tensor] = []
        self._input: list[Tensor] = []
        self._partner: list[Tensor] = []

    def add(self, detail: Tensor, x: Tensor, partner: Tensor | None) -> None:
        """Takes in the middle patches of a batch.

        Args:
            detail: (N, *S) fine detail of the translations.
            x: (N, *S) their inputs.
            partner: (N, *S) fine detail of the inputs' true partners, where there are any.
        """
        self._detail.append(_patch(detail))
        self._input.append(_patch(x))
        if partner is not None:
            self._partner.append(_patch(partner))

    def read(self, seed: int) -> dict[str, float]:
        """R² on the third of the inputs that the probe has not seen.

        ``probe_r2`` of the translations' detail, ``probe_shuffled_r2`` of somebody else's, and
        ``probe_partner_r2`` of the true partners': what an honest translation would show.
        """
        if not self._detail:
            return {}
        x, detail = torch.cat(self._input), torch.cat(self._detail)
        rng = torch.Generator().manual_seed(seed)
        strangers = detail[torch.randperm(len(x), generator=rng)]
        found = {
            "probe_r2": r_squared(detail, x, seed),
            "probe_shuffled_r2": r_squared(strangers, x, seed),
        }
        if self._partner:
            found["probe_partner_r2"] = r_squared(torch.cat(self._partner), x, seed)
        return found


def r_squared(detail: Tensor, x: Tensor, seed: int) -> float:
    """Coefficient of determination of ``x`` (N, C, *P) read from ``detail`` (N, C, *P).

    A net of one hidden layer, whose first layer is random and whose second is found by ridge
    regression, learns from two thirds; its error on the other third is held against that of the
    learned inputs' mean. It sees `SEEN` samples across, and weak detail as well as strong.
    """
    train = max(1, len(x) * 2 // 3)
    mean = x[:train].mean(0)  # (C, *P)
    hidden = _hidden(detail - detail[:train].mean(0), seed)  # (N, F, *P)
    told = _rows(hidden[:train]).double()  # (M, F)
    gram = told.T @ told  # (F, F)
    ridge = RIDGE * gram.diagonal().mean().clamp(min=1e-12) * torch.eye(len(gram)).double()
    weights = torch.linalg.solve(gram + ridge, told.T @ _rows(x[:train] - mean).double())  # (F, C)
    wanted = _rows(x[train:] - mean).double()  # (M', C)
    left = (_rows(hidden[train:]).double() @ weights - wanted).square().sum()
    return 1 - float(left / wanted.square().sum().clamp(min=1e-12))


def _hidden(detail: Tensor, seed: int) -> Tensor:
    """(N, F, *P) random features of the detail (N, C, *P), itself and a constant."""
    channels, axes = detail.shape[1], detail.dim() - 2
    rng = torch.Generator().manual_seed(seed)
    fan = channels * SEEN**axes
    filters = torch.randn(FEATURES, channels, *[SEEN] * axes, generator=rng) / fan**0.5
    bias = torch.randn(FEATURES, generator=rng)  # (F,)
    spread = torch.asinh(detail / WEAK)  # (N, C, *P)
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
