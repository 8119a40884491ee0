"""CoGAN: coupled generators with shared layers (Liu and Tuzel 2016, arXiv:1606.07536)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zoo_core.contracts.interfaces import Code
from zoo_core.contracts.method import Method, Optimiser, Player, Term
from zoo_core.contracts.signals import Batch, Condition, TensorSpec
from zoo_core.contracts.spec import Preset, TrainConfig
from zoo_core.contracts.step import Route, Step
from zoo_nn.losses.adversarial import AdversarialCritic, AdversarialGenerator
from zoo_nn.losses.classification import ClassLabels
from zoo_nn.losses.sampled import SampledCode, SampledFeatures
from zoo_unit.cogan_nets import (
    CodeEncoder,
    CoupledDiscriminator,
    LastLayer,
    SharedCritic,
    SharedLayers,
    checked_size,
    code_layers,
)
from zoo_unit.inversion import invert


@dataclass(frozen=True)
class Options:
    """Options of CoGAN; the defaults are those of the official code for MNIST and USPS.

    Attributes:
        latent: Width of the code.
        width: Channels of the generators' first layer, halved by each further one.
        doublings: Layers of stride 2 of the generators.
        critic_width: Channels of the discriminators' first stage, times 2.5 in each further one.
        critic_stages: Stages of the discriminators: 5x5, pooled by 2.
        critic_top: Features of the discriminators' last layer.
        features: Weight of the distance between the features of corresponding samples.
        classify: Weight of the classification of the first domain's reals, which needs classes.
        classes: Number of classes.
        fresh_noise: Whether the generators draw codes of their own, as published, or move on the
            samples that the discriminators have just seen, which saves making them twice.
        lr: Learning rate of all players.
        weight_decay: L2 penalty of all players' weights.
        encoder_width: Channels of the first layer of encoders that guess the code at which the
            inversion begins; 0 for none, as published: it begins at the prior's mean.
        steps: Steps of the inversion that translates.
        step_size: Its first rate, in units of the code.
        pull: Weight of the prior in it.
    """

    latent: int = 100
    width: int = 1024
    doublings: int = 3
    critic_width: int = 20
    critic_stages: int = 2
    critic_top: int = 500
    features: float = 0.01
    classify: float = 10.0
    classes: int = 10
    fresh_noise: bool = True
    lr: float = 2e-4
    weight_decay: float = 5e-4
    encoder_width: int = 0
    steps: int = 100
    step_size: float = 0.1
    pull: float = 0.01


class CoGAN(Method[Options]):
    """Generators that share all layers but the last, discriminators that share all but the first.

    ``D = CE(real) + CE(samples) + 0.01 ||f_a - f_b||^2 + 10 CE(class of a)``, then ``G =
    CE(samples as real)``, each mean over both domains (eqs. 2, 3); corresponding samples share
    their code. A translation finds the code of its input by gradient descent, and decodes it.
    """

    Options = Options
    has_code = True
    needs_source = True
    provides = frozenset({"sampled"})
    presets = {  # noqa: RUF012
        "paper": Preset(
            signal=TensorSpec(shape=(1, 28, 28), stride=1, flexible=0),
            train=TrainConfig(batch=64, steps=10_000),
        ),
        "64px": Preset(
            options={
                "width": 384,
                "doublings": 4,
                "critic_stages": 3,
                "classify": 0.0,
                "fresh_noise": False,
                "encoder_width": 24,
            },
            signal=TensorSpec(shape=(3, 64, 64), stride=1, flexible=0),
            train=TrainConfig(batch=32, steps=10_000),
        ),
        "32px": Preset(
            options={
                "latent": 64,
                "width": 192,
                "critic_top": 200,
                "classify": 0.0,
                "fresh_noise": False,
                "encoder_width": 24,
                "steps": 20,
                "step_size": 0.2,
            },
            signal=TensorSpec(shape=(3, 32, 32), stride=1, flexible=0),
            train=TrainConfig(batch=16, steps=4000),
        ),
        "tiny": Preset(
            options={
                "width": 16,
                "critic_width": 4,
                "classify": 0.0,
                "encoder_width": 4,
                "steps": 3,
            },
            signal=TensorSpec(shape=(3, 28, 28), stride=1, flexible=0),
        ),
    }

    @property
    def inference_nets(self) -> tuple[str, ...]:
        """The decoders with the layers that they share, and the encoders."""
        return ("shared", *super().inference_nets)

    def build(self) -> Mapping[str, nn.Module]:
        """Shared layers, then a last layer and a discriminator (and an encoder) per domain."""
        o, (channels, *sides) = self.options, self.signal.shape
        size = checked_size(sides, o.doublings, o.critic_stages)
        told = o.classes if o.classify else 0
        critic = SharedCritic(size, o.critic_width, o.critic_stages, o.critic_top, told)
        nets: dict[str, nn.Module] = {"shared": SharedLayers(size, o.latent, o.width, o.doublings)}
        for name in self.domains.names:
            nets[f"decoder_{name}"] = LastLayer(o.width >> o.doublings, channels)
            nets[f"discriminator_{name}"] = CoupledDiscriminator(critic, channels, o.critic_width)
        if o.encoder_width:
            layers = code_layers(size, o.latent, o.encoder_width, o.doublings)
            for name in self.domains.names:
                nets[f"encoder_{name}"] = CodeEncoder(layers, channels, o.encoder_width)
        return nets

    def plan(self, batch: Batch, rng: torch.Generator) -> Sequence[Route]:
        """Nothing is translated in training: it learns from samples."""
        return []

    def prior(self, step: Step, count: int) -> Code:
        """Codes (N, Z) from N(0, I), unfolded by the shared layers once for all domains."""
        z = step.randn(count, self.options.latent)  # (N, Z)
        return Code(z, features={"shared": self.nets["shared"](z)})

    def encode(self, x: Tensor, source: Condition) -> Code:
        """The code (N, Z) from which the source's decoder makes ``x`` (N, C, H, H), nearly."""
        o, start = self.options, x.new_zeros(len(x), self.options.latent)  # (N, Z)
        if o.encoder_width:
            start = self.nets[f"encoder_{source.one_domain}"](x, source).content  # (N, Z)

        def paint(z: Tensor) -> Tensor:
            return self.decode(Code(z), source)  # (N, C, H, H)

        return Code(invert(paint, x, start, steps=o.steps, lr=o.step_size, pull=o.pull))

    def decode(self, code: Code, target: Condition) -> Tensor:
        """(N, C, H, H) of the target domain, made from codes (N, Z)."""
        known = code.features.get("shared")  # (N, W, H - 3, H - 3)
        y = self.nets["shared"](code.content) if known is None else known
        x: Tensor = self.nets[f"decoder_{target.one_domain}"](Code(y), target)  # (N, C, H, H)
        return x  # (N, C, H, H)

    def players(self) -> Sequence[Player]:
        """The discriminators, the generators, and the encoders, where there are any."""
        o, names = self.options, self.domains.names
        mean = 1 / len(names)  # officially the domains are joined on the batch axis
        adam = Optimiser(o.lr, (0.5, 0.999), o.weight_decay)
        critics = [
            Term("critic", AdversarialCritic(objective="nonsaturating", made="sampled"), mean),
            Term("features", SampledFeatures(), o.features),
        ]
        if o.classify:
            labels = ClassLabels(names[0], f"discriminator_{names[0]}")
            critics.append(Term("classify", labels, o.classify))
        fool = AdversarialGenerator(objective="nonsaturating", made="sampled")
        made = (Term("adversarial", fool, mean),)
        judges, makers, guessers = (
            tuple(f"{kind}_{name}" for name in names)
            for kind in ("discriminator", "decoder", "encoder")
        )
        players = (
            Player("discriminator", judges, tuple(critics), adam),
            Player("generator", ("shared", *makers), made, adam, own_batch=o.fresh_noise),
        )
        guess = Player("encoder", guessers, (Term("code", SampledCode()),), adam)
        return (*players, guess) if o.encoder_width else players
