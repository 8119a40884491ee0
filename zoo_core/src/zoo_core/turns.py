"""What holds of a method's nets while a player moves: who learns, and who is in which mode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from torch import nn


@contextmanager
def only_training(
    nets: Mapping[str, nn.Module] | nn.ModuleDict, names: Sequence[str]
) -> Iterator[None]:
    """Within the block, just the named nets' parameters require gradients.

    Parameters that a method froze for good (``requires_grad=False`` outside any block, marked by
    `zoo_core.method.freeze`) stay frozen.
    """
    wanted = {id(p) for name in names for p in nets[name].parameters()}
    # A dict: nets may share layers, whose flags must be noted once, before they change.
    before = {p: p.requires_grad for net in nets.values() for p in net.parameters()}
    for parameter in before:
        parameter.requires_grad_(
            id(parameter) in wanted and not getattr(parameter, "frozen", False)
        )
    try:
        yield
    finally:
        for parameter, flag in before.items():
            parameter.requires_grad_(flag)


@contextmanager
def in_eval(nets: nn.ModuleDict, names: Sequence[str], but: Sequence[str]) -> Iterator[None]:
    """Within the block, the named nets are in eval mode, but for layers shared with ``but``."""
    spared = {id(module) for name in but for module in nets[name].modules()}
    changed = [
        module
        for name in names
        for module in nets[name].modules()
        if module.training and id(module) not in spared
    ]
    for module in changed:
        module.training = False
    try:
        yield
    finally:
        for module in changed:
            module.training = True
