"""What the windows of a signal are normalised by: components of the kind ``windows``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from zoo_core.contracts.codec import Whole, Window
from zoo_core.contracts.signals import TensorSpec

Pairs = Iterator[tuple[Window, Tensor]]
"""Windows, in their order, each with what the nets made of it (C, *S)."""


class WindowStatistics:
    """What windows of a signal are normalised by; here each by itself.

    A component of kind ``windows`` may let them share statistics. One is made per stream of
    signals.

    Args:
        spec: Form of the signals.
    """

    def __init__(self, spec: TensorSpec) -> None:
        self.spec = spec

    def translated(
        self,
        windows: Iterator[Window],
        whole: Whole,
        name: str,
        compute: Callable[[Tensor], Tensor],
        batches: Callable[[Iterator[Window]], Iterable[list[Window]]],
    ) -> tuple[Pairs, str]:
        """What the nets make of the windows of a signal, one by one, and what to say of it.

        Args:
            windows: The windows, in their order.
            whole: The signal.
            name: Name of the output.
            compute: The nets: windows (N, *S) to outputs (N, *S).
            batches: Puts windows together that go through the nets at once.
        """
        note = f"{whole.count} windows, each normalised by itself"
        return in_turn(batches(windows), compute), note


def in_turn(
    batches: Iterable[list[Window]],
    compute: Callable[[Tensor], Tensor],
    sharing: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Pairs:
    """Each batch through the nets, in a context of its own: who takes outputs works in between."""
    for batch in batches:
        x = torch.stack([window.signal for window in batch])  # (N, *S)
        with sharing():
            made = compute(x)  # (N, *S)
        yield from zip(batch, made, strict=True)
