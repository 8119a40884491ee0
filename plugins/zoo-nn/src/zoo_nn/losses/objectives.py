"""What adversaries play for: functions of a critic's raw realness (N, ...), per scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from torch import Tensor
from torch.nn import functional as F

from zoo_core.errors import unknown


class Objective(Protocol):
    """Both sides of one scale's game; each answer is a scalar () to be minimised."""

    def real(self, scores: Tensor) -> Tensor:
        """What the critic pays for its realness (N, ...) of real signals."""
        ...

    def fake(self, scores: Tensor) -> Tensor:
        """What the critic pays for its realness (N, ...) of made signals."""
        ...

    def fooled(self, scores: Tensor) -> Tensor:
        """What the generator pays for the critic's realness (N, ...) of made signals."""
        ...


class LeastSquares:
    """LSGAN (Mao et al. 2017, arXiv:1611.04076, eq. 9): real is 1, fake is 0, no factor 1/2."""

    def real(self, scores: Tensor) -> Tensor:
        """``mean((D(x) - 1)^2)``."""
        return (scores - 1).square().mean()

    def fake(self, scores: Tensor) -> Tensor:
        """``mean(D(G(x))^2)``."""
        return scores.square().mean()

    def fooled(self, scores: Tensor) -> Tensor:
        """``mean((D(G(x)) - 1)^2)``."""
        return self.real(scores)


class Wasserstein:
    """WGAN (Arjovsky et al. 2017, arXiv:1701.07875, eq. 2); the critic needs a penalty besides."""

    def real(self, scores: Tensor) -> Tensor:
        """``-mean(D(x))``."""
        return -scores.mean()

    def fake(self, scores: Tensor) -> Tensor:
        """``mean(D(G(x)))``."""
        return scores.mean()

    def fooled(self, scores: Tensor) -> Tensor:
        """``-mean(D(G(x)))``."""
        return self.real(scores)


class NonSaturating:
    """Cross-entropy on logits (Goodfellow et al. 2014, arXiv:1406.2661, §3), non-saturating."""

    def real(self, scores: Tensor) -> Tensor:
        """``mean(-log sigmoid(D(x)))``."""
        return F.softplus(-scores).mean()

    def fake(self, scores: Tensor) -> Tensor:
        """``mean(-log(1 - sigmoid(D(G(x)))))``."""
        return F.softplus(scores).mean()

    def fooled(self, scores: Tensor) -> Tensor:
        """``mean(-log sigmoid(D(G(x))))``."""
        return self.real(scores)


class Hinge:
    """Hinge objective (Lim and Ye 2017, arXiv:1705.02894; SAGAN, arXiv:1805.08318, eq. 4)."""

    def real(self, scores: Tensor) -> Tensor:
        """``mean(max(0, 1 - D(x)))``."""
        return F.relu(1 - scores).mean()

    def fake(self, scores: Tensor) -> Tensor:
        """``mean(max(0, 1 + D(G(x))))``."""
        return F.relu(1 + scores).mean()

    def fooled(self, scores: Tensor) -> Tensor:
        """``-mean(D(G(x)))``."""
        return -scores.mean()


Share = Callable[[int], Sequence[float]]
"""Weights of a critic's scales, given how many there are."""


def each(count: int) -> Sequence[float]:
    """Every scale counts fully: the sum (pix2pixHD, UNIT)."""
    return [1.0] * count


def deeper(count: int) -> Sequence[float]:
    """Later scales count more: 1, 2, ..., the last one more, over their sum and number (ComboGAN).

    The division by the number, too, is the official code's.
    """
    parts = [*range(1, count), count + 1]
    return [part / (sum(parts) * count) for part in parts]


OBJECTIVES: dict[str, type[Objective]] = {
    "lsgan": LeastSquares,
    "wgan": Wasserstein,
    "nonsaturating": NonSaturating,
    "bce": NonSaturating,
    "hinge": Hinge,
}
"""Objectives by the name that options use."""


def objective_of(name: str | Objective) -> Objective:
    """The objective of a name, or the one given.

    Raises:
        UsageError: If there is none of this name.
    """
    if not isinstance(name, str):
        return name
    if name not in OBJECTIVES:
        raise unknown("objective", name, OBJECTIVES)
    return OBJECTIVES[name]()
