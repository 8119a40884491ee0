"""A check on gradients: they are what a finite difference says, in every memory format."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from zoo_core.contracts.method import Player
from zoo_core.contracts.signals import Batch
from zoo_core.errors import ZooError
from zoo_testing.error import ConformanceError
from zoo_testing.exact import LaidOut, Repeatable, Wide
from zoo_testing.parity import float64
from zoo_testing.session import STEPS, Session
from zoo_testing.subject import Subject
from zoo_train.devices import seed_all

COUNTS = (1, 2, 3)
"""Signals per part of a batch. The memory of a single one may be read in two ways."""

STEP_SIZES = (1e-10, 1e-9, 1e-11)
"""By how much parameters move, times a standard normal number each; the closest difference counts.

So little that of the 1e5 places where a tiny net has a kink (ReLU, L1) hardly one is stepped over.
"""

_TOLERANCE = 1e-4
"""Of a difference, relative to the gradient's norm. Found: 1e-10 to 3e-6; wrong ones: 0.02 to 2."""

_ROUNDING = 64 * 2.0**-53
"""Relative error of an objective; divided by the size of a step, it is that of a difference."""

_SAME = 1e-6
"""Between memory formats, relative to a parameter's gradient. Found: at most 1e-9."""


def derivatives(subject: Subject) -> None:
    """Each player's gradient is its objective's, for 1, 2 and 3 signals in every memory format.

    In float64. What is detached, or computed without a graph, stays as it is: with ``detach`` a
    method says that a gradient shall be another one than the derivative. A method may refuse
    batches of one, by a `ZooError`.
    """
    with float64():
        for count in COUNTS:
            for number in range(len(Session(subject).players)):
                try:
                    _examine(_Objective(subject, number, count))
                except ConformanceError:
                    raise
                except ZooError:
                    if count > 1:
                        raise


@dataclass
class _Objective:
    """A player's objective as a function of its parameters.

    Every value is that of a run of its own, since losses remember what they have seen.
    """

    subject: Subject
    number: int
    count: int
    _pass: Repeatable = field(default_factory=Repeatable)

    @cached_property
    def player(self) -> str:
        """Name of the player."""
        return Session(self.subject).players[self.number].name

    def gradient(self, layout: torch.memory_format) -> tuple[float, dict[str, Tensor]]:
        """The value, and the gradient by each parameter, of nets and batch in a memory format."""
        with self._evaluated(layout) as (total, parameters):
            if total is None or not total.requires_grad:
                return 0.0, {}
            found = torch.autograd.grad(total, list(parameters.values()), allow_unused=True)
        return float(total.detach()), {
            name: torch.zeros_like(parameter) if gradient is None else gradient
            for (name, parameter), gradient in zip(parameters.items(), found, strict=True)
        }

    def slope(self, direction: dict[str, Tensor], size: float) -> Tensor:
        """The central difference () along a direction."""
        values = []
        for signed in (size, -size):
            change = {name: signed * part for name, part in direction.items()}
            with self._evaluated(torch.contiguous_format, change) as (total, _):
                pass
            values.append(torch.zeros(()) if total is None else total.detach())
        return (values[0] - values[1]) / (2 * size)

    @contextmanager
    def _evaluated(
        self, layout: torch.memory_format, change: dict[str, Tensor] | None = None
    ) -> Iterator[tuple[Tensor | None, dict[str, nn.Parameter]]]:
        session = Session(self.subject, count=self.count)
        session.method.to(memory_format=layout)
        state = session.player_states[self.number]
        own = {id(parameter) for parameter in state.parameters}
        parameters = {n: p for n, p in session.method.nets.named_parameters() if id(p) in own}
        for name, part in (change or {}).items():
            parameters[name].data.add_(part)
        player, step_number = state.player, _step_number(session, state.player)
        with torch.random.fork_rng(devices=[]), self._pass.once(), LaidOut(layout), Wide():
            seed_all(0, step_number, 0)
            step = session.bind(player, step_number)
            step.batch = _laid_out(step.batch, layout)
            with step.turn(player.nets, player.other_nets_mode):
                yield session._objective(player, step), parameters


def _examine(objective: _Objective) -> None:
    where = f"of player {objective.player} for a batch of {objective.count}"
    value, plain = objective.gradient(torch.contiguous_format)
    _, last = objective.gradient(torch.channels_last)
    norm = _norm(plain.values())
    for name, gradient in plain.items():
        apart = _norm([last[name] - gradient])
        if apart > _SAME * (_norm([gradient]) + _SAME * norm):
            raise ConformanceError(
                "derivatives",
                f"the gradient {where} by {name} is another one where pictures lie "
                f"channels-last: by {apart / norm:.2g} of the whole gradient's norm",
                "A layer reads memory in an order of its own, as torch's InstanceNorm2d does: take "
                "InstanceNorm of zoo_nn.nets.norm.",
            )
    rng = torch.Generator().manual_seed(0)
    direction = {name: torch.randn(g.shape, generator=rng) for name, g in plain.items()}
    slope = torch.stack([(g * direction[name]).sum() for name, g in plain.items()]).sum()  # ()
    errors = []
    for size in STEP_SIZES if norm else ():
        errors.append(float((objective.slope(direction, size) - slope).abs()))
        if errors[-1] <= _TOLERANCE * norm + _ROUNDING * abs(value) / size:
            return
    if errors:
        raise ConformanceError(
            "derivatives",
            f"the gradient {where} is not the derivative of its losses: it differs from a finite "
            f"difference by {min(errors) / norm:.2g} of its norm",
            "Mend hand-written backward passes; where a gradient shall be another one, say so with "
            "`.detach()`.",
        )


def _step_number(session: Session, player: Player) -> int:
    """A step of the player in which its losses count: in the middle of the run, or its first."""
    first = player.every - 1
    middle = STEPS // 2 // player.every * player.every + first
    progress = session.progress(middle)
    return middle if any(term.weight_at(progress) for term in player.terms) else first


def _laid_out(batch: Batch, layout: torch.memory_format) -> Batch:
    """The batch with pictures (N, C, H, W) in a memory format."""
    signals = {
        key: signal.contiguous(memory_format=layout) if signal.dim() == 4 else signal
        for key, signal in batch.signals.items()
    }
    return replace(batch, signals=signals)


def _norm(parts: Collection[Tensor]) -> float:
    squares = [part.square().sum() for part in parts]
    return float(torch.stack(squares).sum().sqrt()) if squares else 0.0
