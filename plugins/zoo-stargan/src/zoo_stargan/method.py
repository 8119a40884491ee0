"""StarGAN: one generator for many domains (Choi et al. 2018, arXiv:1711.09020)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from zoo_core.contracts.method import Method, Optimiser, Player, Schedule, Term
from zoo_core.contracts.signals import MIXED, Batch, Condition, TensorSpec
from zoo_core.contracts.spec import Preset, TrainConfig
from zoo_core.errors import UsageError
from zoo_stargan.nets import ConditionalGenerator, DomainDiscriminator

if TYPE_CHECKING:
    from zoo_core.contracts.step import Route


@dataclass(frozen=True)
class Options:
    """Options of StarGAN; the defaults are the published ones.

    Attributes:
        width: Channels of the generator at full size.
        blocks: Residual blocks of the generator.
        upsample: ``transpose`` as published, or ``nearest`` (no checkerboards).
        skip: How much of the input the generator adds ahead of its final tanh; 0 as published.
        critic_width: Channels of the discriminator's first layer.
        critic_layers: Stride-2 convolutions of the discriminator.
        critic_heads: Whether each domain has a realness of its own, as in StarGAN v2
            (arXiv:1912.01865): a translation must look like the domain's own signals, and not
            like any real ones. Published is one for all.
        classify: Weight of the domain classification, of both players.
        cycle: Weight of the cycle consistency.
        identity: Weight of the identity loss, absent from the paper; it keeps colours in place.
        penalty: Weight of the gradient penalty.
        n_critic: The generator moves in every so many-th step, the discriminator in each.
        lr: Learning rate of both players.
        decay: ``published-code``: constant, but for the nearly invisible decay of the official
            code (1e-4 ends at 9.99e-5); ``linear``: to 0 over the second half, as the paper says.
    """

    width: int = 64
    blocks: int = 6
    upsample: Literal["transpose", "nearest"] = "transpose"
    skip: float = 0.0
    critic_width: int = 64
    critic_layers: int = 6
    critic_heads: bool = False
    classify: float = 1.0
    cycle: float = 10.0
    identity: float = 0.0
    penalty: float = 10.0
    n_critic: int = 5
    lr: float = 1e-4
    decay: Literal["published-code", "linear"] = "published-code"


class StarGAN(Method[Options]):
    """A conditional generator and a discriminator that also names the domain.

    Each step: ``D = WGAN-GP + classification of reals`` (eqs. 2, 5, 8); every ``n_critic``-th:
    ``G = WGAN + classification of translations + 10 |restored - x|_1`` (eqs. 3, 4, 6). Targets are
    the batch's own conditions, shuffled.
    """

    Options = Options
    sampling = "mixed"
    presets = {  # noqa: RUF012
        "paper": Preset(
            signal=TensorSpec(shape=(3, 128, 128)),
            train=TrainConfig(
                batch=16,
                steps=200_000,
                crop_first=178,
                resample="bilinear",
                scale="trained",
                flip=True,
            ),
        ),
        "64px": Preset(
            options={
                "width": 32,
                "blocks": 4,
                "upsample": "nearest",
                "skip": 0.5,
                "critic_width": 48,
                "critic_layers": 5,
                "classify": 2.0,
                "n_critic": 2,
                "lr": 3e-4,
                "decay": "linear",
            },
            signal=TensorSpec(shape=(3, 64, 64)),
            train=TrainConfig(batch=8, steps=4000, scale="trained", shift=3, ema=0.99),
        ),
        "32px": Preset(
            options={
                "width": 32,
                "blocks": 4,
                "upsample": "nearest",
                "critic_width": 32,
                "critic_layers": 4,
                "identity": 5.0,
                "n_critic": 2,
                "lr": 2e-4,
                "decay": "linear",
            },
            signal=TensorSpec(shape=(3, 32, 32)),
            train=TrainConfig(batch=16, steps=4000, scale="trained", ema=0.999),
        ),
    }

    def build(self) -> Mapping[str, nn.Module]:
        """One generator and one discriminator for all domains, with torch's own initialisation."""
        o, (channels, *sides) = self.options, self.signal.shape
        unit = 2**o.critic_layers
        if len(set(sides)) > 1 or sides[0] % unit:
            raise UsageError(
                f"the discriminator needs square pictures whose side is a multiple of {unit}",
                asked=f"critic_layers={o.critic_layers} at {sides[0]}x{sides[1]}",
                hint="Ask for fewer critic_layers or another size.",
            )
        count = len(self.domains)
        if o.critic_heads and self.domains.kind != "domains":
            raise UsageError(
                f"of {self.domains.kind} a signal may have several, and so no realness of its own",
                asked="critic_heads=true",
                hint="Leave it out.",
            )
        return {
            "generator": ConditionalGenerator(
                channels, count, o.width, o.blocks, upsample=o.upsample, skip=o.skip
            ),
            "discriminator": DomainDiscriminator(
                channels,
                count,
                sides[0],
                o.critic_width,
                o.critic_layers,
                heads=count if o.critic_heads else 1,
            ),
        }

    def plan(self, batch: Batch, rng: torch.Generator) -> Sequence[Route]:
        """One route: everything, each to the condition of another signal of the batch."""
        from zoo_core.contracts.step import Route  # as in `players`

        label = batch.conditions[MIXED].label  # (N, K)
        order = torch.randperm(len(label), generator=rng)  # (N,)
        return [Route(MIXED, Condition(label[order.to(label.device)]))]

    def translate(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, C, H, W) ``x`` as the generator makes it for the target."""
        y: Tensor = self.nets["generator"](x, target)  # (N, C, H, W)
        return y  # (N, C, H, W)

    def players(self) -> Sequence[Player]:
        """The discriminator moves in each step, the generator after it in every n_critic-th."""
        # Imported here, since who only translates needs none of it.
        from zoo_nn.losses.adversarial import AdversarialCritic, AdversarialGenerator
        from zoo_nn.losses.classification import DomainClassification
        from zoo_nn.losses.consistency import Cycle, Identity
        from zoo_nn.losses.gradient import GradientPenalty
        from zoo_nn.schedules import LinearDecay, StepwiseLinearDecay

        o = self.options
        schedule: Schedule = LinearDecay(100, 100) if o.decay == "linear" else StepwiseLinearDecay()
        adam = Optimiser(o.lr, (0.5, 0.999), schedule=schedule)
        critic = (
            Term("critic", AdversarialCritic("discriminator", "wgan", heads=o.critic_heads)),
            Term("classify_real", DomainClassification("real"), weight=o.classify),
            Term("penalty", GradientPenalty("discriminator", heads=o.critic_heads), o.penalty),
        )
        generator = [
            Term(
                "adversarial",
                AdversarialGenerator("discriminator", "wgan", heads=o.critic_heads),
            ),
            Term("classify", DomainClassification("translated"), weight=o.classify),
            Term("cycle", Cycle(), weight=o.cycle),
        ]
        if o.identity:
            generator.append(Term("identity", Identity(), weight=o.identity))
        return (
            Player("discriminator", ("discriminator",), critic, adam),
            Player("generator", ("generator",), tuple(generator), adam, every=o.n_critic),
        )
