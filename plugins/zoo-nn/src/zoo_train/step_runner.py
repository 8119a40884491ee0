"""How a step is run: operation by operation, or by a component of kind ``step-runner``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from lightning_fabric import Fabric
from torch import Tensor

from zoo_core.contracts.method import Method
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import UsageError
from zoo_core.host.plugins import host
from zoo_train.data.sampling import BatchSource
from zoo_train.guard import LossMeter
from zoo_train.player_state import PlayerState, StepInput

EAGER = "eager"
"""The name, for ``train.speed``, of what the loop does by itself."""
GPU_DEFAULT = "captured"
"""Name of the runner of runs on a GPU that ask for none, where it is installed."""

Turns = Sequence[tuple[PlayerState, StepInput]]
"""Players in the order in which they move, each with the input of its turn."""


class SteppedTrainer(Protocol):
    """What a runner sees of `zoo_train.loop.Trainer`."""

    fabric: Fabric
    config: TrainConfig
    method: Method[Any]
    player_states: list[PlayerState]
    sampler: BatchSource
    meter: LossMeter
    weights: dict[int, Tensor | float]
    done: int

    def run_turns(self, turns: Turns) -> None:
        """Lets players move, operation by operation."""


class StepRunner:
    """Runs the steps of one trainer; this one operation by operation.

    A runner of kind ``step-runner`` may do it otherwise, and must come to the same results.

    Args:
        trainer: The trainer.
        notify: Called with messages for the user.
    """

    def __init__(self, trainer: SteppedTrainer, notify: Callable[[str], None]) -> None:
        self.trainer, self.notify = trainer, notify

    def run(self, turns: Turns) -> None:
        """Lets the players of one step move, as `SteppedTrainer.run_turns` does."""
        self.trainer.run_turns(turns)

    def report(self) -> None:
        """Hands what it kept back to ``trainer.meter``, which is read next."""

    def forget(self) -> None:
        """Drops what it remembers of steps: the trainer's optimisers now hold other tensors."""

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Within the block nets are called for something else than steps, such as samples."""
        yield


def runner_for(trainer: SteppedTrainer, notify: Callable[[str], None]) -> StepRunner:
    """The runner that ``train.speed`` names.

    Raises:
        UsageError: If there is none of this name, or it is to run batches in parts.
    """
    name, in_parts = trainer.config.speed, trainer.config.accumulate > 1
    if in_parts and name not in ("auto", EAGER):
        raise UsageError(
            "batches in parts run operation by operation",
            asked=f"train.speed {name} with train.accumulate {trainer.config.accumulate}",
            hint="Leave one of the two out.",
        )
    if name == "auto":
        on_gpu = trainer.fabric.device.type == "cuda" and not in_parts
        name = GPU_DEFAULT if on_gpu and GPU_DEFAULT in host().components("step-runner") else EAGER
    cls: type[StepRunner] = StepRunner if name == EAGER else host().load("step-runner", name)
    return cls(trainer, notify)
