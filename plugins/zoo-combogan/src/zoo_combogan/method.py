"""ComboGAN: unpaired translation among any number of domains (Anoosheh 2017, arXiv:1712.06909)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from zoo_combogan.nets import Blur, ResnetDecoder, TwoViewDiscriminator
from zoo_core.contracts.interfaces import Code
from zoo_core.contracts.method import Method, Optimiser, Player, Term
from zoo_core.contracts.signals import Batch, Condition, TensorSpec
from zoo_core.contracts.spec import Preset, TrainConfig
from zoo_core.contracts.step import Route
from zoo_nn.losses.adversarial import AdversarialCritic, AdversarialGenerator
from zoo_nn.losses.consistency import Cycle, Identity, Likeness, SemanticConsistency
from zoo_nn.losses.objectives import deeper
from zoo_nn.nets.autoencoder import ResnetEncoder
from zoo_nn.plans import pair_routes
from zoo_nn.schedules import LinearDecay, Ramp


@dataclass(frozen=True)
class Options:
    """Options of ComboGAN; the defaults are the published ones.

    Attributes:
        width: Channels of encoders and decoders at full size.
        encoder_blocks: Residual blocks of each encoder.
        decoder_blocks: Residual blocks of each decoder.
        halvings: Stride-2 convolutions of each encoder, doublings of each decoder.
        upsample: ``transpose`` as published, or ``nearest`` (no checkerboards).
        critic_width: Channels of the discriminators' first layer.
        critic_layers: Stride-2 convolutions of the discriminators, and scales that they judge.
        blur: How the discriminators blur colours: ``published``, in effect the mean of 5x5 pixels;
            or ``gaussian``.
        cycle: Weight of the cycle consistency.
        identity: Weight of the identity: a signal encoded and decoded within its domain.
        forward: Weight of a translation's likeness to its input; the authors suggest 0.2.
        latent: Weight of the code's consistency, reached at the end of the run by a step an epoch.
        pool: Earlier translations that each discriminator is shown in place of new ones.
        lr: Learning rate of all nets.
        constant_epochs: Epochs at that rate; the authors suggest 50 per domain. A run of another
            length keeps the proportion.
        decay_epochs: Epochs of linear decay; as many.
    """

    width: int = 64
    encoder_blocks: int = 4
    decoder_blocks: int = 5
    halvings: int = 2
    upsample: Literal["transpose", "nearest"] = "transpose"
    critic_width: int = 64
    critic_layers: int = 4
    blur: Blur = "published"
    cycle: float = 10.0
    identity: float = 0.0
    forward: float = 0.0
    latent: float = 0.0
    pool: int = 50
    lr: float = 2e-4
    constant_epochs: int = 150
    decay_epochs: int = 150


class ComboGAN(Method[Options]):
    """An encoder, a decoder and a discriminator per domain; each step trains two random domains.

    ``G = sum over both directions of LSGAN + 10 SmoothL1(restored, x)``, then each ``D = 0.5 *
    (LSGAN(real) + LSGAN(pooled translation))``, where LSGAN is a weighted mean over the
    discriminator's layers. Nets of the other domains get no gradient in that step, and Adam leaves
    them and its memory of them alone: the same as an optimiser per domain.
    """

    Options = Options
    has_code = True
    needs_source = True
    provides = frozenset({"translated", "restored", "identity", "code", "reencoded"})
    presets = {  # noqa: RUF012
        "paper": Preset(
            signal=TensorSpec(shape=(3, 256, 256)),
            train=TrainConfig(batch=1, epochs=300, load_size=286, resize="shorter", flip=True),
        ),
        "64px": Preset(
            options={
                "width": 32,
                "encoder_blocks": 2,
                "decoder_blocks": 3,
                "upsample": "nearest",
                "critic_width": 32,
                "critic_layers": 3,
                "blur": "gaussian",
                "identity": 5.0,
                "forward": 2.0,
            },
            signal=TensorSpec(shape=(3, 64, 64)),
            train=TrainConfig(batch=4, steps=12_000, load_size=72, flip=True, ema=0.999),
        ),
        "32px": Preset(
            options={
                "width": 32,
                "encoder_blocks": 1,
                "decoder_blocks": 2,
                "halvings": 1,
                "upsample": "nearest",
                "critic_width": 24,
                "critic_layers": 3,
                "blur": "gaussian",
                "lr": 3e-4,
            },
            signal=TensorSpec(shape=(3, 32, 32), stride=2),
            train=TrainConfig(batch=8, steps=6000, ema=0.995),
        ),
        "tiny": Preset(
            options={"width": 4, "encoder_blocks": 1, "decoder_blocks": 1, "critic_width": 4},
            signal=TensorSpec(shape=(3, 16, 16)),
        ),
    }

    def build(self) -> Mapping[str, nn.Module]:
        """An encoder, a decoder and a discriminator named after each domain."""
        o, channels = self.options, self.signal.channels
        nets: dict[str, nn.Module] = {}
        for name in self.domains.names:
            nets[f"encoder_{name}"] = ResnetEncoder(
                channels, o.width, o.encoder_blocks, halvings=o.halvings, activation=nn.PReLU
            )
            nets[f"decoder_{name}"] = ResnetDecoder(
                channels, o.width, o.decoder_blocks, doublings=o.halvings, upsample=o.upsample
            )
            nets[f"discriminator_{name}"] = TwoViewDiscriminator(
                channels, o.critic_width, o.critic_layers, o.blur
            )
        return nets

    def plan(self, batch: Batch, rng: torch.Generator) -> Sequence[Route]:
        """Both directions between two domains drawn at random."""
        drawn = torch.randperm(len(self.domains), generator=rng)[:2].tolist()  # (2,)
        a, b = (self.domains.names[index] for index in drawn)
        return pair_routes(batch, self.domains, ((a, b), (b, a)))

    def encode(self, x: Tensor, source: Condition) -> Code:
        """The code of ``x`` (N, C, H, W) by the encoder of its domain."""
        code: Code = self.nets[f"encoder_{source.one_domain}"](x, source)
        return code

    def decode(self, code: Code, target: Condition) -> Tensor:
        """(N, C, H, W) a code as the decoder of the target domain makes it."""
        y: Tensor = self.nets[f"decoder_{target.one_domain}"](code, target)  # (N, C, H, W)
        return y  # (N, C, H, W)

    def players(self) -> Sequence[Player]:
        """Encoders and decoders move first, then the discriminators; only the drawn domains'."""
        o, names = self.options, self.domains.names
        decay = LinearDecay(o.constant_epochs, o.decay_epochs, early=-1, further=0)
        adam = Optimiser(o.lr, (0.5, 0.999), schedule=decay)
        generator = [
            Term("adversarial", AdversarialGenerator(share=deeper)),
            Term("cycle", Cycle("smooth_l1"), o.cycle),
        ]
        if o.identity:
            generator.append(Term("identity", Identity("pooled_smooth_l1"), o.identity))
        if o.forward:
            generator.append(Term("forward", Likeness(), o.forward))
        if o.latent:
            latent = SemanticConsistency("smooth_l1", detach=True)
            epochs = o.constant_epochs + o.decay_epochs
            generator.append(Term("latent", latent, Ramp(0.0, o.latent, parts=epochs)))
        critic = AdversarialCritic(scale=0.5, pool=o.pool, share=deeper)
        makers = tuple(f"{kind}_{name}" for name in names for kind in ("encoder", "decoder"))
        judges = tuple(f"discriminator_{name}" for name in names)
        return (
            Player("generator", makers, tuple(generator), adam),
            Player("discriminator", judges, (Term("critic", critic),), adam),
        )
