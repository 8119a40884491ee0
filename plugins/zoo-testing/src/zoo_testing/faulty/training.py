"""Faults in players, losses and states."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from zoo_core.contracts.method import Loss, Player, Term
from zoo_core.contracts.signals import Condition
from zoo_core.contracts.step import Step
from zoo_testing import tiny
from zoo_testing.tiny import TinyMethod


def with_term(players: Sequence[Player], player: str, term: str, loss: Loss) -> tuple[Player, ...]:
    """The players with one loss replaced."""

    def changed(old: Term) -> Term:
        return replace(old, loss=loss) if old.name == term else old

    return tuple(
        replace(p, terms=tuple(changed(t) for t in p.terms)) if p.name == player else p
        for p in players
    )


class TwoOptimisers(TinyMethod):
    """Both players train the critic."""

    def players(self) -> Sequence[Player]:
        """The generator's player has the critic as well."""
        critic, generator = super().players()
        return critic, replace(generator, nets=("generator", "critic"))


class NoOptimiser(TinyMethod):
    """Nobody trains one of its nets."""

    def build(self) -> Mapping[str, nn.Module]:
        """The clean nets and one that no player names."""
        return {**super().build(), "forgotten": nn.Conv2d(3, 3, 1)}


class Stray(TinyMethod):
    """It has a parameter outside of all its nets."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.temperature = nn.Parameter(torch.ones(()))


class ClippingLoss(tiny.FoolLoss):
    """Shrinks the critic on the side."""

    def forward(self, step: Step) -> Tensor:
        """The clean loss."""
        with torch.no_grad():
            for parameter in step.net("critic").parameters():
                parameter.mul_(0.99)
        return super().forward(step)


class Meddler(TinyMethod):
    """The generator's move also changes the critic."""

    def players(self) -> Sequence[Player]:
        """The generator's first loss is replaced."""
        return with_term(super().players(), "generator", "fool", ClippingLoss())


class AttachedCritic(tiny.CriticLoss):
    """Lets the critic's gradient run on into the generator."""

    def forward(self, step: Step) -> Tensor:
        """Least squares without a detach."""
        made = [step.net("critic")(route.translated).scores[0].mean() for route in step.routes]
        return super().forward(step) + torch.stack(made).mean()


class Attached(TinyMethod):
    """The critic's loss reaches the generator."""

    def players(self) -> Sequence[Player]:
        """The critic's loss is replaced; the generator moves in every step, as it must for this."""
        critic, generator = with_term(super().players(), "critic", "critic", AttachedCritic())
        return critic, replace(generator, every=1)


class DeadParameter(TinyMethod):
    """A layer of the generator is never used."""

    def build(self) -> Mapping[str, nn.Module]:
        """The clean nets, the generator with a layer too many."""
        nets = super().build()
        nets["generator"].add_module("unused", nn.Conv2d(3, 3, 1))
        return nets


class _Halved(torch.autograd.Function):
    """The square, with a gradient that forgets its factor."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradients[0] * x


class HalvedLoss(tiny.CycleLoss):
    """Squares by hand."""

    def forward(self, step: Step) -> Tensor:
        """L2 in place of L1."""
        (route,) = step.routes
        return _Halved.apply(route.restored - route.signal).mean()  # type: ignore[no-any-return]


class WrongGradient(TinyMethod):
    """A backward pass that was written by hand is wrong."""

    def players(self) -> Sequence[Player]:
        """The cycle loss is replaced."""
        return with_term(super().players(), "generator", "cycle", HalvedLoss())


class _Misread(torch.autograd.Function):
    """The identity, whose backward pass takes every gradient's memory for contiguous."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        plain = torch.empty_like(gradient, memory_format=torch.contiguous_format).stride()
        return gradient.as_strided(gradient.shape, plain)


class MisreadingGenerator(tiny.TinyGenerator):
    """A generator with a layer that is right in one memory format only."""

    def forward(self, x: Tensor, condition: Condition) -> Tensor:
        """Translates ``x`` (N, 3, H, W)."""
        y: Tensor = _Misread.apply(super().forward(x, condition))
        return y


