"""Auto-encoders tied by a critic of their codes: domain-adversarial translation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from zoo_core.contracts.interfaces import Code
from zoo_core.contracts.method import Method, Optimiser, Player, Term
from zoo_core.contracts.signals import Batch, Condition, TensorSpec
from zoo_core.contracts.spec import Preset, TrainConfig
from zoo_core.contracts.step import Route
from zoo_fader.nets import StridedDecoder, StridedEncoder, code_shape
from zoo_fader.sizes import require_multiple
from zoo_nn.losses.adversarial import AdversarialCritic, AdversarialGenerator
from zoo_nn.losses.consistency import Identity
from zoo_nn.losses.latent import CodeClassification, CodeConfusion
from zoo_nn.nets.code import CodeDiscriminator
from zoo_nn.nets.patch import PatchDiscriminator, require_side
from zoo_nn.plans import pair_routes
from zoo_nn.schedules import Ramp


@dataclass(frozen=True)
class Options:
    """Options of the latent-adversarial method.

    Attributes:
        width: Channels of the encoders' first layer, doubled by each further one.
        widest: Most channels.
        layers: Stride-2 convolutions of each encoder, and transposed ones of each decoder.
        hidden: Width of the code discriminator's hidden layer.
        dropout: Dropout of the code discriminator.
        reconstruction: Weight of the reconstruction.
        distance: Distance of the reconstruction: ``l1`` or ``l2``.
        latent: Weight of the codes' indistinguishability, once fully there.
        ramp: Steps in which that weight rises from 0.
        goal: What the encoders want of the code discriminator: ``uniform`` (all domains alike),
            ``wrong`` (another domain) or ``reversed`` (its loss as large as can be).
        adversarial: Weight of a discriminator of pictures per domain, which judges translations;
            0: there is none, the code alone ties the domains.
        critic_width: Channels of these discriminators' first layer.
        critic_layers: Stride-2 convolutions of these discriminators.
        lr: Learning rate of all players.
    """

    width: int = 32
    widest: int = 512
    layers: int = 6
    hidden: int = 512
    dropout: float = 0.0
    reconstruction: float = 10.0
    distance: Literal["l1", "l2"] = "l1"
    latent: float = 1.0
    ramp: int = 1000
    goal: Literal["uniform", "wrong", "reversed"] = "uniform"
    adversarial: float = 0.0
    critic_width: int = 64
    critic_layers: int = 3
    lr: float = 2e-4


class LatentAdversarial(Method[Options]):
    """An encoder and a decoder per domain; a code discriminator shall not know whose a code is.

    ``D = cross-entropy of the domain given the code`` (Ganin et al. 2016, arXiv:1505.07818, §4),
    then ``AE = 10 |reconstruction - x|_1 + indistinguishability of the codes`` (Tzeng et al.
    2015, arXiv:1510.02192, eq. 4). A translation is the input's code in the other's decoder.
    """

    Options = Options
    has_code = True
    needs_source = True
    provides = frozenset({"translated", "restored", "identity", "code", "reencoded"})
    presets = {  # noqa: RUF012
        "paper": Preset(
            signal=TensorSpec(shape=(3, 256, 256), stride=64),
            train=TrainConfig(batch=16, steps=200_000, load_size=286, flip=True),
        ),
        "64px": Preset(
            options={"widest": 128, "layers": 5, "hidden": 256, "lr": 5e-4},
            signal=TensorSpec(shape=(3, 64, 64), stride=32),
            train=TrainConfig(batch=16, steps=10_000, load_size=72, flip=True, ema=0.999),
        ),
        "32px": Preset(
            options={
                "width": 24,
                "widest": 96,
                "layers": 4,
                "hidden": 256,
                "ramp": 300,
                "critic_width": 32,
                "critic_layers": 2,
                "lr": 5e-4,
            },
            signal=TensorSpec(shape=(3, 32, 32), stride=16),
            train=TrainConfig(batch=16, steps=6000, ema=0.99),
        ),
        "tiny": Preset(
            options={"width": 4, "widest": 8, "layers": 3, "hidden": 8},
            signal=TensorSpec(shape=(3, 16, 16), stride=8),
        ),
    }

    def build(self) -> Mapping[str, nn.Module]:
        """An encoder and a decoder per domain, a code discriminator, and critics if asked for."""
        o, (channels, *sides) = self.options, self.signal.shape
        require_multiple(o.layers, sides)
        form = (o.width, o.layers, o.widest)
        nets: dict[str, nn.Module] = {}
        for name in self.domains.names:
            nets[f"encoder_{name}"] = StridedEncoder(channels, *form)
            nets[f"decoder_{name}"] = StridedDecoder(channels, *form)
        # No batch norm: each batch of codes is of one domain, which its own statistics would hide.
        nets["code_discriminator"] = CodeDiscriminator(
            code_shape(tuple(sides), *form),
            len(self.domains),
            width=o.widest,
            hidden=o.hidden,
            dropout=o.dropout,
        )
        if o.adversarial:
            require_side(sides, o.critic_layers)
        for name in self.domains.names if o.adversarial else ():
            nets[f"discriminator_{name}"] = PatchDiscriminator(
                channels, o.critic_width, o.critic_layers
            )
        return nets

    def plan(self, batch: Batch, rng: torch.Generator) -> Sequence[Route]:
        """A ring: each domain is origin once and target once."""
        names = self.domains.names
        return pair_routes(batch, self.domains, zip(names, (*names[1:], names[0]), strict=True))

    def encode(self, x: Tensor, source: Condition) -> Code:
        """The code of ``x`` (N, C, H, W) by the encoder of its domain."""
        code: Code = self.nets[f"encoder_{source.one_domain}"](x, source)
        return code

    def decode(self, code: Code, target: Condition) -> Tensor:
        """(N, C, H, W) a code as the decoder of the target domain makes it."""
        y: Tensor = self.nets[f"decoder_{target.one_domain}"](code, target)  # (N, C, H, W)
        return y  # (N, C, H, W)

    def players(self) -> Sequence[Player]:
        """The critics move first; the auto-encoders meet them on the same codes and pictures."""
        o, names = self.options, self.domains.names
        adam = Optimiser(o.lr, (0.5, 0.999))
        coders = tuple(f"{kind}_{name}" for name in names for kind in ("encoder", "decoder"))
        generator = [
            Term("reconstruction", Identity(o.distance), o.reconstruction),
            Term("confusion", CodeConfusion(goal=o.goal), Ramp(0.0, o.latent, o.ramp)),
        ]
        critic = Term("classify", CodeClassification())
        players = [Player("code_discriminator", ("code_discriminator",), (critic,), adam)]
        if o.adversarial:
            generator.append(Term("adversarial", AdversarialGenerator(), o.adversarial))
            judges = tuple(f"discriminator_{name}" for name in names)
            judge = Term("critic", AdversarialCritic(scale=0.5))
            players.append(Player("discriminator", judges, (judge,), adam))
        return (*players, Player("generator", coders, tuple(generator), adam))
