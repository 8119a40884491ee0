"""StarGAN-VC: one generator for any number of voices (Kameoka et al. 2018, arXiv:1806.02169)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from zoo_core.contracts.method import Method, Optimiser, Player, Term, Weight
from zoo_core.contracts.signals import Batch, Condition
from zoo_core.contracts.step import Route
from zoo_core.errors import UsageError
from zoo_nn.losses.adversarial import AdversarialCritic, AdversarialGenerator
from zoo_nn.losses.classification import DomainClassification
from zoo_nn.losses.consistency import Cycle, Identity, Likeness
from zoo_nn.losses.gradient import GradientPenalty
from zoo_nn.plans import random_other_domain
from zoo_nn.schedules import LinearDecay, Until
from zoo_voice.nets_conditional import (
    ConditionalGenerator,
    ManyVoicesDiscriminator,
    ResidualGenerator,
    VoiceDiscriminator,
)
from zoo_voice.options_stargan import PRESETS, Options

CRITIC = "discriminator"


class StarGANVC(Method[Options]):
    """A generator that is told the voice, and a discriminator that also names it.

    ``D = adversarial + CE(voice of x) / K + 2 penalty``, then ``G = adversarial + CE(voice asked
    for) / K + |restored - x|_1 + |reconstructed - x|_1`` (eqs. 1 to 7), where translations and
    reconstructions are judged alike. Every signal of the mixed batch is translated into another
    voice, drawn at random.
    """

    Options = Options
    sampling = "mixed"
    presets = PRESETS

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

    def plan(self, batch: Batch, rng: torch.Generator) -> Sequence[Route]:
        """One route: every signal to a voice that is not its own."""
        return random_other_domain(batch, rng)

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
        schedule = LinearDecay.after(o.constant)
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
        if o.likeness:
            terms.append(Term("likeness", Likeness("l1"), o.likeness))
        return terms

    def _adversarial(self) -> tuple[str, float]:
        """The objective, and the weight of each of its terms: LSGAN's is halved, as in the code.

        Translations and reconstructions count half each where both are judged.
        """
        o = self.options
        half = 0.5 if o.objective == "lsgan" else 1.0
        name = "bce" if o.objective == "cgan" else o.objective
        return name, o.adversarial * half / (1 + o.both)
