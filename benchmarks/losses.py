"""What the losses of training steps take, beside the nets that they ask."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from passes import nets_of, run

from zoo_train.loop import Trainer


class Losses:
    """Processor time that the losses of steps take, without the nets and slopes that they ask for.

    What they make of the nets' outputs, as it happens in the steps; their own backward passes are
    not in it.

    Args:
        trainer: Whose steps.

    Attributes:
        spent: Seconds so far.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.spent = 0.0
        self._trainer = trainer
        self._inside, self._asked = False, 0

    def run(self, steps: Sequence[int]) -> None:
        """Makes the steps of these numbers and adds their losses' time to ``spent``."""
        terms = [
            term.loss
            for player_state in self._trainer.player_states
            for term in player_state.player.terms
        ]
        handles = []
        for loss in {id(loss): loss for loss in terms}.values():
            handles.append(loss.register_forward_pre_hook(lambda *_: self._enter()))
            handles.append(loss.register_forward_hook(lambda *_: self._leave()))
        for _, net in nets_of(self._trainer):
            handles.append(net.register_forward_pre_hook(lambda *_: self._ask()))
            handles.append(net.register_forward_hook(lambda *_: self._answered()))
        slope = torch.autograd.grad

        def asked(*args: Any, **kwargs: Any) -> Any:
            self._ask()
            try:
                return slope(*args, **kwargs)
            finally:
                self._answered()

        torch.autograd.grad = asked
        try:
            run(self._trainer, steps)
        finally:
            torch.autograd.grad = slope
            for handle in handles:
                handle.remove()

    def _enter(self) -> None:
        self._inside = True
        self.spent -= time.process_time()

    def _leave(self) -> None:
        self.spent += time.process_time()
        self._inside = False

    def _ask(self) -> None:
        self._asked += 1
        if self._inside and self._asked == 1:  # nets may call nets
            self.spent += time.process_time()

    def _answered(self) -> None:
        if self._inside and self._asked == 1:
            self.spent -= time.process_time()
        self._asked -= 1
