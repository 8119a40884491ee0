"""What the windows of a signal are normalised by: components of the kind ``windows``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from zoo_core.contracts.codec import Whole, Window
from zoo_core.contracts.signals import TensorSpec

if TYPE_CHECKING:
    from torch import Tensor


class WindowStatistics:
    """What windows of a signal are normalised by; here each by itself.

    A component of kind ``windows`` may let them share statistics. One is made per stream of
    signals.

    Args:
        spec: Form of the signals.
    """

    def __init__(self, spec: TensorSpec) -> None:
        self.spec = spec

    def of(
        self,
        whole: Whole,
        name: str,
        compute: Callable[[Tensor], Tensor],
        batches: Callable[[Iterator[Window]], Iterable[list[Window]]],
    ) -> tuple[Callable[[], AbstractContextManager[object]], str]:
        """A context in which the nets are called with the windows of a signal, and what to say.

        Args:
            whole: The signal.
            name: Name of the output.
            compute: The nets: windows (N, *S) to outputs (N, *S).
            batches: Puts windows together that go through the nets at once.
        """
        return nullcontext, f"{whole.count} windows, each normalised by itself"
