"""Voices through a common space: what is said in the code, who says it in the decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from zoo_core.contracts.interfaces import Code
from zoo_core.contracts.method import Method, Optimiser, Player, Term
from zoo_core.contracts.signals import Batch, Condition
from zoo_core.contracts.step import Route
from zoo_core.errors import UsageError
from zoo_nn.losses.adversarial import AdversarialCritic, AdversarialGenerator
from zoo_nn.losses.classification import DomainClassification
from zoo_nn.losses.consistency import Identity
from zoo_nn.losses.gradient import GradientPenalty
from zoo_nn.losses.latent import CodeClassification, CodeConfusion
from zoo_nn.plans import ring
from zoo_nn.schedules import LinearDecay, Stage
from zoo_voice.nets_latent import (
    STRIDE,
    ContentEncoder,
    SpeakerClassifier,
    VoiceDecoder,
    VoiceDiscriminator,
)
from zoo_voice.options_latent import PRESETS, Options


class LatentVC(Method[Options]):
    """One encoder, a decoder of voices, and a classifier that shall not know whose a code is.

    After Chou et al. 2018, arXiv:1804.02812. First stage (§2.1): ``C = cross-entropy of the voice
    given the code``, and every fifth step ``AE = |reconstruction - x|_1 - alpha(t) * C``. Second
    stage (§2.2): ``D = WGAN-GP + classification of reals``, and every fifth step ``WGAN +
    classification`` of the decoder's output and the residual that is added to it.
    """

    Options = Options
    has_code = True
    provides = frozenset({"translated", "restored", "identity", "code", "reencoded"})
    presets = PRESETS

    def build(self) -> Mapping[str, nn.Module]:
        """Encoder, decoders, classifier of codes, discriminator and residuals, as asked for."""
        o, (rows, frames) = self.options, self.signal.shape
        count = len(self.domains)
        if frames < 3 * STRIDE or frames % STRIDE:
            raise UsageError(
                f"the nets need a multiple of {STRIDE} frames, {3 * STRIDE} or more",
                asked=f"signal of shape {self.signal.shape}",
                hint="Ask for a longer signal.",
            )
        voices = count if o.decoders == "one" else 0
        kinds = ("decoder", "residual") if o.second == "residual" else ("decoder",)
        nets: dict[str, nn.Module] = {
            "encoder": ContentEncoder(rows, o.width, o.bank, o.hidden, o.dropout)
        }
        for kind in kinds:
            for name in self._names(kind):
                nets[name] = VoiceDecoder(
                    rows,
                    o.width,
                    voices,
                    recurrent=o.hidden > 0,
                    silent=kind == "residual",
                )
        nets["classifier"] = SpeakerClassifier(o.width, count, frames // STRIDE)
        if o.second != "none":
            nets["discriminator"] = VoiceDiscriminator(
                (rows, frames),
                o.critic_width,
                count,
                o.critic_layers,
                spectral=o.objective == "lsgan",
            )
        return nets

    def plan(self, batch: Batch, rng: torch.Generator) -> Sequence[Route]:
        """A ring, turned at random: each voice is origin once and target once."""
        return ring(batch, self.domains, rng)

    def encode(self, x: Tensor, source: Condition) -> Code:
        """The code of ``x`` (N, Q, T), whosever voice it is."""
        code: Code = self.nets["encoder"](x, source)
        return code

    def decode(self, code: Code, target: Condition) -> Tensor:
        """(N, Q, T) a code in the target's voice, and what the residual adds to it."""
        o = self.options
        own = "" if o.decoders == "one" else f"_{target.one_domain}"
        y: Tensor = self.nets[f"decoder{own}"](code, target)  # (N, Q, T)
        if o.second == "residual":
            y = y + self.nets[f"residual{own}"](code, target)  # (N, Q, T)
        return y  # (N, Q, T)

    def players(self) -> Sequence[Player]:
        """Classifier and discriminator move first, then encoder and decoders, then the residual.

        The residual asks for a batch of its own, whose translations teach nobody else.
        """
        o = self.options
        first, second, joint = o.stages()
        coder = [
            Term("reconstruction", Identity(), replace(joint, weight=o.reconstruction)),
            Term(
                "confusion",
                CodeConfusion("classifier", o.goal),
                replace(joint, weight=o.latent, spans=joint.spans[1:], ramp=o.ramp),
            ),
        ]
        fool = (
            Term(
                "adversarial",
                AdversarialGenerator("discriminator", o.objective),
                replace(second, weight=o.adversarial),
            ),
            Term(
                "classify",
                DomainClassification("translated"),
                replace(second, weight=o.classify),
            ),
        )
        players = [
            self._player("classifier", [Term("classify", CodeClassification("classifier"), first)])
        ]
        if o.second != "none":
            players.append(self._player("discriminator", self._judging(second)))
        if o.second == "decoder":
            coder += fool
        coders = ("encoder", *self._names("decoder"))
        players.append(self._player("generator", coder, coders, every=o.n_critic))
        if o.second == "residual":
            residual = self._player("residual", fool, self._names("residual"), every=o.n_critic)
            players.append(replace(residual, own_batch=True))
        return players

    def _judging(self, second: Stage) -> list[Term]:
        """The discriminator's terms."""
        o = self.options
        terms = [
            Term("critic", AdversarialCritic("discriminator", o.objective), second),
            Term("classify", DomainClassification("real"), replace(second, weight=o.classify)),
        ]
        if o.objective == "wgan":
            terms.append(
                Term("penalty", GradientPenalty("discriminator"), replace(second, weight=o.penalty))
            )
        return terms

    def _player(
        self, name: str, terms: Sequence[Term], nets: Sequence[str] = (), every: int = 1
    ) -> Player:
        o = self.options
        adam = Optimiser(o.lr, (0.5, 0.9), schedule=LinearDecay.after(o.constant))
        return Player(name, tuple(nets) or (name,), tuple(terms), adam, every=every, clip=o.clip)

    def _names(self, kind: str) -> tuple[str, ...]:
        """Names of the decoders, or of the residuals: one, or one of each voice."""
        if self.options.decoders == "one":
            return (kind,)
        return tuple(f"{kind}_{name}" for name in self.domains.names)
