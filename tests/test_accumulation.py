"""A batch in parts is the batch at once, for every method whose losses are means over the batch.

In float64, so that nothing is left of rounding. A layer that takes statistics of the batch, or that
drops at random, sees another batch in each part; no loss of any method is other than a mean.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from zoo_core.contracts.signals import Batch
from zoo_core.errors import TrainingError, UsageError
from zoo_core.host.plugins import host
from zoo_testing.exact import Wide
from zoo_testing.session import STEPS, RandomBatches
from zoo_testing.subject import Subject, subjects
from zoo_train.loop import Trainer
from zoo_train.player_state import PlayerState

SUBJECTS = [subject for name in sorted(host().methods()) for subject in subjects(name, host())]
COUNT = 4
OF_THE_BATCH = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
"""Layers whose output for a signal depends on the others of its batch, or on chance."""

Gradients = dict[str, list[Tensor]]
"""By player: those of its nets' parameters."""


@dataclass(frozen=True)
class Doubled(RandomBatches):
    """The subject's batches in float64."""

    def batch(self, step: int, draw: int = 0) -> Batch:
        drawn = super().batch(step, draw)
        return Batch(
            {k: v.double() for k, v in drawn.signals.items()}, drawn.conditions, drawn.extras
        )


class Loop(Trainer):
    """The loop in float64, which notes each player's gradients."""

    def __init__(self, subject: Subject, parts: int, speed: str = "auto") -> None:
        train = subject.preset.train
        config = replace(train, steps=STEPS, batch=COUNT, accumulate=parts, ema=None, speed=speed)
        super().__init__(subject.build(0).double(), Doubled(subject, 0, COUNT), config)
        for state in self.player_states:
            for term in state.player.terms:
                term.loss.double()
        self.gradients: Gradients = {}

    def _move(self, player_state: PlayerState, steps) -> None:  # type: ignore[no-untyped-def]
        super()._move(player_state, steps)
        self.gradients[player_state.player.name] = [
            torch.zeros_like(p) if p.grad is None else p.grad.clone()
            for p in player_state.parameters
        ]


class Widened(TorchFunctionMode):
    """Random numbers are those of float32: float64 would draw others."""

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        drawn = func(*args, **(kwargs or {}))
        return drawn.double() if func in (torch.rand, torch.randn) else drawn


@pytest.mark.numeric
@pytest.mark.parametrize("subject", SUBJECTS, ids=[f"{s.name}-{s.kind}" for s in SUBJECTS])
def test_a_batch_in_parts_is_the_batch_at_once(subject: Subject) -> None:
    at_once, in_parts = (moved(subject, parts) for parts in (1, 2))
    apart = [relative(in_parts[name], at_once[name]) for name in at_once]
    nets = subject.build(0).nets
    if any(isinstance(layer, OF_THE_BATCH) for layer in nets.modules()):
        assert max(apart) > 1e-3
    else:
        assert max(apart) < 1e-12


def test_most_methods_have_no_layer_that_sees_the_batch() -> None:
    seen = {
        subject.name
        for subject in SUBJECTS
        if any(isinstance(layer, OF_THE_BATCH) for layer in subject.build(0).nets.modules())
    }
    assert seen == {"cogan", "dtn", "fader", "latent-adversarial", "latent-vc", "stargan-vc"}


def test_a_batch_that_has_no_such_parts_is_refused() -> None:
    with pytest.raises(TrainingError) as caught:
        Loop(SUBJECTS[0], parts=3)
    assert caught.value.asked == f"batch {COUNT}"
    assert caught.value.hint == "Choose a multiple of 3 with --batch."


def test_parts_are_not_run_as_recorded_steps() -> None:
    with pytest.raises(UsageError) as caught:
        Loop(SUBJECTS[0], parts=2, speed="captured")
    assert caught.value.asked == "train.speed captured with train.accumulate 2"


def moved(subject: Subject, parts: int) -> Gradients:
    """The gradients of a step in which all players move."""
    loop = Loop(subject, parts)
    with torch.random.fork_rng(devices=[]), Wide(), Widened():
        loop.done = max(state.player.every for state in loop.player_states) - 1
        loop.step()
    return loop.gradients


def relative(found: list[Tensor], wanted: list[Tensor]) -> float:
    apart = sum(float((a - b).square().sum()) for a, b in zip(found, wanted, strict=True))
    size = sum(float(b.square().sum()) for b in wanted)
    return (apart / size) ** 0.5 if size else apart**0.5
