"""CycleGAN: unpaired translation by cycle consistency (Zhu et al. 2017, arXiv:1703.10593)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from zoo_core.contracts.method import Method, Optimiser, Player, Term
from zoo_core.contracts.signals import Batch, Condition, TensorSpec
from zoo_core.contracts.spec import Preset, TrainConfig
from zoo_core.contracts.step import Route
from zoo_core.errors import UsageError
from zoo_nn.losses.adversarial import AdversarialGenerator, critic_terms
from zoo_nn.losses.consistency import Cycle, Identity
from zoo_nn.nets.patch import PatchDiscriminator, require_side
from zoo_nn.nets.resnet import Downsample, ResnetGenerator, Upsample
from zoo_nn.plans import pair_routes
from zoo_nn.schedules import LinearDecay


@dataclass(frozen=True)
class Options:
    """Options of CycleGAN; the defaults are the published ones.

    Attributes:
        direction: ``both``; or ``forward``: only the first domain is translated, to the second.
            The way back then learns from the cycle alone, and the model does not answer for it.
        generators: The domains that have a generator, where one is missing: a published
            checkpoint often holds one direction. Such a model translates; a training that starts
            from it has both, the other one newly drawn.
        width: Channels of the generators at full size.
        blocks: Residual blocks of the generators (9 at 256 pixels, 6 at 128 in the paper).
        halvings: Stride-2 convolutions ahead of the residual blocks.
        upsample: ``transpose`` as published, ``nearest`` (no checkerboards), ``nearest-zero``
            (PyTorch-GAN, huggan) or ``blur`` (CUT).
        downsample: ``stride`` as published, or ``blur`` (CUT).
        critic_width: Channels of the discriminators' first layer.
        critic_layers: Stride-2 convolutions of the discriminators; 3 judge patches of 70 pixels.
        objective: ``lsgan`` as published, ``nonsaturating``, ``wgan`` or ``hinge``.
        cycle: Weight of the cycle consistency, lambda, of the first domain (lambda_A).
        cycle_back: The same of the second domain (lambda_B); None: as ``cycle``.
        identity: Weight of the identity loss **relative to cycle**: 0.5 means 5. 0 omits it.
        pool: Earlier translations that each discriminator is shown in place of new ones.
        lr: Learning rate of both players.
        constant_epochs: Epochs at that rate; a run given in steps keeps the proportion.
        decay_epochs: Epochs of linear decay.
    """

    direction: Literal["both", "forward"] = "both"
    generators: tuple[str, ...] | None = field(default=None, metadata={"inherited": False})
    width: int = 64
    blocks: int = 9
    halvings: int = 2
    upsample: Upsample = "transpose"
    downsample: Downsample = "stride"
    critic_width: int = 64
    critic_layers: int = 3
    objective: str = "lsgan"
    cycle: float = 10.0
    cycle_back: float | None = None
    identity: float = 0.5
    pool: int = 50
    lr: float = 2e-4
    constant_epochs: int = 100
    decay_epochs: int = 100


class CycleGAN(Method[Options]):
    """A generator into each domain, a patch discriminator of each, and the way there and back.

    ``G = sum over directions of LSGAN + 10 |restored - x|_1 + 5 |identity - y|_1`` (eq. 3, §5.2),
    then each ``D = 0.5 * (LSGAN(real) + LSGAN(pooled translation))``.
    """

    Options = Options
    presets = {  # noqa: RUF012
        "paper": Preset(
            signal=TensorSpec(shape=(3, 256, 256)),
            train=TrainConfig(batch=1, epochs=200, load_size=286, resize="squash", flip=True),
        ),
        "64px": Preset(
            options={"width": 32, "blocks": 6, "upsample": "nearest", "critic_layers": 2},
            signal=TensorSpec(shape=(3, 64, 64)),
            train=TrainConfig(batch=4, steps=6000, load_size=72, flip=True, ema=0.999),
        ),
        "32px": Preset(
            options={
                "width": 32,
                "blocks": 3,
                "halvings": 1,
                "upsample": "nearest",
                "critic_width": 48,
                "critic_layers": 2,
                "lr": 3e-4,
            },
            signal=TensorSpec(shape=(3, 32, 32), stride=2),
            train=TrainConfig(batch=8, steps=5500, ema=0.995),
        ),
    }

    @property
    def made(self) -> tuple[str, ...]:
        """The domains that have a generator, be it for the cycle alone."""
        held = self.options.generators
        return tuple(name for name in self.domains.names if held is None or name in held)

    @property
    def directions(self) -> tuple[tuple[str, str], ...]:
        """(origin, target) of every translation that is trained, or was."""
        a, b = self.domains.names
        pairs = ((a, b), (b, a)) if self.options.direction == "both" else ((a, b),)
        return tuple(pair for pair in pairs if pair[1] in self.made)

    @property
    def targets(self) -> tuple[str, ...]:
        """The domains whose generator was held against real pictures: both, or the second."""
        reached = {target for _, target in self.directions}
        return tuple(name for name in self.domains.names if name in reached)

    @property
    def inference_nets(self) -> tuple[str, ...]:
        """The generators of the targets; one that serves the cycle alone is of training only."""
        return tuple(f"generator_{name}" for name in self.targets)

    def build(self) -> Mapping[str, nn.Module]:
        """A generator named after the domain that it makes, a discriminator of each target."""
        o, (channels, *sides) = self.options, self.signal.shape
        for name in o.generators or ():
            self.domains.index(name)
        if not self.targets:
            raise UsageError(
                "there is no generator at all",
                asked="generators",
                hint=f"Name one of {', '.join(self.domains.names)}, or leave it out.",
            )
        require_side(sides, o.critic_layers)
        nets: dict[str, nn.Module] = {}
        for name in self.made:
            nets[f"generator_{name}"] = ResnetGenerator(
                channels,
                o.width,
                o.blocks,
                halvings=o.halvings,
                upsample=o.upsample,
                downsample=o.downsample,
            )
        for _, name in self.directions:
            nets[f"discriminator_{name}"] = PatchDiscriminator(
                channels, o.critic_width, o.critic_layers
            )
        return nets

    def plan(self, batch: Batch, rng: torch.Generator) -> Sequence[Route]:
        """Both directions, or the one."""
        return pair_routes(batch, self.domains, self.directions)

    def translate(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, C, H, W) ``x`` as the generator of the target domain makes it."""
        y: Tensor = self.nets[f"generator_{target.one_domain}"](x, target)  # (N, C, H, W)
        return y  # (N, C, H, W)

    def players(self) -> Sequence[Player]:
        """The generators move first, then the discriminators, which see the same translations."""
        o = self.options
        if len(self.made) < len(self.domains):
            raise UsageError(
                "the cycle needs a generator into each domain",
                asked=f"training with generators={', '.join(self.made)}",
                hint="Leave the option generators out; --pretrained takes those of a model.",
            )
        adam = Optimiser(
            o.lr, (0.5, 0.999), schedule=LinearDecay(o.constant_epochs, o.decay_epochs)
        )
        generator = [Term("adversarial", AdversarialGenerator(objective=o.objective))]
        weights = (o.cycle, o.cycle if o.cycle_back is None else o.cycle_back)
        for (a, b), weight in zip(self.directions, weights, strict=False):
            routes = [f"{a}->{b}"]
            generator.append(Term(f"cycle_{a}", Cycle(routes=routes), weight))
            if o.identity:
                # officially relative to the cycle weight of the domain that it starts from:
                # lambda_B * lambda_idt for the net that makes B and is fed a real B
                own = weights[self.domains.index(b)]
                generator.append(Term(f"identity_{b}", Identity(routes=routes), own * o.identity))
        critics = critic_terms(self.directions, o.objective, pool=o.pool)
        makers = tuple(f"generator_{name}" for name in self.domains.names)
        judges = tuple(f"discriminator_{name}" for _, name in self.directions)
        return (
            Player("generator", makers, tuple(generator), adam),
            Player("discriminator", judges, critics, adam),
        )
