"""Fader Networks: attributes as sliders (Lample et al. 2017, arXiv:1706.00409)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zoo_core.contracts.interfaces import Code
from zoo_core.contracts.method import Method, Optimiser, Player, Term
from zoo_core.contracts.signals import MIXED, Batch, Condition, TensorSpec
from zoo_core.contracts.spec import Preset, TrainConfig
from zoo_core.contracts.step import Route
from zoo_fader.nets import StridedDecoder, StridedEncoder, code_shape
from zoo_fader.sizes import require_multiple
from zoo_nn.losses.consistency import Identity
from zoo_nn.losses.latent import CodeClassification, CodeConfusion, class_count
from zoo_nn.nets.code import CodeDiscriminator
from zoo_nn.schedules import Ramp


@dataclass(frozen=True)
class Options:
    """Options of Fader Networks; the defaults are the published ones.

    Attributes:
        width: Channels of the encoder's first layer, doubled by each further one.
        widest: Most channels.
        layers: Stride-2 convolutions of the encoder, and transposed ones of the decoder.
        hidden: Width of the code discriminator's hidden layer.
        dropout: Dropout of the code discriminator.
        latent: Weight of the code's independence of the attributes, lambda, once fully there.
        ramp: Steps in which that weight rises from 0.
        lr: Learning rate of both players.
        clip: Largest gradient norm of each player.
    """

    width: int = 32
    widest: int = 512
    layers: int = 6
    hidden: int = 512
    dropout: float = 0.3
    latent: float = 1e-4
    ramp: int = 500_000
    lr: float = 2e-4
    clip: float = 5.0


class Fader(Method[Options]):
    """An auto-encoder that is told the attributes behind its code, and a critic of the code.

    Each step, each on a batch of its own: ``D = cross-entropy of the attributes given the code``
    (§3, the discriminator's objective), then ``AE = MSE of the reconstruction + lambda(t) *
    cross-entropy of wrong attributes`` (§3, the adversarial objective). Who does not move is in
    eval mode.
    """

    Options = Options
    sampling = "mixed"
    has_code = True
    provides = frozenset({"translated", "restored", "identity", "code", "reencoded"})
    presets = {  # noqa: RUF012
        "paper": Preset(
            signal=TensorSpec(shape=(3, 256, 256), stride=64),
            train=TrainConfig(
                batch=32,
                steps=1_562_500,
                crop_first=178,
                resample="lanczos4",
                flip=True,
                mirror="batch",
            ),
        ),
        "64px": Preset(
            options={
                "widest": 128,
                "layers": 5,
                "hidden": 256,
                "latent": 0.05,
                "ramp": 2000,
                "lr": 5e-4,
            },
            signal=TensorSpec(shape=(3, 64, 64), stride=32),
            train=TrainConfig(batch=32, steps=12_000, ema=0.999),
        ),
        "32px": Preset(
            options={
                "width": 24,
                "widest": 96,
                "layers": 4,
                "hidden": 256,
                "latent": 0.05,
                "ramp": 300,
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
        """Encoder, decoder and code discriminator, with torch's own initialisation."""
        o, (channels, *sides) = self.options, self.signal.shape
        require_multiple(o.layers, sides)
        form = (o.width, o.layers, o.widest)
        return {
            "encoder": StridedEncoder(channels, *form),
            "decoder": StridedDecoder(channels, *form, domains=self.domains),
            "code_discriminator": CodeDiscriminator(
                code_shape(tuple(sides), *form),
                class_count(self.domains),
                width=o.widest,
                hidden=o.hidden,
                dropout=o.dropout,
                normalise=True,
            ),
        }

    def plan(self, batch: Batch, rng: torch.Generator) -> Sequence[Route]:
        """One route; the targets, shuffled conditions of the batch, are for added losses only."""
        label = batch.conditions[MIXED].label  # (N, K)
        order = torch.randperm(len(label), generator=rng)  # (N,)
        return [Route(MIXED, Condition(label[order.to(label.device)]))]

    def encode(self, x: Tensor, source: Condition) -> Code:
        """The code of ``x`` (N, C, H, W); its own condition is not asked for."""
        code: Code = self.nets["encoder"](x, source)
        return code

    def decode(self, code: Code, target: Condition) -> Tensor:
        """(N, C, H, W) a code decoded with the target's attributes."""
        y: Tensor = self.nets["decoder"](code, target)  # (N, C, H, W)
        return y  # (N, C, H, W)

    def players(self) -> Sequence[Player]:
        """The code discriminator moves first, then the auto-encoder, each on its own batch."""
        o = self.options
        adam = Optimiser(o.lr, (0.5, 0.999))
        classify = Term("classify", CodeClassification())
        generator = (
            Term("reconstruction", Identity("l2")),
            Term("confusion", CodeConfusion(goal="wrong"), Ramp(0.0, o.latent, o.ramp)),
        )
        critic = Player(
            "code_discriminator",
            ("code_discriminator",),
            (classify,),
            adam,
            own_batch=True,
            clip=o.clip,
            other_nets_mode="eval",
        )
        coder = Player(
            "generator",
            ("encoder", "decoder"),
            generator,
            adam,
            own_batch=True,
            clip=o.clip,
            other_nets_mode="eval",
        )
        return critic, coder
