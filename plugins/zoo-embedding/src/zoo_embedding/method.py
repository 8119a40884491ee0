"""Direct translation tied by a frozen pretrained embedding: GAN + w * d(phi(x), phi(G(x)))."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from zoo_core.contracts.interfaces import Generator
from zoo_core.contracts.method import Method, Optimiser, Player, Term
from zoo_core.contracts.signals import Batch, Condition, TensorSpec
from zoo_core.contracts.spec import Preset, TrainConfig
from zoo_core.contracts.step import Route
from zoo_core.errors import DataError
from zoo_embedding.noise import NoisyGenerator
from zoo_embedding.recording import without_folders
from zoo_nn.losses.adversarial import AdversarialGenerator, critic_terms
from zoo_nn.losses.embedding import EmbeddingDistance
from zoo_nn.nets.patch import PatchDiscriminator, require_side
from zoo_nn.nets.resnet import ResnetGenerator
from zoo_nn.plans import all_pairs
from zoo_nn.schedules import LinearDecay


@dataclass(frozen=True)
class Options:
    """Options; nets and schedule are CycleGAN's by default.

    Attributes:
        embedding: Weight w of the embedding's distance.
        backbone: The frozen net phi: ``imagenet`` (weights of the extra ``imagenet``, else from the
            Hub), ``digits`` (comes with zoo), ``timm:NAME`` (weights from timm's Hub repository),
            ``timm:NAME@FILE``, or ``judge:DIR``.
        layers: Layers of phi that are compared; ``embedding`` is what its classifier reads. None:
            the last two stages of ``imagenet`` and ``timm:NAME``, else ``embedding``.
        distance: ``cosine``, ``l2`` or ``l1``.
        backbone_size: Side in pixels to which phi's input is resized; None: phi's own, if any.
        direction: ``both``; or ``forward``: only the first domain is translated, to the second.
        width: Channels of the generators at full size.
        blocks: Residual blocks of the generators.
        halvings: Stride-2 convolutions ahead of the residual blocks.
        upsample: ``transpose``, or ``nearest`` (no checkerboards).
        noise: Numbers, of noise that is computed of the picture, by which a generator chooses what
            the picture leaves open, such as a background; 0: none.
        critic_width: Channels of the discriminators' first layer.
        critic_layers: Stride-2 convolutions of the discriminators; 3 judge patches of 70 pixels.
        objective: ``lsgan``, ``nonsaturating``, ``wgan`` or ``hinge``.
        pool: Earlier translations that each discriminator is shown in place of new ones.
        lr: Learning rate of both players.
        constant_epochs: Epochs at that rate; a run given in steps keeps the proportion.
        decay_epochs: Epochs of linear decay.
    """

    embedding: float = 10.0
    backbone: str = "imagenet"
    layers: tuple[str, ...] | None = None
    distance: str = "cosine"
    backbone_size: int | None = None
    direction: Literal["both", "forward"] = "both"
    width: int = 64
    blocks: int = 9
    halvings: int = 2
    upsample: Literal["transpose", "nearest"] = "transpose"
    noise: int = 0
    critic_width: int = 64
    critic_layers: int = 3
    objective: str = "lsgan"
    pool: int = 50
    lr: float = 2e-4
    constant_epochs: int = 100
    decay_epochs: int = 100


class Embedding(Method[Options]):
    """A generator into each target, a patch discriminator of each, and phi, which never moves.

    ``G = sum over directions of LSGAN + w d(phi(x), phi(G(x)))``, then each
    ``D = 0.5 * (LSGAN(real) + LSGAN(pooled translation))``.
    """

    Options = Options
    presets = {  # noqa: RUF012
        "256px": Preset(
            signal=TensorSpec(shape=(3, 256, 256)),
            train=TrainConfig(batch=1, epochs=200, load_size=286, flip=True),
        ),
        "64px": Preset(
            options={"width": 32, "blocks": 6, "upsample": "nearest", "critic_layers": 2},
            signal=TensorSpec(shape=(3, 64, 64)),
            train=TrainConfig(batch=4, steps=6000, load_size=72, flip=True, ema=0.999),
        ),
        "32px": Preset(
            options={
                "backbone": "digits",
                "layers": ("embedding",),
                "width": 32,
                "blocks": 4,
                "halvings": 1,
                "upsample": "nearest",
                "critic_width": 48,
                "critic_layers": 2,
            },
            signal=TensorSpec(shape=(3, 32, 32), stride=2),
            train=TrainConfig(batch=16, steps=4000, ema=0.995),
        ),
    }

    @property
    def targets(self) -> tuple[str, ...]:
        """Both domains, or the second one."""
        names = self.domains.names
        return names if self.options.direction == "both" else names[1:]

    def build(self) -> Mapping[str, nn.Module]:
        """A generator named after the domain that it makes, a discriminator of each target."""
        o, (channels, *sides) = self.options, self.signal.shape
        require_side(sides, o.critic_layers)
        nets: dict[str, nn.Module] = {}
        for name in self.targets:
            generator: Generator = ResnetGenerator(
                channels,
                o.width,
                o.blocks,
                halvings=o.halvings,
                upsample=o.upsample,
                inputs=channels + bool(o.noise),
            )
            if o.noise:
                generator = NoisyGenerator(generator, self.signal.shape, o.noise)
            nets[f"generator_{name}"] = generator
        for name in self.targets:
            nets[f"discriminator_{name}"] = PatchDiscriminator(
                channels, o.critic_width, o.critic_layers
            )
        return nets

    def export_options(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """The options with the name of phi's file or folder alone: only a training opens it."""
        return {**options, "backbone": without_folders(options["backbone"])}

    def plan(self, batch: Batch, rng: torch.Generator) -> Sequence[Route]:
        """Both directions, or the one."""
        return [
            route for route in all_pairs(batch, self.domains) if route.target.domain in self.targets
        ]

    def translate(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, C, H, W) ``x`` as the generator of the target domain makes it."""
        name = target.one_domain
        self.require_target(name)
        y: Tensor = self.nets[f"generator_{name}"](x, target)  # (N, C, H, W)
        return y  # (N, C, H, W)

    def players(self) -> Sequence[Player]:
        """The generators move first, then the discriminators, which see the same translations."""
        o, names = self.options, self.targets
        adam = Optimiser(
            o.lr, (0.5, 0.999), schedule=LinearDecay(o.constant_epochs, o.decay_epochs)
        )
        distance = self._distance()
        ways = [way for way in itertools.permutations(self.domains.names, 2) if way[1] in names]
        critics = critic_terms(ways, o.objective, pool=o.pool)
        generator = (
            Term("adversarial", AdversarialGenerator(objective=o.objective)),
            Term("embedding", distance, o.embedding),
        )
        return (
            Player("generator", tuple(f"generator_{n}" for n in names), generator, adam),
            Player("discriminator", tuple(f"discriminator_{n}" for n in names), critics, adam),
        )

    def _distance(self) -> EmbeddingDistance:
        o = self.options
        try:
            return EmbeddingDistance(o.backbone, o.layers, o.distance, size=o.backbone_size)
        except DataError as error:
            if not o.backbone.startswith("judge:"):
                raise
            raise DataError(
                error.problem,
                asked=error.asked,
                hint=f"{error.hint or ''} A model names its judge without the folder: say where "
                "it is, --set backbone=judge:DIR, or take another backbone (--set "
                "backbone=digits).".strip(),
            ) from error
