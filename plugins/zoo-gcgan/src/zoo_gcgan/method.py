"""GcGAN: one-sided translation by geometry consistency (Fu et al. 2019, arXiv:1809.05852)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from zoo_core.contracts.method import Method, Optimiser, Player, Term
from zoo_core.contracts.signals import Batch, Condition, TensorSpec
from zoo_core.contracts.spec import Preset, TrainConfig
from zoo_core.contracts.step import Route
from zoo_core.errors import UsageError
from zoo_gcgan.losses import GEOMETRIES, GeometryConsistency, PairwiseDistance
from zoo_nn.losses.adversarial import AdversarialCritic, AdversarialGenerator
from zoo_nn.losses.consistency import Cycle, Identity
from zoo_nn.nets.init import init_xavier_normal
from zoo_nn.nets.patch import PatchDiscriminator, require_side
from zoo_nn.nets.resnet import ResnetGenerator
from zoo_nn.plans import pair_routes
from zoo_nn.schedules import LinearDecay


@dataclass(frozen=True)
class Options:
    """Options of GcGAN; the defaults are those of the official code.

    Attributes:
        geometry: Transforms that translation must commute with: ``rotation`` (a quarter turn
            clockwise), ``flip`` (upside down), or both (the paper's Mix-comb).
        consistency: Weight lambda of the geometry consistency, shared out evenly to the transforms.
        identity: Weight of the identity loss; 0 omits it. The transformed pictures share it evenly.
        cycle: Weight of a cycle consistency beside it (the paper's "+ Cycle": 10). Both
            directions are then trained; 0 translates the first domain to the second alone.
        distance: Weight of DistanceGAN's pairwise distances beside it; needs batches of 2 or more.
        width: Channels of the generator at full size.
        blocks: Residual blocks of the generator (9 at 256 pixels, 6 at 128).
        halvings: Stride-2 convolutions ahead of the residual blocks.
        upsample: ``transpose`` as published, or ``nearest`` (no checkerboards).
        critic_width: Channels of the discriminators' first layer.
        critic_layers: Stride-2 convolutions of the discriminators; 3 judge patches of 70 pixels.
        objective: ``lsgan`` as published, ``nonsaturating``, ``wgan`` or ``hinge``.
        pool: Earlier translations that each discriminator is shown in place of new ones.
        lr: Learning rate of both players.
        constant_epochs: Epochs at that rate; a run given in steps keeps the proportion.
        decay_epochs: Epochs of linear decay.
    """

    geometry: tuple[Literal["rotation", "flip"], ...] = ("rotation",)
    consistency: float = 20.0
    identity: float = 5.0
    cycle: float = 0.0
    distance: float = 0.0
    width: int = 64
    blocks: int = 9
    halvings: int = 2
    upsample: Literal["transpose", "nearest"] = "transpose"
    critic_width: int = 64
    critic_layers: int = 3
    objective: str = "lsgan"
    pool: int = 50
    lr: float = 2e-4
    constant_epochs: int = 100
    decay_epochs: int = 100


class GcGAN(Method[Options]):
    """One generator for pictures and for transformed pictures, a patch discriminator of each.

    With the transform f, x a picture of the source and y one of the target::

        G = LSGAN(G(x)) + LSGAN(G(f(x))) + 5 |G(y) - y|_1 + 5 |G(f(y)) - f(y)|_1
            + 20 (|G(x) - f^-1(G(f(x)))|_1 + |G(f(x)) - f(G(x))|_1)
        D = 0.5 (LSGAN(y) + LSGAN(pooled G(x))), and the same of f(y) and G(f(x))
    """

    Options = Options
    presets = {  # noqa: RUF012
        "paper": Preset(
            signal=TensorSpec(shape=(3, 256, 256)),
            train=TrainConfig(batch=8, epochs=200, load_size=288, resize="squash", flip=True),
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
    def directions(self) -> tuple[tuple[str, str], ...]:
        """(origin, target): the one way, or both where there is a cycle."""
        a, b = self.domains.names
        return ((a, b), (b, a)) if self.options.cycle else ((a, b),)

    @property
    def targets(self) -> tuple[str, ...]:
        """The second domain, or both where there is a cycle."""
        reached = {target for _, target in self.directions}
        return tuple(name for name in self.domains.names if name in reached)

    @property
    def provides(self) -> frozenset[str]:  # type: ignore[override]
        """Only with a cycle is there a way back."""
        answers = {"translated", "identity"}
        return frozenset(answers | {"restored"} if self.options.cycle else answers)

    def build(self) -> Mapping[str, nn.Module]:
        """A generator of each target; a discriminator of it, and one for each transform."""
        o, (channels, *sides) = self.options, self.signal.shape
        if not o.geometry or len(set(o.geometry)) < len(o.geometry):
            raise UsageError(
                "it takes one or more different transforms",
                asked=f"geometry={list(o.geometry)}",
                hint=f"Choose of {', '.join(GEOMETRIES)}.",
            )
        require_side(sides, o.critic_layers)
        nets: dict[str, nn.Module] = {}
        for name in self.targets:
            nets[f"generator_{name}"] = ResnetGenerator(
                channels, o.width, o.blocks, halvings=o.halvings, upsample=o.upsample
            )
        for name in self.targets:
            for critic in ("discriminator", *map(_critic, o.geometry)):
                nets[f"{critic}_{name}"] = PatchDiscriminator(
                    channels, o.critic_width, o.critic_layers
                )
        return {name: init_xavier_normal(net) for name, net in nets.items()}

    def plan(self, batch: Batch, rng: torch.Generator) -> Sequence[Route]:
        """Every direction as it is, and once more for each transform."""
        routes = pair_routes(batch, self.domains, self.directions)
        transformed = [
            Route(route.source, route.target, _transformed(route.name, name), GEOMETRIES[name])
            for name in self.options.geometry
            for route in routes
        ]
        return [*routes, *transformed]

    def translate(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, C, H, W) ``x`` as the generator of the target domain makes it."""
        name = target.one_domain
        self.require_target(name)
        y: Tensor = self.nets[f"generator_{name}"](x, target)  # (N, C, H, W)
        return y  # (N, C, H, W)

    def players(self) -> Sequence[Player]:
        """The generator moves first, then the discriminators, which see the same translations."""
        o = self.options
        adam = Optimiser(
            o.lr, (0.5, 0.999), schedule=LinearDecay(o.constant_epochs, o.decay_epochs, early=1)
        )
        critics = [name for name in self.nets if name not in self.inference_nets]
        return (
            Player("generator", self.inference_nets, tuple(self._generator_terms()), adam),
            Player("discriminator", tuple(critics), tuple(self._critic_terms()), adam),
        )

    def _generator_terms(self) -> list[Term]:
        o, share = self.options, 1 / len(self.options.geometry)
        plain = [f"{a}->{b}" for a, b in self.directions]
        terms = [Term("adversarial", AdversarialGenerator(objective=o.objective, routes=plain))]
        for name in o.geometry:
            routes = [_transformed(route, name) for route in plain]
            fool = AdversarialGenerator(f"{_critic(name)}_{{target}}", o.objective, routes=routes)
            same = GeometryConsistency(list(zip(plain, routes, strict=True)))
            terms += [
                Term(f"adversarial_{name}", fool, share),
                Term(f"consistency_{name}", same, o.consistency * share),
            ]
            if o.identity:
                terms.append(Term(f"identity_{name}", Identity(routes=routes), o.identity * share))
            if o.cycle:
                terms.append(Term(f"cycle_{name}", Cycle(routes=routes), o.cycle * share))
        if o.identity:
            terms.append(Term("identity", Identity(routes=plain), o.identity))
        if o.cycle:
            terms.append(Term("cycle", Cycle(routes=plain), o.cycle))
        if o.distance:
            terms.append(Term("distance", PairwiseDistance(routes=plain), o.distance))
        return terms

    def _critic_terms(self) -> list[Term]:
        o, terms = self.options, []
        for name in (None, *o.geometry):
            critic = "discriminator" if name is None else _critic(name)
            for a, b in self.directions:
                route = f"{a}->{b}" if name is None else _transformed(f"{a}->{b}", name)
                loss = AdversarialCritic(
                    f"{critic}_{b}", o.objective, scale=0.5, pool=o.pool, routes=[route]
                )
                terms.append(Term(f"{critic}_{b}", loss))
        return terms


def _transformed(route: str, geometry: str) -> str:
    """Name of the route of the transformed pictures."""
    return f"{route} {geometry}"


def _critic(geometry: str) -> str:
    """Kind of the discriminators of transformed pictures, which cannot be a domain's."""
    return f"{geometry}_discriminator"
