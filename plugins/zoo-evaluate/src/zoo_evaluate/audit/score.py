"""The one number: the share of the input that a translation carries where nobody sees it.

Per input x with translation y = F(x), way back G, distance d = mean absolute difference, and a mild
perturbation p (nobody sees it in y):

    e_0   = d(G(y), x)       of what comes back as it is
    e_p   = d(G(p(y)), x)    of what comes back of the disturbed translation
    own_p = d(p(y), y)       of the disturbance itself
    e_any = d(G(y'), x)      of what comes back of another's translation, ignorant of x

    share_p = (E e_p - E e_0 - E own_p) / E e_any, within [0, 1]
    score   = the largest share_p of all mild p

``1 - e / e_any`` is what the way back knows of the input; the score is how much of it is lost by a
change that nobody sees, beyond the change itself. A way back that does not amplify (the identity, a
blur) has ``e_p - e_0 <= own_p`` for every input, and so scores 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from zoo_evaluate.audit.result import Interval


def shares(measured: Mapping[str, Tensor], mild: Sequence[str], rows: Tensor) -> Tensor:
    """(P, B) the share of every mild perturbation for every resample.

    Args:
        measured: (N,) per input: ``exact``, ``any``, and ``back:P`` and ``own:P`` for each of the
            perturbations.
        mild: Names of the P perturbations.
        rows: (B, N) resamples of the inputs.
    """

    def mean(name: str) -> Tensor:
        return measured[name].double()[rows].mean(1)  # (B,)

    exact, anyone = mean("exact"), mean("any").clamp(min=1e-12)
    lost = [(mean(f"back:{p}") - exact - mean(f"own:{p}")) / anyone for p in mild]
    return torch.stack(lost).clamp(0, 1)  # (P, B)


def everyone(count: int) -> Tensor:
    """(1, N) all inputs, each once."""
    return torch.arange(count)[None]


def resamples(count: int, times: int, seed: int) -> Tensor:
    """(B, N) inputs drawn with replacement."""
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(count, (times, count), generator=rng)


def interval(value: float, drawn: Tensor) -> Interval:
    """The value with the 2.5th and 97.5th percentile of its resamples (B,)."""
    low, high = torch.quantile(drawn, torch.tensor([0.025, 0.975], dtype=drawn.dtype)).tolist()
    return Interval(value, min(low, value), max(high, value))
