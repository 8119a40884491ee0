"""A short training on random batches: the run's own loop, with every move on show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from zoo_core.contracts.method import Player
from zoo_core.contracts.signals import Batch
from zoo_core.contracts.step import Step
from zoo_testing.subject import COUNT, Subject
from zoo_train.loop import Trainer
from zoo_train.player_state import PlayerState

STEPS = 1000
"""Length of the pretended run: schedules and weights see progress within it."""


@dataclass(frozen=True)
class RandomBatches:
    """Draws the subject's random batches, each a function of the seed, the step and the draw."""

    subject: Subject
    seed: int
    count: int = COUNT
    steps_per_epoch: int = STEPS // 10

    def batch(self, step: int, draw: int = 0) -> Batch:
        """The batch of a step."""
        seed = self.seed + 7919 * step + 104729 * draw
        return self.subject.batch(seed, self.count)


class Session(Trainer):
    """The loop that trains, driven step by step.

    Args:
        subject: What is trained, in float32 on the CPU.
        seed: Seed of the weights, batches and draws.
        count: Signals per part of a batch.
        before: Called with a player and its weighted loss, before it moves.
        after: Called with a player once it has moved.
    """

    def __init__(
        self,
        subject: Subject,
        seed: int = 0,
        *,
        count: int = COUNT,
        before: Callable[[Player, Tensor], None] = lambda player, total: None,
        after: Callable[[Player], None] = lambda player: None,
    ) -> None:
        config = replace(subject.preset.train, steps=STEPS, batch=count, seed=seed)
        super().__init__(subject.build(seed), RandomBatches(subject, seed, count), config)
        self.method.train()
        self.before, self.after = before, after
        self.history: list[float] = []

    @property
    def players(self) -> tuple[Player, ...]:
        """The players in the order in which they move."""
        return tuple(player_state.player for player_state in self.player_states)

    def run(self, numbers: Iterable[int]) -> None:
        """Makes the steps of the given numbers and notes every loss in `history`."""
        with torch.random.fork_rng(devices=[]):
            for number in numbers:
                self.done = number
                self.step()
                self.history += self.take_losses().values()

    def bind(self, player: Player, number: int | None = None) -> Step:
        """A step in which a player moves, the first or that of a number, as its losses see it."""
        player_states = [
            player_state for player_state in self.player_states if player_state.player is player
        ]
        number = player.every - 1 if number is None else number
        (step,) = self._steps_of(self._input(number, 0), player_states)
        return step

    def showing(self) -> list[int]:
        """Numbers of steps in which every player moves, early and in the middle of the run."""
        early = {player.every - 1 for player in self.players}
        middle = {STEPS // 2 // p.every * p.every + p.every - 1 for p in self.players}
        return sorted(early | middle)

    def _objective(self, player: Player, step: Step) -> Tensor | None:
        total = super()._objective(player, step)
        if total is not None:
            self.before(player, total)
        return total

    def _move(self, player_state: PlayerState, steps: Sequence[Step]) -> None:
        super()._move(player_state, steps)
        self.after(player_state.player)
