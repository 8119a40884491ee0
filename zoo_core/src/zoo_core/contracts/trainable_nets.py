"""What holds of a method's nets while a player moves: who learns, and who is in which mode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from torch import nn


class TrainableNets:
    """Whose parameters require gradients, and who is in eval mode.

    The nets are walked once, since a run asks many times in every step.

    Args:
        nets: The nets by name, which may share layers. They neither gain nor lose layers later.
    """

    def __init__(self, nets: Mapping[str, nn.Module] | nn.ModuleDict) -> None:
        self._owned = {name: tuple(net.parameters()) for name, net in nets.items()}
        self._all = {id(p): p for owned in self._owned.values() for p in owned}
        self._nets = nets
        self._trainable: dict[tuple[str, ...], frozenset[int]] = {}
        self._now: frozenset[int] | None = None

    @contextmanager
    def only(self, names: Sequence[str]) -> Iterator[None]:
        """Within the block, just the named nets' parameters require gradients.

        Parameters that a method froze for good (``requires_grad=False`` outside any block, marked
        by `zoo_core.contracts.method.freeze`) stay frozen.
        """
        wanted = self._of(tuple(names))
        if wanted == self._now:  # a translation in the turn of the only player that moves
            yield
            return
        before, self._now = self._now, wanted
        changed = [p for key, p in self._all.items() if p.requires_grad != (key in wanted)]
        for parameter in changed:
            parameter.requires_grad_(id(parameter) in wanted)
        try:
            yield
        finally:
            for parameter in changed:
                parameter.requires_grad_(id(parameter) not in wanted)
            self._now = before

    @contextmanager
    def in_eval(self, names: Sequence[str], but: Sequence[str]) -> Iterator[None]:
        """Within the block, the named nets are in eval mode, but for layers shared with ``but``."""
        spared = {module for name in but for module in self._nets[name].modules()}
        within = {module for name in names for module in self._nets[name].modules()}
        changed = [module for module in within - spared if module.training]
        for module in changed:
            module.training = False
        try:
            yield
        finally:
            for module in changed:
                module.training = True

    def _of(self, names: tuple[str, ...]) -> frozenset[int]:
        """The ids of the parameters of some nets that are not frozen for good."""
        if names not in self._trainable:
            self._trainable[names] = frozenset(
                id(p)
                for name in names
                for p in self._owned[name]
                if not getattr(p, "frozen", False)
            )
        return self._trainable[names]
