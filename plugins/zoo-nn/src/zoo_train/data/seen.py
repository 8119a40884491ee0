"""Losses that look at the data of a run before it begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from zoo_core.contracts.codec import SignalStore


@runtime_checkable
class SeesData(Protocol):
    """A `zoo_core.contracts.method.Loss` that wants the signals of the domains, not batches alone.

    It is shown them once, before the first step, also where a run is resumed.
    """

    def show(self, stores: Mapping[str, SignalStore]) -> None:
        """Takes what it needs of the signals of each domain.

        Args:
            stores: By domain, or `zoo_core.contracts.signals.MIXED`; of the codec of the run.

        Raises:
            UsageError: If it can do nothing with them.
        """
