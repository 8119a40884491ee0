"""Two auto-encoders without a tie: the baseline that shows why a common space needs one."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from zoo_core.contracts.interfaces import Code
from zoo_core.contracts.method import Method, Optimiser, Player, Term
from zoo_core.contracts.signals import Batch, Condition, TensorSpec
from zoo_core.contracts.spec import Preset, TrainConfig
from zoo_core.contracts.step import Route
from zoo_nn.losses.adversarial import AdversarialGenerator, critic_terms
from zoo_nn.losses.consistency import Identity
from zoo_nn.nets.autoencoder import ResnetDecoder, ResnetEncoder
from zoo_nn.nets.patch import PatchDiscriminator, require_side
from zoo_nn.plans import all_pairs
from zoo_nn.schedules import LinearDecay


@dataclass(frozen=True)
class Options:
    """Options; nets (a generator cut in two) and schedule are CycleGAN's by default.

    Attributes:
        reconstruction: Weight of what is encoded and decoded within its own domain.
        adversarial: Weight of the discriminators' say on what is decoded into the other domain.
        width: Channels at full size.
        encoder_blocks: Residual blocks of an encoder.
        decoder_blocks: Residual blocks of a decoder.
        halvings: Stride-2 convolutions of an encoder.
        upsample: ``transpose``, or ``nearest`` (no checkerboards).
        critic_width: Channels of the discriminators' first layer.
        critic_layers: Stride-2 convolutions of the discriminators; 3 judge patches of 70 pixels.
        objective: ``lsgan``, ``nonsaturating``, ``wgan`` or ``hinge``.
        pool: Earlier translations that each discriminator is shown in place of new ones.
        lr: Learning rate of both players.
        constant_epochs: Epochs at that rate; a run given in steps keeps the proportion.
        decay_epochs: Epochs of linear decay.
    """

    reconstruction: float = 10.0
    adversarial: float = 1.0
    width: int = 64
    encoder_blocks: int = 4
    decoder_blocks: int = 5
    halvings: int = 2
    upsample: Literal["transpose", "nearest"] = "transpose"
    critic_width: int = 64
    critic_layers: int = 3
    objective: str = "lsgan"
    pool: int = 50
    lr: float = 2e-4
    constant_epochs: int = 100
    decay_epochs: int = 100


class Autoencoders(Method[Options]):
    """An encoder, a decoder and a patch discriminator per domain; the codes have no common meaning.

    ``G = sum over domains of 10 |Dec_a(Enc_a(a)) - a|_1 + LSGAN(Dec_b(Enc_a(a)))``, then each
    ``D = 0.5 * (LSGAN(real) + LSGAN(pooled translation))``.
    """

    Options = Options
    has_code: ClassVar[bool] = True
    needs_source = True
    provides: ClassVar[frozenset[str]] = frozenset(
        {"translated", "restored", "identity", "code", "reencoded"}
    )
    presets = {  # noqa: RUF012
        "256px": Preset(
            signal=TensorSpec(shape=(3, 256, 256)),
            train=TrainConfig(batch=1, epochs=200, load_size=286, flip=True),
        ),
        "64px": Preset(
            options={
                "width": 32,
                "encoder_blocks": 3,
                "decoder_blocks": 3,
                "upsample": "nearest",
                "critic_layers": 2,
            },
            signal=TensorSpec(shape=(3, 64, 64)),
            train=TrainConfig(batch=4, steps=6000, load_size=72, flip=True, ema=0.999),
        ),
        "32px": Preset(
            options={
                "width": 32,
                "encoder_blocks": 2,
                "decoder_blocks": 2,
                "halvings": 1,
                "upsample": "nearest",
                "critic_width": 48,
                "critic_layers": 2,
            },
            signal=TensorSpec(shape=(3, 32, 32), stride=2),
            train=TrainConfig(batch=16, steps=4000, ema=0.995),
        ),
    }

    def build(self) -> Mapping[str, nn.Module]:
        """An encoder, a decoder and a discriminator named after each domain."""
        o, (channels, *sides) = self.options, self.signal.shape
        require_side(sides, o.critic_layers)
        nets: dict[str, nn.Module] = {}
        for name in self.domains.names:
            nets[f"encoder_{name}"] = ResnetEncoder(
                channels, o.width, o.encoder_blocks, halvings=o.halvings
            )
            nets[f"decoder_{name}"] = ResnetDecoder(
                channels, o.width, o.decoder_blocks, halvings=o.halvings, upsample=o.upsample
            )
        for name in self.domains.names:
            nets[f"discriminator_{name}"] = PatchDiscriminator(
                channels, o.critic_width, o.critic_layers
            )
        return nets

    def plan(self, batch: Batch, rng: torch.Generator) -> Sequence[Route]:
        """Both directions; each domain's reconstruction is the identity of the route into it."""
        return all_pairs(batch, self.domains)

    def encode(self, x: Tensor, source: Condition) -> Code:
        """The code of ``x`` (N, C, H, W) by its own domain's encoder."""
        code: Code = self.nets[f"encoder_{source.one_domain}"](x, source)
        return code

    def decode(self, code: Code, target: Condition) -> Tensor:
        """(N, C, H, W) the code as the target domain's decoder reads it."""
        y: Tensor = self.nets[f"decoder_{target.one_domain}"](code, target)
        return y  # (N, C, H, W)

    def players(self) -> Sequence[Player]:
        """The auto-encoders move first, then the discriminators, which see the same pictures."""
        o, names = self.options, self.domains.names
        adam = Optimiser(
            o.lr, (0.5, 0.999), schedule=LinearDecay(o.constant_epochs, o.decay_epochs)
        )
        makers = tuple(f"{kind}_{name}" for name in names for kind in ("encoder", "decoder"))
        generator = (
            Term("reconstruction", Identity(), o.reconstruction),
            Term("adversarial", AdversarialGenerator(objective=o.objective), o.adversarial),
        )
        critics = critic_terms(itertools.permutations(names, 2), o.objective, pool=o.pool)
        return (
            Player("generator", makers, generator, adam),
            Player("discriminator", tuple(f"discriminator_{n}" for n in names), critics, adam),
        )
