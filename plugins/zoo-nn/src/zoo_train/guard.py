"""What stops a run early: values that are not finite, and the user's or the system's signal."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from zoo_core.errors import TrainingError

SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
"""Signals that end a run after a checkpoint."""
_HINT = (
    "The last good checkpoint is kept. Lower the learning rate, clip gradients "
    "(--set train.clip=1) or use --precision float32; leave out what shows nothing, such as "
    "pictures of one colour."
)


class LossMeter:
    """Sums losses and looks for values that are not finite, without stalling an accelerator.

    What is watched is kept on its device and looked at all together in `check`, which the loop
    calls at every step on a CPU and, on other devices, before anything is logged or saved.

    Attributes:
        sums: Sums () of unweighted losses since `take`, by ``player/term``.
        counts: Number of values in each sum.
    """

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}
        self._watched: list[tuple[str, Tensor]] = []

    def watch(self, step: int, player: str, what: str, value: Tensor) -> None:
        """Remembers a scalar () to be checked; ``what`` names it within its player."""
        name = f'{what} of player "{player}" at step {step}'
        self._watched.append((name, value.detach().float().reshape(())))

    def add(self, name: str, value: Tensor, count: int = 1) -> None:
        """Adds a loss (), or the sum of ``count`` losses."""
        self.sums[name] = self.sums[name].to(value.device) + value if name in self.sums else value
        self.counts[name] = self.counts.get(name, 0) + count

    def check(self) -> None:
        """Raises `TrainingError` that names the first value that is not finite."""
        if not self._watched:
            return
        watched, self._watched = self._watched, []
        values = torch.stack([value for _, value in watched]).tolist()
        for (name, _), value in zip(watched, values, strict=True):
            if not math.isfinite(value):
                raise TrainingError(f"it is {value}", asked=name, hint=_HINT)

    def take(self) -> tuple[list[str], Tensor]:
        """Sorted names and mean losses (T,) since the last call."""
        names = sorted(self.sums)
        means = [self.sums[name] / self.counts[name] for name in names]
        self.sums, self.counts = {}, {}
        return names, torch.stack(means) if means else torch.empty(0)

    def state_dict(self) -> dict[str, Any]:
        """The sums and counts so far."""
        return {"sums": dict(self.sums), "counts": dict(self.counts)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a state; sums move to the device of what is added.

        Raises:
            Exception: Anything, where it is no state.
        """
        self.sums = {str(name): torch.tensor(float(sum)) for name, sum in state["sums"].items()}
        self.counts = {name: max(1, int(state["counts"][name])) for name in self.sums}


def require_finite(nets: Iterable[tuple[str, nn.Module]], step: int) -> None:
    """Raises `TrainingError` where a parameter is not finite."""
    for name, net in nets:
        tensors = [p.detach() for p in net.parameters()]
        if tensors and not bool(torch.stack([t.isfinite().all() for t in tensors]).all()):
            raise TrainingError(
                "a parameter is not finite", asked=f'net "{name}" at step {step}', hint=_HINT
            )


@contextmanager
def enough_memory(run: object) -> Iterator[None]:
    """Turns a lack of memory within the block, be it of a device, into a `TrainingError`."""
    try:
        yield
    except (MemoryError, RuntimeError) as fault:
        lacking = isinstance(fault, MemoryError | torch.OutOfMemoryError)
        if not lacking and "allocate memory" not in str(fault):
            raise
        raise TrainingError(
            "there is not enough memory for it",
            asked=f"run {run}",
            hint="Lower --batch, --size or the width of the nets; --set train.accumulate=N makes "
            "each step in N parts.",
        ) from fault


class StopFlag:
    """Tells the loop that Ctrl-C was pressed or that the system asks it to end.

    Attributes:
        signal: Number of the first signal that came, or None.
    """

    def __init__(self) -> None:
        self.signal: int | None = None

    @contextmanager
    def listening(
        self, on_signal: Callable[[int], None] = lambda number: None
    ) -> Iterator[StopFlag]:
        """Within the block the first signal sets the flag; a second Ctrl-C interrupts at once.

        Args:
            on_signal: Called with the number of the first signal, when it comes.
        """

        def handle(number: int, frame: FrameType | None) -> None:
            if self.signal is None:
                self.signal = number
                on_signal(number)
            elif number == signal.SIGINT:
                raise KeyboardInterrupt

        before = {}
        if threading.current_thread() is threading.main_thread():  # no other may handle signals
            # One that is ignored stays so: under nohup, closing the terminal ends nothing.
            heard = [n for n in SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]
            before = {number: signal.signal(number, handle) for number in heard}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class StoppedError(TrainingError):
    """A signal ended the run.

    Args:
        number: Number of the signal.
        step: Steps done, all of them in a checkpoint; None where training had not begun.
        run: Directory of the run.
    """

    def __init__(self, number: int, step: int | None, run: object) -> None:
        self.number, self.step = number, step
        self.exit_code = 128 + number
        name = signal.Signals(number).name
        super().__init__(
            f"stopped by {name} before the first step"
            if step is None
            else f"stopped by {name} after step {step}; a checkpoint is written",
            asked=f"run {run}",
            hint=None
            if step is None
            else f"Continue with zoo train --resume {run}; "
            f"with --steps {step} it writes the model as it is.",
        )
