"""Direct translation with no constraint but depth (Galanti et al. 2018, arXiv:1709.00074)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zoo_core.contracts.method import Method, Optimiser, Player, Term
from zoo_core.contracts.signals import Batch, Condition, TensorSpec
from zoo_core.contracts.spec import Preset, TrainConfig
from zoo_core.contracts.step import Route
from zoo_nn.losses.adversarial import AdversarialGenerator, critic_terms
from zoo_nn.nets.patch import PatchDiscriminator, require_side
from zoo_nn.plans import all_pairs
from zoo_nn.schedules import LinearDecay
from zoo_shallow.nets import ShallowGenerator


@dataclass(frozen=True)
class Options:
    """Options; training is CycleGAN's without its cycle by default.

    Attributes:
        depth: Convolutions of a generator: the constraint. Too few cannot make the target domain,
            too many may make it of anything.
        width: Channels between the convolutions.
        halvings: How many of the first convolutions have stride 2; as many of the last double.
        kernel: Size of the kernels, odd.
        critic_width: Channels of the discriminators' first layer.
        critic_layers: Stride-2 convolutions of the discriminators; 3 judge patches of 70 pixels.
        objective: ``lsgan``, ``nonsaturating``, ``wgan`` or ``hinge``.
        pool: Earlier translations that each discriminator is shown in place of new ones.
        lr: Learning rate of both players.
        constant_epochs: Epochs at that rate; a run given in steps keeps the proportion.
        decay_epochs: Epochs of linear decay.
    """

    depth: int = 5
    width: int = 64
    halvings: int = 1
    kernel: int = 5
    critic_width: int = 64
    critic_layers: int = 3
    objective: str = "lsgan"
    pool: int = 50
    lr: float = 2e-4
    constant_epochs: int = 100
    decay_epochs: int = 100


class Shallow(Method[Options]):
    """A shallow generator into each domain and a patch discriminator of each; nothing ties them.

    ``G = sum over directions of LSGAN``, then each
    ``D = 0.5 * (LSGAN(real) + LSGAN(pooled translation))``.
    """

    Options = Options
    presets = {  # noqa: RUF012
        "256px": Preset(
            options={"depth": 6, "halvings": 2},
            signal=TensorSpec(shape=(3, 256, 256)),
            train=TrainConfig(batch=1, epochs=200, load_size=286, flip=True),
        ),
        "64px": Preset(
            options={"critic_layers": 2},
            signal=TensorSpec(shape=(3, 64, 64), stride=2),
            train=TrainConfig(batch=8, steps=6000, load_size=72, flip=True, ema=0.999),
        ),
        "32px": Preset(
            options={"depth": 3, "critic_width": 48, "critic_layers": 2},
            signal=TensorSpec(shape=(3, 32, 32), stride=2),
            train=TrainConfig(batch=16, steps=4000, ema=0.995),
        ),
    }

    def build(self) -> Mapping[str, nn.Module]:
        """A generator named after the domain that it makes, a discriminator of each domain."""
        o, (channels, *sides) = self.options, self.signal.shape
        require_side(sides, o.critic_layers)
        nets: dict[str, nn.Module] = {}
        for name in self.domains.names:
            nets[f"generator_{name}"] = ShallowGenerator(
                channels, o.width, o.depth, halvings=o.halvings, kernel=o.kernel
            )
        for name in self.domains.names:
            nets[f"discriminator_{name}"] = PatchDiscriminator(
                channels, o.critic_width, o.critic_layers
            )
        return nets

    def plan(self, batch: Batch, rng: torch.Generator) -> Sequence[Route]:
        """Both directions."""
        return all_pairs(batch, self.domains)

    def translate(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, C, H, W) ``x`` as the generator of the target domain makes it."""
        y: Tensor = self.nets[f"generator_{target.one_domain}"](x, target)
        return y  # (N, C, H, W)

    def players(self) -> Sequence[Player]:
        """The generators move first, then the discriminators, which see the same translations."""
        o, names = self.options, self.domains.names
        adam = Optimiser(
            o.lr, (0.5, 0.999), schedule=LinearDecay(o.constant_epochs, o.decay_epochs)
        )
        real = Term("adversarial", AdversarialGenerator(objective=o.objective))
        critics = critic_terms(itertools.permutations(names, 2), o.objective, pool=o.pool)
        return (
            Player("generator", tuple(f"generator_{n}" for n in names), (real,), adam),
            Player("discriminator", tuple(f"discriminator_{n}" for n in names), critics, adam),
        )
