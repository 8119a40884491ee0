"""A step at batch 1 as people train it, in float32 and channels-last, is the step it should be.

Every method's step through the real loop is held against the same step written out: float64,
contiguous tensors, no loop. Found apart: some 1e-6 of a gradient, up to 1e-2 where rounding steps
over a kink (ReLU, L1). A layer that reads the memory of one picture in the wrong order: 0.2 to 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from zoo_core.contracts.method import Player
from zoo_core.contracts.signals import Batch
from zoo_core.contracts.spec import Progress
from zoo_core.contracts.step import Step
from zoo_core.errors import UsageError
from zoo_core.host.plugins import host
from zoo_testing.exact import Wide
from zoo_testing.session import STEPS, RandomBatches, Session
from zoo_testing.subject import Subject, subjects
from zoo_train.devices import generator_for, seed_all

SUBJECTS = [subject for name in sorted(host().methods()) for subject in subjects(name, host())]
CLOSE = 0.05
"""Of a player's gradient, and of its losses, relative."""

Gradients = dict[str, list[Tensor]]
"""By player: those of its nets' parameters."""


def test_every_method_is_held() -> None:
    assert {subject.name for subject in SUBJECTS} == set(host().methods())


@pytest.mark.numeric
@pytest.mark.parametrize("subject", SUBJECTS, ids=[f"{s.name}-{s.kind}" for s in SUBJECTS])
def test_a_step_of_one_signal_is_the_step_in_exact_arithmetic(subject: Subject) -> None:
    for number in Session(subject).showing():
        try:
            found_losses, found = looped(subject, number)
        except UsageError:
            with pytest.raises(UsageError):  # it refuses single signals, here and there
                written_out(subject, number)
            continue
        losses, gradients = written_out(subject, number)
        assert found_losses.keys() == losses.keys()
        for name, loss in losses.items():
            assert abs(found_losses[name] - loss) <= CLOSE * max(abs(loss), CLOSE), name
        for player, wanted in gradients.items():
            apart = relative(found[player], wanted)
            assert apart <= CLOSE, f"step {number}: gradients of {player} are off by {apart:.2g}"


def looped(subject: Subject, number: int) -> tuple[dict[str, float], Gradients]:
    """A step of the loop, in float32, pictures and nets channels-last."""
    found: Gradients = {}

    def after(player: Player) -> None:
        found[player.name] = gradients_of(session.method.nets, player)

    session = Session(subject, count=1, after=after)
    without_dropout(session.method)
    with torch.random.fork_rng(devices=[]):
        session.done = number
        session.step()
        return session.take_losses(), found


def written_out(subject: Subject, number: int) -> tuple[dict[str, float], Gradients]:
    """The same step from the same numbers: players move in order, each by its weighted losses."""
    method = subject.build().double().train()
    without_dropout(method)
    players = method.players()
    for player in players:
        for term in player.terms:
            term.loss.double()
    progress = Progress(number, STEPS, STEPS // 10)
    losses: dict[str, float] = {}
    gradients: Gradients = {}
    moving = [player for player in players if player.is_active(number)]

    def step_of(draw: int, who: list[Player]) -> Step:
        rng = generator_for(0, number, draw)
        drawn = RandomBatches(subject, 0, 1).batch(number, draw)
        signals = {key: signal.double() for key, signal in drawn.signals.items()}
        batch = Batch(signals, drawn.conditions, drawn.extras)
        nets = [name for player in who for name in player.nets]
        return Step(method, batch, method.plan(drawn, rng), progress=progress, rng=rng, moving=nets)

    with torch.random.fork_rng(devices=[]), Wide(), Widened():
        seed_all(0, number, 0)
        shared = step_of(0, [player for player in moving if not player.own_batch])
        draws = 0
        for player in moving:
            draws += player.own_batch
            step = step_of(draws, [player]) if player.own_batch else shared
            with learning(method.nets, player, step):
                weighted = []
                for term in player.terms:
                    if weight := term.weight_at(progress):
                        loss = term.loss(step)
                        losses[f"{player.name}/{term.name}"] = float(loss.detach())
                        weighted.append(weight * loss)
                if weighted and torch.stack(weighted).requires_grad:
                    torch.stack(weighted).sum().backward()
                if clip := player.clip or subject.preset.train.clip:
                    nn.utils.clip_grad_norm_(parameters_of(method.nets, player), clip)
                gradients[player.name] = gradients_of(method.nets, player)
            adam(method.nets, player, progress)
    return losses, gradients


class Widened(TorchFunctionMode):
    """Random numbers are those of float32: float64 would draw others."""

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        drawn = func(*args, **(kwargs or {}))
        return drawn.double() if func in (torch.rand, torch.randn) else drawn


@contextmanager
def learning(nets: nn.ModuleDict, player: Player, step: Step) -> Iterator[None]:
    """A turn in which just the player's nets gather gradients, from none on."""
    for parameter in nets.parameters():
        parameter.grad = None
    with step.turn(player.nets, player.other_nets_mode):
        yield


def adam(nets: nn.ModuleDict, player: Player, progress: Progress) -> None:
    """The first update of Adam: each parameter by the rate, against the sign of its gradient."""
    rate = player.optimiser.lr * player.optimiser.schedule(progress)
    with torch.no_grad():
        for parameter in parameters_of(nets, player):
            parameter.mul_(1 - rate * player.optimiser.weight_decay)
            if parameter.grad is not None:
                parameter -= rate * parameter.grad / (parameter.grad.abs() + 1e-8)


def parameters_of(nets: nn.ModuleDict, player: Player) -> list[nn.Parameter]:
    found = {id(p): p for name in player.nets for p in nets[name].parameters()}
    return [p for p in found.values() if not getattr(p, "frozen", False)]


def gradients_of(nets: nn.ModuleDict, player: Player) -> list[Tensor]:
    return [
        torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for p in parameters_of(nets, player)
    ]


def without_dropout(module: nn.Module) -> None:
    """Drops nothing: masks are drawn in the order of the memory, another one in each format."""
    for layer in module.modules():
        if isinstance(layer, nn.modules.dropout._DropoutNd):
            layer.p = 0.0


def relative(found: list[Tensor], wanted: list[Tensor]) -> float:
    apart = sum(float((a.double() - b).square().sum()) for a, b in zip(found, wanted, strict=True))
    size = sum(float(b.square().sum()) for b in wanted)
    return (apart / size) ** 0.5 if size else apart**0.5
