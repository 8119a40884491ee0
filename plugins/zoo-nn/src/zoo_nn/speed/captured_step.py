"""A training step on static tensors, which a CUDA graph can record once and replay."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from zoo_core.contracts.spec import Progress
from zoo_train import devices
from zoo_train.guard import LossMeter
from zoo_train.player_state import PlayerState, StepInput
from zoo_train.step_runner import Turns


class StaticMeter(LossMeter):
    """Collects losses and watched values of one step as tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.watched: list[tuple[str, str, Tensor]] = []

    def watch(self, step: int, player: str, what: str, value: Tensor) -> None:
        """Notes a scalar (); the step's number is a tensor of `CapturedStep`."""
        self.watched.append((player, what, value.detach().float().reshape(())))

    def check(self) -> None:
        """Checks nothing: `CapturedStep.report` does, later."""


@dataclass
class CapturedStep:
    """One pattern of turns on static tensors, and the CUDA graph that was recorded from it.

    Attributes:
        turns: Who moves, on which static input.
        weights: Weight of each loss () by the id of its term: a tensor where it changes during
            training; 0.0 where the loss is left out.
        number: Number of the step ().
        warm_ups: Steps that were run eagerly.
        count: Steps since the last `report`.
        graph: The graph, once recorded.
        reads_progress: Whether a loss asked how far training is.
    """

    turns: list[tuple[PlayerState, StepInput]]
    weights: dict[int, Tensor | float]
    number: Tensor
    warm_ups: int = 0
    count: int = 0
    graph: torch.cuda.CUDAGraph | None = None
    reads_progress: bool = False
    _names: list[str] = field(default_factory=list)
    _watched: list[tuple[str, str]] = field(default_factory=list)
    _sums: Tensor | None = None
    _first: Tensor | None = None
    _values: Tensor | None = None

    @classmethod
    def of(cls, turns: Turns, device: torch.device) -> CapturedStep:
        """Allocates static tensors for turns of this structure."""
        static: dict[int, StepInput] = {}
        for _, given in turns:
            if id(given) not in static:
                own = given.mapped(lambda tensor: _allocate(tensor, device))
                own.rng = torch.Generator(device)
                static[id(given)] = own
        changing = {id(t) for state, _ in turns for t in state.player.terms if callable(t.weight)}
        weights = {
            key: torch.tensor(value, device=device) if value and key in changing else value
            for key, value in loss_weights(turns).items()
        }
        number = torch.zeros((), dtype=torch.long, device=device)  # ()
        return cls([(state, static[id(given)]) for state, given in turns], weights, number)

    def fill(self, turns: Turns, number: int) -> None:
        """Copies a step's input, random seeds, loss weights and number into the static tensors."""
        filled: set[int] = set()
        for (_, own), (_, given) in zip(self.turns, turns, strict=True):
            if id(own) in filled:
                continue
            filled.add(id(own))
            for static, tensor in zip(tensors(own), tensors(given), strict=True):
                static.copy_(tensor, non_blocking=True)
            if own.rng.device.type == "cpu":
                own.rng.set_state(given.rng.get_state())
            else:
                own.rng.manual_seed(given.rng.initial_seed())
            own.progress = _WatchedProgress(given.progress, self)
        for key, value in loss_weights(turns).items():
            weight = self.weights[key]
            if isinstance(weight, Tensor):
                weight.fill_(value)
        self.number.fill_(number)

    def generators(self) -> list[torch.Generator]:
        """The random generators of the static inputs."""
        return list({id(own): own.rng for _, own in self.turns}.values())

    def accumulate(self, meter: StaticMeter) -> None:
        """Adds the step's losses to static sums, and keeps the first value that is not finite."""
        losses = torch.stack(list(meter.sums.values()))  # (T,)
        watched = torch.stack([value for _, _, value in meter.watched])  # (W,)
        if self._sums is None or self._first is None or self._values is None:
            self._names = list(meter.sums)
            self._watched = [(player, what) for player, what, _ in meter.watched]
            self._sums = torch.zeros_like(losses)  # (T,)
            self._first = torch.full_like(watched, -1, dtype=torch.long)  # (W,)
            self._values = torch.zeros_like(watched)  # (W,)
        self._sums += losses
        broken = ~watched.isfinite() & (self._first < 0)  # (W,)
        self._first.copy_(torch.where(broken, self.number, self._first))
        self._values.copy_(torch.where(broken, watched, self._values))

    def report(self, meter: LossMeter) -> list[tuple[int, str, str, float]]:
        """Adds the losses to a meter and starts again from 0; waits for the device.

        Returns:
            Step, player, description and value of everything that was not finite.
        """
        if self._sums is None or self._first is None or self._values is None or not self.count:
            return []
        for name, value in zip(self._names, self._sums.clone(), strict=True):
            meter.add(name, value, self.count)
        self._sums.zero_()
        self.count = 0
        first, values = self._first.tolist(), self._values.tolist()
        found = zip(first, self._watched, values, strict=True)
        return [(step, player, what, value) for step, (player, what), value in found if step >= 0]


class _WatchedProgress(Progress):
    """The progress of a step; it notes whether a loss asks how far training is."""

    def __init__(self, progress: Progress, step: CapturedStep) -> None:
        super().__init__(progress.step, progress.steps, progress.steps_per_epoch)
        object.__setattr__(self, "_captured_step", step)

    def __getattribute__(self, name: str) -> Any:
        if name in ("step", "epoch", "fraction"):
            object.__getattribute__(self, "__dict__")["_captured_step"].reads_progress = True
        return object.__getattribute__(self, name)


def loss_weights(turns: Turns) -> dict[int, float]:
    """The weight of each loss at a point of the training, by the id of its term."""
    return {
        id(term): float(term.weight_at(given.progress))
        for state, given in turns
        for term in state.player.terms
    }


def pattern(turns: Turns) -> object:
    """A key that is equal for steps that run through the same operations."""
    order = [id(given) for _, given in turns]
    players = tuple((state.player.name, order.index(id(given))) for state, given in turns)
    inputs = {id(given): structure(given) for _, given in turns}
    return players, tuple(inputs.values()), tuple(map(bool, loss_weights(turns).values()))


def tensors(given: StepInput) -> list[Tensor]:
    """All tensors of an input in a fixed order, each once."""
    found: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    given.mapped(note)
    return found


def structure(given: StepInput) -> tuple[object, ...]:
    """Everything of an input but the values; equal for those that lead to the same operations."""
    conditions = given.batch.conditions.items()
    return (
        tuple(given.batch.signals),
        tuple((key, condition.domain) for key, condition in conditions),
        tuple(given.batch.extras),
        tuple((r.name, r.source, r.target.domain, r.transform) for r in given.routes),
        tuple((tensor.shape, tensor.dtype) for tensor in tensors(given)),
    )


def _allocate(tensor: Tensor, device: torch.device) -> Tensor:
    """An empty tensor of the same shape; pictures (N, C, H, W) in the memory format of the nets."""
    layout = devices.PICTURES if tensor.dim() == 4 else torch.contiguous_format
    return torch.empty(tensor.shape, dtype=tensor.dtype, device=device, memory_format=layout)
