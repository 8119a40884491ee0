"""Checks whether a CUDA graph of a training step would repeat everything that the step does."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


@contextmanager
def observed(modules: Sequence[nn.Module]) -> Iterator[list[str]]:
    """Watches the block on a GPU.

    Args:
        modules: All modules that take part.

    Yields:
        What a CUDA graph could not repeat, in words; filled when the block ends.
    """
    reasons: list[str] = []
    plain, random_state = _plain_values(modules), _random_state()
    mode = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        caught.clear()  # torch warns once that this mode is a prototype
        try:
            yield reasons
        finally:
            torch.cuda.set_sync_debug_mode(mode)
    for warning in caught:
        if "synchronizing CUDA operation" in str(warning.message):
            where = f"{Path(warning.filename).name}, line {warning.lineno}"
            reasons.append(f"the CPU waits for a value from the GPU ({where})")
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    if _random_state() != random_state:
        reasons.append("random numbers are drawn on the CPU")
    after = _plain_values(modules)
    for (name, owner), value in plain.items():
        if after[name, owner] != value:
            reasons.append(f"{type(modules[owner]).__name__} changes its attribute {name}")


def held_tensors(modules: Sequence[nn.Module]) -> list[tuple[dict[str, Any], str, Tensor]]:
    """Every buffer and every other tensor that is an attribute of a module.

    Args:
        modules: The modules.

    Returns:
        The dictionary that holds it, its key there, and the tensor.
    """
    return [
        (holder, name, value)
        for module in modules
        for holder in (module._buffers, vars(module))
        for name, value in holder.items()
        if isinstance(value, Tensor)
    ]


def _random_state() -> tuple[object, ...]:
    numbers: Any = np.random.get_state()
    return random.getstate(), numbers[1].tobytes(), numbers[2], torch.get_rng_state().tolist()


def _plain_values(modules: Sequence[nn.Module]) -> dict[tuple[str, int], object]:
    """Numbers and strings that are attributes of modules."""
    return {
        (name, place): value
        for place, module in enumerate(modules)
        for name, value in vars(module).items()
        if isinstance(value, bool | int | float | str)
    }
