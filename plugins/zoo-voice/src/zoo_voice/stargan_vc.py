"""StarGAN-VC: one generator for any number of voices (Kameoka et al. 2018, arXiv:1806.02169)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from zoo_core.errors import UsageError
from zoo_core.losses.adversarial import AdversarialCritic, AdversarialGenerator
from zoo_core.losses.classification import DomainClassification
from zoo_core.losses.consistency import Cycle, Identity
from zoo_core.losses.gradient import GradientPenalty
from zoo_core.method import Method, Optimiser, Player, Term, Weight
from zoo_core.signals import MIXED, Batch, Condition
from zoo_core.spec import Preset, TrainConfig
from zoo_core.step import Leg
from zoo_core.train.schedules import LinearDecay, Until
from zoo_voice.method import speech
from zoo_voice.nets_conditional import (
    ConditionalGenerator,
    ManyVoicesDiscriminator,
    ResidualGenerator,
    VoiceDiscriminator,
)

CRITIC = "discriminator"


@dataclass(frozen=True)
class Options:
    """Options of StarGAN-VC; the defaults are those of the authors' code.

    Attributes:
        generator: ``gated`` as published: gated layers to a narrow code and back; or ``residual``:
            blocks that add to what they see.
        width: Channels inside the generator.
        code: Channels of the narrowest layer of ``gated``.
        blocks: Blocks of ``residual``.
        embedding: Size of a voice's embedding.
        source: Whether the generator is told the input's voice, too.
        skip: How much of the input the generator adds to its output; 0 as published.
        critic: ``one`` as published: real or made, and whose voice, for every fourth frame; or
            ``each``: real or not as each of the voices, spectral normalisation.
        critic_width: Channels of the discriminator.
        dropout: Dropout of the discriminator ``one``.
        objective: ``wgan`` (the default of the code), ``lsgan`` or ``cgan`` (cross-entropy).
        both: Whether reconstructions are judged and classified, too, as published.
        adversarial: Weight of the adversarial loss, of both players.
        classify: Weight of the classification, of both players. Cross-entropies are divided by the
            number of voices, as in the code.
        cycle: Weight of the cycle consistency.
        identity: Weight of the reconstruction: the input translated into its own voice.
        identity_part: Part of the run after which that ends, 0 to 1; 1: never, as published.
        penalty: Weight of the gradient penalty. The code's is 1 for each of two voices, summed.
        lr: Learning rate of the generator.
        critic_lr: Learning rate of the discriminator.
        momentum: First moment decay of the generator's optimiser; the discriminator's is 0.5.
        constant: Part of the run at these rates, 0 to 1; then they decay linearly.
    """

    generator: Literal["gated", "residual"] = "gated"
    width: int = 64
    code: int = 16
    blocks: int = 6
    embedding: int = 16
    source: bool = False
    skip: float = 0.0
    critic: Literal["one", "each"] = "one"
    critic_width: int = 32
    dropout: float = 0.1
    objective: Literal["wgan", "lsgan", "cgan"] = "wgan"
    both: bool = True
    adversarial: float = 1.0
    classify: float = 1.0
    cycle: float = 1.0
    identity: float = 1.0
    identity_part: float = 1.0
    penalty: float = 2.0
    lr: float = 5e-4
    critic_lr: float = 5e-6
    momentum: float = 0.9
    constant: float = 1.0


class StarGANVC(Method[Options]):
    """A generator that is told the voice, and a discriminator that also names it.

    ``D = adversarial + CE(voice of x) / K + 2 penalty``, then ``G = adversarial + CE(voice asked
    for) / K + |restored - x|_1 + |reconstructed - x|_1`` (eqs. 1 to 7), where translations and
    reconstructions are judged alike. Every signal of the mixed batch is translated into another
    voice, drawn at random.
    """

    Options = Options
    sampling = "mixed"
    presets = {  # noqa: RUF012
        "paper": Preset(
            signal=speech(36, 128),
            train=TrainConfig(
                batch=24, epochs=6000, clip=1.0, checkpoint_every=5000, sample_every=5000
            ),
        ),
        "tiny": Preset(  # for the conformance kit: every kind of loss, hardly any work
            options={"width": 2, "code": 2, "embedding": 2, "critic_width": 2, "source": True},
            signal=speech(12, 16),
            train=TrainConfig(batch=4, steps=20),
        ),
        "small": Preset(
            options={
                "generator": "residual",
                "skip": 0.5,
                "critic": "each",
                "critic_width": 64,
                "objective": "lsgan",
                "both": False,
                "cycle": 8.0,
                "identity": 2.0,
                "identity_part": 0.3,
                "penalty": 0.0,
                "critic_lr": 5e-4,
                "momentum": 0.5,
                "constant": 0.6,
            },
            signal=speech(24, 64),
            train=TrainConfig(
                batch=8, steps=3500, ema=0.995, checkpoint_every=250, sample_every=500
            ),
        ),
    }

    def build(self) -> Mapping[str, nn.Module]:
        """One generator and one discriminator for all voices."""
        o, (order, frames), voices = self.options, self.signal.shape, len(self.domains)
        each = o.critic == "each"
        if frames < 16:
            raise UsageError(
                "the nets need at least 16 frames",
                asked=f"signal of shape {self.signal.shape}",
                hint="Ask for a longer signal.",
            )
        if each and o.penalty:
            raise UsageError(
                "a line between two voices has no voice, so that the penalty goes with "
                "critic=one alone",
                asked=f"penalty={o.penalty:g} with critic=each",
                hint="Set penalty=0.",
            )
        self.needs_source = o.source
        gated = o.generator == "gated"
        maker, inner = (ConditionalGenerator, o.code) if gated else (ResidualGenerator, o.blocks)
        return {
            "generator": maker(
                order, voices, o.width, inner, o.embedding, source=o.source, skip=o.skip
            ),
            CRITIC: ManyVoicesDiscriminator(order, voices, o.critic_width)
            if each
            else VoiceDiscriminator(order, voices, o.critic_width, o.dropout),
        }

    def plan(self, batch: Batch, rng: torch.Generator) -> Sequence[Leg]:
        """One leg: every signal to a voice that is not its own."""
        label = batch.conditions[MIXED].label  # (N, K)
        count, voices = label.shape
        further = torch.randint(1, voices, (count,), generator=rng).to(label.device)  # (N,)
        wanted = (label.argmax(1) + further) % voices  # (N,)
        return [Leg(MIXED, Condition(torch.eye(voices, device=label.device)[wanted]))]

    def translate(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, Q, T) ``x`` as the generator makes it for the target."""
        told = target  # (N, K)
        if self.options.source:
            told = Condition(torch.cat([target.label, source.label], dim=1))  # (N, 2K)
        y: Tensor = self.nets["generator"](x, told)  # (N, Q, T)
        return y  # (N, Q, T)

    def players(self) -> Sequence[Player]:
        """The discriminator moves first, then the generator on the same translations."""
        o = self.options
        schedule = LinearDecay(round(1000 * o.constant), round(1000 * (1 - o.constant)))
        return (
            Player(
                "discriminator",
                (CRITIC,),
                tuple(self._judging()),
                Optimiser(o.critic_lr, (0.5, 0.999), schedule=schedule),
            ),
            Player(
                "generator",
                ("generator",),
                tuple(self._making()),
                Optimiser(o.lr, (o.momentum, 0.999), schedule=schedule),
            ),
        )

    def _judging(self) -> list[Term]:
        o, heads = self.options, self.options.critic == "each"
        objective, weight = self._adversarial()
        terms = [
            Term("critic", AdversarialCritic(CRITIC, objective, heads=heads), weight),
            Term("classify_real", DomainClassification("real"), o.classify / len(self.domains)),
        ]
        if o.both:
            critic = AdversarialCritic(CRITIC, objective, made="identity", heads=heads)
            terms.insert(1, Term("critic_same", critic, weight))
        if o.penalty:
            terms.append(Term("penalty", GradientPenalty(CRITIC), o.penalty))
        return terms

    def _making(self) -> list[Term]:
        o, heads = self.options, self.options.critic == "each"
        objective, weight = self._adversarial()
        classify = o.classify / len(self.domains) / (1 + o.both)
        terms = [
            Term("adversarial", AdversarialGenerator(CRITIC, objective, heads=heads), weight),
            Term("classify", DomainClassification("translated"), classify),
            Term("cycle", Cycle(), o.cycle),
        ]
        if o.both:
            same = AdversarialGenerator(CRITIC, objective, made="identity", heads=heads)
            terms.append(Term("adversarial_same", same, weight))
            terms.append(Term("classify_same", DomainClassification("identity"), classify))
        if o.identity:
            ends: Weight = Until(o.identity, fraction=o.identity_part)
            terms.append(Term("identity", Identity(), o.identity if o.identity_part >= 1 else ends))
        return terms

    def _adversarial(self) -> tuple[str, float]:
        """The objective, and the weight of each of its terms: LSGAN's is halved, as in the code.

        Translations and reconstructions count half each where both are judged.
        """
        o = self.options
        half = 0.5 if o.objective == "lsgan" else 1.0
        name = "bce" if o.objective == "cgan" else o.objective
        return name, o.adversarial * half / (1 + o.both)
