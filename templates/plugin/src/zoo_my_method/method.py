"""MyMethod: what it trains and by which losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zoo_core.contracts.method import Method, Optimiser, Player, Term
from zoo_core.contracts.signals import Batch, Condition, TensorSpec
from zoo_core.contracts.spec import Preset, TrainConfig
from zoo_core.contracts.step import Route
from zoo_my_method.nets import SmallCritic, SmallGenerator
from zoo_nn.losses.adversarial import AdversarialCritic, AdversarialGenerator
from zoo_nn.losses.consistency import Cycle
from zoo_nn.plans import all_pairs


@dataclass(frozen=True)
class Options:
    """Options of MyMethod.

    Attributes:
        features: Inner channels of all nets.
        cycle: Weight of the cycle consistency.
        lr: Learning rate of both players.
    """

    features: int = 32
    cycle: float = 10.0
    lr: float = 2e-4


class MyMethod(Method[Options]):
    """A generator into each of two domains, a critic of each, and the way there and back."""

    Options = Options
    presets = {
        "64px": Preset(
            signal=TensorSpec(shape=(3, 64, 64)), train=TrainConfig(batch=8, steps=5000)
        ),
        "32px": Preset(
            options={"features": 16},
            signal=TensorSpec(shape=(3, 32, 32)),
            train=TrainConfig(batch=16, steps=3000),
        ),
    }

    def build(self) -> Mapping[str, nn.Module]:
        """The nets by name; generators are what a saved model contains."""
        channels, features = self.signal.channels, self.options.features
        nets: dict[str, nn.Module] = {}
        for name in self.domains.names:
            nets[f"generator_{name}"] = SmallGenerator(channels, features)
            nets[f"critic_{name}"] = SmallCritic(channels, features)
        return nets

    def plan(self, batch: Batch, rng: torch.Generator) -> Sequence[Route]:
        """What to translate in this batch: each domain into the other."""
        return all_pairs(batch, self.domains)

    def translate(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, C, H, W) ``x`` as the generator of the target domain makes it."""
        y: Tensor = self.nets[f"generator_{target.one_domain}"](x, target)  # (N, C, H, W)
        return y  # (N, C, H, W)

    def players(self) -> Sequence[Player]:
        """Who moves in every step, and by which losses."""
        adam = Optimiser(self.options.lr, (0.5, 0.999))
        names = self.domains.names
        makers = (
            Term("adversarial", AdversarialGenerator("critic_{target}")),
            Term("cycle", Cycle(), weight=self.options.cycle),
        )
        critics = (Term("critic", AdversarialCritic("critic_{target}", scale=0.5)),)
        return (
            Player("generator", tuple(f"generator_{name}" for name in names), makers, adam),
            Player("critic", tuple(f"critic_{name}" for name in names), critics, adam),
        )
