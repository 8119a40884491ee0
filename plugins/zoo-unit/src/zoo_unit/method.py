"""UNIT: variational auto-encoders with shared layers (Liu et al. 2017, arXiv:1703.00848)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from zoo_core.contracts.interfaces import Code
from zoo_core.contracts.method import Method, Optimiser, Player, Term
from zoo_core.contracts.signals import Batch, Condition, TensorSpec
from zoo_core.contracts.spec import Preset, TrainConfig
from zoo_core.contracts.step import Route, Step
from zoo_core.errors import UsageError
from zoo_nn.losses.adversarial import AdversarialCritic, AdversarialGenerator
from zoo_nn.losses.consistency import Cycle, Identity
from zoo_nn.losses.regularisers import KullbackLeibler
from zoo_nn.plans import all_pairs
from zoo_nn.schedules import StepDecay
from zoo_unit.nets import (
    MultiScaleDiscriminator,
    SharedDecoder,
    VariationalEncoder,
    residual_blocks,
    smallest_side,
)


@dataclass(frozen=True)
class Options:
    """Options of UNIT; the defaults are those of the official code of 2018, but for ``shared``.

    Attributes:
        width: Channels of encoders and decoders at full size.
        blocks: Residual blocks of each encoder and of each decoder, the shared ones included.
        shared: How many of them both domains share: the last of the encoders, the first of the
            decoders. 1 as in the paper's own code of 2017; 0 as in the code of 2018, which ties
            the domains by the prior and the cycle alone; at most ``blocks``.
        halvings: Stride-2 convolutions of the encoders.
        kernel: Size of the decoders' convolutions behind a doubling, odd.
        critic_width: Channels of the discriminators' first layer.
        critic_layers: Stride-2 convolutions of each scale of the discriminators.
        critic_scales: Scales of the discriminators.
        objective: ``lsgan`` as published, ``nonsaturating``, ``wgan`` or ``hinge``.
        adversarial: Weight of the adversarial loss.
        reconstruction: Weight of the reconstruction within a domain.
        kl: Weight of the divergence of the codes of real signals from the prior.
        cycle: Weight of the cycle consistency.
        kl_cycle: Weight of the divergence of the codes of translations.
        lr: Learning rate of both players.
        halve_every: Steps after which the rate is halved, again and again.
        weight_decay: L2 penalty of both players' weights.
    """

    width: int = 64
    blocks: int = 4
    shared: int = 1
    halvings: int = 2
    kernel: int = 5
    critic_width: int = 64
    critic_layers: int = 4
    critic_scales: int = 3
    objective: str = "lsgan"
    adversarial: float = 1.0
    reconstruction: float = 10.0
    kl: float = 0.01
    cycle: float = 10.0
    kl_cycle: float = 0.01
    lr: float = 1e-4
    halve_every: int = 100_000
    weight_decay: float = 1e-4


class UNIT(Method[Options]):
    """An encoder and a decoder per domain that share their innermost layers, and so their code.

    ``D = LSGAN over 3 scales``, then ``G = LSGAN + 10 |identity - x|_1 + 0.01 KL(code) +
    10 |restored - x|_1 + 0.01 KL(reencoded)`` (eqs. 2 to 8), summed over both directions; decoders
    read the code plus noise of unit variance.
    """

    Options = Options
    has_code = True
    needs_source = True
    provides = frozenset({"translated", "restored", "identity", "code", "reencoded"})
    presets = {  # noqa: RUF012
        "paper": Preset(
            signal=TensorSpec(shape=(3, 256, 256)),
            train=TrainConfig(
                batch=1,
                steps=1_000_000,
                load_size=256,
                resize="shorter",
                resample="bilinear",
                flip=True,
            ),
        ),
        "64px": Preset(
            options={"width": 32, "blocks": 3, "critic_width": 32, "critic_layers": 3, "lr": 2e-4},
            signal=TensorSpec(shape=(3, 64, 64)),
            train=TrainConfig(batch=4, steps=8000, load_size=72, flip=True, ema=0.999),
        ),
        "32px": Preset(
            options={
                "width": 16,
                "blocks": 2,
                "kernel": 3,
                "critic_width": 32,
                "critic_layers": 2,
                "critic_scales": 2,
                "lr": 3e-4,
            },
            signal=TensorSpec(shape=(3, 32, 32)),
            train=TrainConfig(batch=16, steps=4000, ema=0.995),
        ),
    }

    def build(self) -> Mapping[str, nn.Module]:
        """Encoders, decoders and discriminators named after their domain; shared innermost."""
        o, (channels, *sides) = self.options, self.signal.shape
        least = smallest_side(o.critic_layers, o.critic_scales)
        if min(sides) < least:
            raise UsageError(
                f"the discriminator needs pictures of at least {least} pixels",
                asked=f"critic_layers={o.critic_layers}, critic_scales={o.critic_scales} at "
                f"{sides[0]}x{sides[1]}",
                hint="Ask for fewer layers or scales, or larger pictures.",
            )
        if not 0 <= o.shared <= o.blocks:
            raise UsageError(
                f"an encoder has {o.blocks} residual blocks, so 0 to {o.blocks} can be shared",
                asked=f"shared={o.shared}",
            )
        inner, own = o.width << o.halvings, o.blocks - o.shared
        last, first = residual_blocks(inner, o.shared), residual_blocks(inner, o.shared)
        nets: dict[str, nn.Module] = {}
        for name in self.domains.names:
            nets[f"encoder_{name}"] = VariationalEncoder(last, channels, o.width, own, o.halvings)
            nets[f"decoder_{name}"] = SharedDecoder(
                first, channels, o.width, own, o.halvings, kernel=o.kernel
            )
            nets[f"discriminator_{name}"] = MultiScaleDiscriminator(
                channels, o.critic_width, o.critic_layers, o.critic_scales
            )
        return nets

    def plan(self, batch: Batch, rng: torch.Generator) -> Sequence[Route]:
        """Both directions."""
        return all_pairs(batch, self.domains)

    def encode(self, x: Tensor, source: Condition) -> Code:
        """The mean code (N, D, H / 4, W / 4) of ``x`` (N, C, H, W), by its own domain's encoder."""
        code: Code = self.nets[f"encoder_{source.one_domain}"](x, source)
        return code

    def sample(self, step: Step, code: Code) -> Code:
        """The code with noise of unit variance for the decoders (§3, VAE)."""
        noise = step.randn(*code.content.shape)  # (N, D, H / 4, W / 4)
        return replace(code, sample=code.content + noise)

    def decode(self, code: Code, target: Condition) -> Tensor:
        """(N, C, H, W) by the target domain's decoder."""
        x: Tensor = self.nets[f"decoder_{target.one_domain}"](code, target)  # (N, C, H, W)
        return x  # (N, C, H, W)

    def players(self) -> Sequence[Player]:
        """The discriminators move first, then the generators, on the same translations."""
        o, names = self.options, self.domains.names
        adam = Optimiser(o.lr, (0.5, 0.999), o.weight_decay, StepDecay(o.halve_every, early=1))
        generator = (
            Term("adversarial", AdversarialGenerator(objective=o.objective), o.adversarial),
            Term("reconstruction", Identity(), o.reconstruction),
            Term("kl", KullbackLeibler("code"), o.kl),
            Term("cycle", Cycle(), o.cycle),
            Term("kl_cycle", KullbackLeibler("reencoded"), o.kl_cycle),
        )
        critic = Term("critic", AdversarialCritic(objective=o.objective), o.adversarial)
        makers = tuple(f"{kind}_{name}" for name in names for kind in ("encoder", "decoder"))
        judges = tuple(f"discriminator_{name}" for name in names)
        return (
            Player("discriminator", judges, (critic,), adam),
            Player("generator", makers, generator, adam),
        )
