"""Made-up batches for checks and golden files: smooth, within range, different per domain."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from zoo_core.contracts.signals import MIXED, Batch, Condition, Domains, TensorSpec

_MODES = {1: "linear", 2: "bilinear"}


def random_signals(
    shape: tuple[int, ...], spec: TensorSpec, count: int, rng: torch.Generator
) -> Tensor:
    """(count, *shape) smooth random signals within the range of ``spec``."""
    axes = len(shape) - 1
    if axes in _MODES:
        coarse = tuple(max(2, size // 4) for size in shape[1:])
        field = torch.rand(count, shape[0], *coarse, generator=rng)  # (N, C, *S/4)
        field = functional.interpolate(field, shape[1:], mode=_MODES[axes])  # (N, C, *S)
    else:
        field = torch.rand(count, *shape, generator=rng)  # (N, *S)
    field = (0.9 * field + 0.1 * torch.rand(count, *shape, generator=rng)).clamp(0, 1)  # (N, *S)
    low = -2.0 if spec.low is None else spec.low
    high = low + 4.0 if spec.high is None else spec.high
    return low + (high - low) * field  # (N, *S)


def random_labels(domains: Domains, count: int, rng: torch.Generator) -> Tensor:
    """(count, K) random conditions: one-hot for domains, 0/1 with exclusive groups kept."""
    size = len(domains)
    if domains.kind == "domains":
        order = torch.randperm(size, generator=rng)  # (K,)
        return torch.eye(size)[order[torch.arange(count) % size]]  # (N, K)
    labels = (torch.rand(count, size, generator=rng) < 0.5).float()  # (N, K)
    labels[0, 0], labels[-1, 0] = 1.0, 0.0  # both values of an attribute occur
    for group in domains.exclusive:
        columns = [domains.index(name) for name in group]
        for row in labels:
            held = [column for column in columns if row[column]]
            row[held[1:]] = 0.0
    return labels


def random_batch(
    domains: Domains, spec: TensorSpec, *, mixed: bool, count: int, seed: int
) -> Batch:
    """A batch of random signals as training draws it: a part per domain, or one mixed part.

    Args:
        domains: The domains or attributes.
        spec: Form of the signals.
        mixed: Whether all domains share one part, under `zoo_core.contracts.signals.MIXED`.
        count: Signals per part.
        seed: Seed of everything random.
    """
    rng = torch.Generator().manual_seed(seed)
    if mixed:
        label = random_labels(domains, count, rng)  # (N, K)
        signals = random_signals(spec.shape, spec, count, rng)  # (N, *S)
        return Batch({MIXED: signals}, {MIXED: Condition(label)})
    return Batch(
        {name: random_signals(spec.shape, spec, count, rng) for name in domains.names},
        {name: Condition.of(domains, name, count) for name in domains.names},
    )
