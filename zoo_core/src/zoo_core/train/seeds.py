"""Random numbers as functions of (seed, step, process), so that resuming needs no state of them."""

from __future__ import annotations

import random

import numpy as np
import torch


def generator_for(seed: int, step: int, draw: int = 0) -> torch.Generator:
    """The CPU generator of a step, the same in all processes."""
    return torch.Generator().manual_seed(mixed(seed, step, draw))


def seed_all(seed: int, step: int, rank: int, device: str = "cpu") -> None:
    """Seeds the global generators of torch, NumPy and Python for a step and a process.

    Args:
        seed: The run's seed.
        step: Number of the step; -1 before the first.
        rank: Number of the process.
        device: Type of the device that computes. On a CPU the generators of accelerators are left
            alone: to note a seed for devices that nobody uses takes longer than all of the rest.
    """
    number = mixed(seed, step, 1_000_003 + rank)
    if device == "cpu":
        torch.default_generator.manual_seed(number)
    else:
        torch.manual_seed(number)
    np.random.seed(number % 2**32)  # for losses of plugins that use the global one
    random.seed(number)


def mixed(*numbers: int) -> int:
    """A 63-bit number that depends on all given ones (NumPy's seed sequence)."""
    words = np.random.SeedSequence([number % 2**64 for number in numbers]).generate_state(
        1, np.uint64
    )
    return int(words[0]) >> 1