class WrongInOneFormat(TinyMethod):
    """Its gradients depend on how pictures lie in memory."""

    def build(self) -> Mapping[str, nn.Module]:
        """The clean nets with another generator."""
        generator = MisreadingGenerator(len(self.domains), self.options.width)
        return {**super().build(), "generator": generator}


class VectorLoss(tiny.CycleLoss):
    """A value per signal."""

    def forward(self, step: Step) -> Tensor:
        """(N,) instead of ()."""
        (route,) = step.routes
        return (route.restored - route.signal).abs().mean((1, 2, 3))  # (N,)


class NonScalar(TinyMethod):
    """One of its losses is a vector."""

    def players(self) -> Sequence[Player]:
        """The cycle loss is replaced."""
        return with_term(super().players(), "generator", "cycle", VectorLoss())


class LogLoss(tiny.CycleLoss):
    """A logarithm of 0."""

    def forward(self, step: Step) -> Tensor:
        """Infinite."""
        return super().forward(step) - (super().forward(step) * 0).log()


class InfiniteLoss(TinyMethod):
    """One of its losses is infinite."""

    def players(self) -> Sequence[Player]:
        """The cycle loss is replaced."""
        return with_term(super().players(), "generator", "cycle", LogLoss())


class SecretLoss(tiny.CycleLoss):
    """Asks for what it does not declare."""

    requires: Sequence[str] = ()


class Undeclared(TinyMethod):
    """One of its losses needs what it does not name."""

    def players(self) -> Sequence[Player]:
        """The cycle loss is replaced."""
        return with_term(super().players(), "generator", "cycle", SecretLoss())


class Unprovided(TinyMethod):
    """Its losses require what it says it does not provide."""

    provides: ClassVar[frozenset[str]] = frozenset({"translated", "identity"})


class Twins(TinyMethod):
    """Two of its losses have one name."""

    def players(self) -> Sequence[Player]:
        """The identity loss is named like the cycle loss."""
        critic, generator = super().players()
        terms = tuple(replace(term, name="cycle") for term in generator.terms)
        return critic, replace(generator, terms=terms)


class Boaster(TinyMethod):
    """It says it provides a code and has none."""

    provides: ClassVar[frozenset[str]] = TinyMethod.provides | {"code"}


class PaintingLoss(tiny.CycleLoss):
    """Blackens a signal of the batch."""

    def forward(self, step: Step) -> Tensor:
        """The clean loss."""
        value = super().forward(step)
        for signal in step.batch.signals.values():
            signal[0] = -1.0
        return value


class Painter(TinyMethod):
    """A loss writes into the batch."""

    def players(self) -> Sequence[Player]:
        """The cycle loss is replaced."""
        return with_term(super().players(), "generator", "cycle", PaintingLoss())


class RepeatingLoss(tiny.CycleLoss):
    """Translates again what the step has translated."""

    def forward(self, step: Step) -> Tensor:
        """The clean loss, from another translation of the same."""
        (route,) = step.routes
        again = step.method.translate(
            route.signal, route.source_condition, route.target
        )  # (N, 3, H, W)
        return super().forward(step) + (again - route.translated).abs().mean()


class Repeater(TinyMethod):
    """A loss runs the generator twice on the same input."""

    def players(self) -> Sequence[Player]:
        """The cycle loss is replaced."""
        return with_term(super().players(), "generator", "cycle", RepeatingLoss())


_DICE = random.SystemRandom()


class OwnDiceLoss(tiny.FoolLoss):
    """Weighs itself by a generator of random numbers that nobody seeds."""

    def forward(self, step: Step) -> Tensor:
        """The clean loss, more or less."""
        return super().forward(step) * (1 + _DICE.random())


class Unseeded(TinyMethod):
    """A loss draws from a generator of its own."""

    def players(self) -> Sequence[Player]:
        """The generator's first loss is replaced."""
        return with_term(super().players(), "generator", "fool", OwnDiceLoss())


class CountingLoss(tiny.FoolLoss):
    """Counts its calls where no checkpoint sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, step: Step) -> Tensor:
        """The clean loss, growing."""
        self.calls += 1
        return super().forward(step) * self.calls


class Unresumable(TinyMethod):
    """A loss remembers what a checkpoint does not hold."""

    def players(self) -> Sequence[Player]:
        """The generator's first loss is replaced."""
        return with_term(super().players(), "generator", "fool", CountingLoss())
