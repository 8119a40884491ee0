"""Defences against hidden information: what a translation goes through before it is sent back.

A generator can satisfy the cycle by hiding its input in its output, where no critic sees it (Chu et
al. 2017, arXiv:1712.02950). A defence disturbs the translation on the way back, so that what is
hidden does not arrive. Critics, and all other losses, see the translation itself.

``zoo train ... --defence NAME:key=value`` puts one before the way back of any method.
"""

from __future__ import annotations

from torch import Tensor

from zoo_core.contracts.method import Defence
from zoo_core.contracts.step import Step
from zoo_core.errors import UsageError
from zoo_nn.filters import lowpass, rounded


class Noise(Defence):
    """White noise in proportion to the range of the translation (Bashkirova et al. 2019).

    ``x + n * (max - min) * 0.5 * std`` with n ~ N(0, 1) (arXiv:1908.01517, official code). Maximum
    and minimum are of each signal, as at the published batch size of 1. The sum is not clamped.

    Args:
        std: Standard deviation where the translation spans [-1, 1].
    """

    def __init__(self, std: float = 0.1) -> None:
        if std < 0:
            raise UsageError("it must not be negative", asked=f"defence noise:std={std}")
        self.std = std

    def __call__(self, step: Step, x: Tensor) -> Tensor:
        """(N, *S) ``x`` with noise."""
        flat = x.detach().flatten(1)  # (N, S)
        span = (flat.amax(1) - flat.amin(1)).view(-1, *[1] * (x.dim() - 1))  # (N, 1, ...)
        noise = step.randn(len(x), *x.shape[1:])  # (N, *S)
        return x + noise.to(x.dtype) * span * (0.5 * self.std)  # (N, *S)


class Quantise(Defence):
    """Rounds to a file's levels; gradients pass as if it did not (straight-through).

    Args:
        bits: 8 for ordinary pictures.
    """

    def __init__(self, bits: int = 8) -> None:
        if not 1 <= bits <= 16:
            raise UsageError("it must be 1 to 16", asked=f"defence quantise:bits={bits}")
        self.bits = bits

    def __call__(self, step: Step, x: Tensor) -> Tensor:
        """(N, *S) ``x`` on ``2**bits`` levels of the signal's range."""
        signal = step.method.signal
        if signal.low is None or signal.high is None:
            raise UsageError(
                f"the values of this kind of signal ({signal.kind}) have no bounds",
                asked="defence quantise",
                hint="Use --defence noise.",
            )
        exact = x.detach()  # (N, *S)
        kept = rounded(exact.float(), signal.low, signal.high, self.bits).to(x.dtype)  # (N, *S)
        return kept + (x - exact)  # (N, *S)


class LowPass(Defence):
    """Smooths the translation by a Gaussian: what is hidden in fine detail does not arrive.

    Args:
        sigma: Standard deviation in samples (pixels, frames).
    """

    def __init__(self, sigma: float = 1.0) -> None:
        if sigma <= 0:
            raise UsageError("it must be positive", asked=f"defence lowpass:sigma={sigma}")
        self.sigma = sigma

    def __call__(self, step: Step, x: Tensor) -> Tensor:
        """(N, *S) ``x`` without its fine detail."""
        return lowpass(x, self.sigma, step.method.signal.flexible)  # (N, *S)
