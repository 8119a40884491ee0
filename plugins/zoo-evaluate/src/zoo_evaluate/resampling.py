"""How much a distance of two samples varies with the samples, by the bootstrap.

Shapes: N and M signals of the two sides, F features.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

MOST = 500
"""Signals of a side that are drawn at once; of larger sides, the deviation is scaled."""
MANY, FEW = 40, 20
"""Bootstrap samples; the fewer where one takes seconds."""
_SMALL = 128
"""Features, or signals, up to which `MANY` samples are drawn."""


def spread(distance: Callable[[Tensor, Tensor], float], x: Tensor, y: Tensor, seed: int) -> float:
    """Standard deviation of a distance over bootstrap samples of both sides.

    Args:
        distance: Of features (N, F) and (M, F).
        x: (N, F) float64 features of one side.
        y: (M, F) float64 features of the other.
        seed: Seed of the samples.
    """
    rng = torch.Generator().manual_seed(seed)
    size = min(len(x), len(y), x.shape[1], MOST)
    values = [
        distance(_resampled(x, rng), _resampled(y, rng))
        for _ in range(MANY if size <= _SMALL else FEW)
    ]
    share = min(len(x), len(y), MOST) / min(len(x), len(y))
    return float(torch.tensor(values, dtype=torch.float64).std() * share**0.5)


def frechet(x: Tensor, y: Tensor) -> float:
    """Fréchet distance of the Gaussians fitted to features (N, F) and (M, F), squared.

    The trace of the root of both covariances' product is the sum of the singular values of the
    product of the centred features, which needs no root of a large singular matrix.
    """
    a, b = _centred(x), _centred(y)  # (≤ F, F) each
    root = torch.linalg.svdvals(a @ b.T).sum()
    apart = (x.mean(0) - y.mean(0)).square().sum()
    return float(apart + a.square().sum() + b.square().sum() - 2 * root)


def kernel_distance(x: Tensor, y: Tensor) -> float:
    """Unbiased squared MMD of features (N, F) and (M, F) with KID's cubic kernel."""
    return float(_apart(x) + _apart(y) - 2 * _kernel(x, y).mean())


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3  # (N, M)


def _apart(x: Tensor) -> Tensor:
    """() mean of the kernel over pairs of different signals."""
    values = _kernel(x, x)  # (N, N)
    return (values.sum() - values.diagonal().sum()) / (len(x) * (len(x) - 1))


def _centred(x: Tensor) -> Tensor:
    """(min(N, F), F) rows whose products sum to the covariance of features (N, F)."""
    rows: Tensor = (x - x.mean(0)) / max(1, len(x) - 1) ** 0.5  # (N, F)
    if len(rows) <= rows.shape[1]:
        return rows
    reduced: Tensor = torch.linalg.qr(rows, mode="r").R  # (F, F)
    return reduced


def _resampled(x: Tensor, rng: torch.Generator) -> Tensor:
    return x[torch.randint(len(x), (min(len(x), MOST),), generator=rng)]
