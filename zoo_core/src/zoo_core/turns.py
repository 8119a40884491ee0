"""What holds of a method's nets while a player moves: who learns, and who is in which mode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from torch import nn


class Learners:
    """Whose parameters require gradients.

    The nets are walked once, since a step asks many times.

    Args:
        nets: The nets by name, which may share layers.
    """

    def __init__(self, nets: Mapping[str, nn.Module] | nn.ModuleDict) -> None:
        self._owned = {name: tuple(net.parameters()) for name, net in nets.items()}
        self._all = {id(p): p for owned in self._owned.values() for p in owned}

    @contextmanager
    def only(self, names: Sequence[str]) -> Iterator[None]:
        """Within the block, just the named nets' parameters require gradients.

        Parameters that a method froze for good (``requires_grad=False`` outside any block, marked
        by `zoo_core.method.freeze`) stay frozen.
        """
        wanted = {
            id(p) for name in names for p in self._owned[name] if not getattr(p, "frozen", False)
        }
        changed = [p for key, p in self._all.items() if p.requires_grad != (key in wanted)]
        for parameter in changed:
            parameter.requires_grad_(id(parameter) in wanted)
        try:
            yield
        finally:
            for parameter in changed:
                parameter.requires_grad_(id(parameter) not in wanted)


def only_training(
    nets: Mapping[str, nn.Module] | nn.ModuleDict, names: Sequence[str]
) -> AbstractContextManager[None]:
    """`Learners.only` for who asks once."""
    return Learners(nets).only(names)


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
