"""Voices through a common space: what is said in the code, who says it in the decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from zoo_core.errors import UsageError
from zoo_core.interfaces import Code
from zoo_core.losses.adversarial import AdversarialCritic, AdversarialGenerator
from zoo_core.losses.classification import DomainClassification
from zoo_core.losses.consistency import Identity
from zoo_core.losses.gradient import GradientPenalty
from zoo_core.losses.latent import CodeClassification, CodeConfusion
from zoo_core.method import Method, Optimiser, Player, Term
from zoo_core.plans import routes
from zoo_core.signals import Batch, Condition
from zoo_core.spec import Preset, TrainConfig
from zoo_core.step import Leg
from zoo_core.train.schedules import LinearDecay, Stage
from zoo_voice.method import speech
from zoo_voice.nets_latent import (
    STRIDE,
    ContentEncoder,
    SpeakerClassifier,
    VoiceDecoder,
    VoiceDiscriminator,
)


@dataclass(frozen=True)
class Options:
    """Options of latent-vc; the defaults are the published ones.

    Lengths of stages are steps of the loop. A run of another length than their sum keeps their
    proportions.

    Attributes:
        width: Channels of the code, and of the nets around it.
        bank: Channels of each of the seven kernel sizes that read the signal.
        hidden: Width of the encoder's recurrent layer; with 0 neither it nor the decoders have
            one, which makes a step several times faster on a CPU.
        dropout: Dropout of the encoder.
        decoders: ``one`` decoder that is told the voice, as published, or one for ``each``.
        critic_width: Channels of the discriminator's first layer.
        critic_layers: Stride-2 convolutions of the discriminator.
        second: Who meets the discriminator in the second stage: a ``residual`` that is added to
            the decoder's output, all else kept as it is, as published; the ``decoder``, with the
            encoder, while both go on as in the first stage; or ``none``.
        objective: Of the discriminator: ``wgan`` with a gradient penalty, as published, or
            ``lsgan`` with spectral normalisation.
        reconstruction: Weight of the reconstruction.
        latent: Weight of the speaker classifier's cross-entropy, which the encoder makes large.
        goal: What the encoder wants of the classifier: ``reversed`` as published, or ``uniform``.
        adversarial: Weight of the discriminator.
        classify: Weight of the discriminator's classification of voices, of both sides.
        penalty: Weight of the gradient penalty, with ``wgan``.
        n_critic: The nets that translate move in every so many-th step, classifier and
            discriminator in each.
        pretrain: Steps at the beginning in which encoder and decoders learn alone.
        warmup: Steps after these in which the classifier learns alone.
        joint: Steps of the first stage: both learn.
        ramp: Steps of the first stage in which ``latent`` rises from 0.
        finish: Steps of the second stage.
        lr: Learning rate of all players.
        constant: Part of the run at this rate, 0 to 1; then it decays linearly.
        clip: Largest gradient norm of each player.
    """

    width: int = 512
    bank: int = 128
    hidden: int = 128
    dropout: float = 0.5
    decoders: Literal["one", "each"] = "one"
    critic_width: int = 64
    critic_layers: int = 5
    second: Literal["residual", "decoder", "none"] = "residual"
    objective: Literal["wgan", "lsgan"] = "wgan"
    reconstruction: float = 1.0
    latent: float = 0.01
    goal: Literal["reversed", "uniform"] = "reversed"
    adversarial: float = 1.0
    classify: float = 1.0
    penalty: float = 10.0
    n_critic: int = 5
    pretrain: int = 40_000
    warmup: int = 20_000
    joint: int = 400_000
    ramp: int = 250_000
    finish: int = 250_000
    lr: float = 1e-4
    constant: float = 1.0
    clip: float = 5.0


class LatentVC(Method[Options]):
    """One encoder, a decoder of voices, and a classifier that shall not know whose a code is.

    After Chou et al. 2018, arXiv:1804.02812. First stage (§2.1): ``C = cross-entropy of the voice
    given the code``, and every fifth step ``AE = |reconstruction - x|_1 - alpha(t) * C``. Second
    stage (§2.2): ``D = WGAN-GP + classification of reals``, and every fifth step ``WGAN +
    classification`` of the decoder's output and the residual that is added to it.
    """

    Options = Options
    has_code = True
    provides = frozenset({"translated", "restored", "identity", "code", "recoded"})
    presets = {  # noqa: RUF012
        "paper": Preset(
            signal=replace(speech(36, 128), stride=STRIDE),
            train=TrainConfig(batch=16, steps=710_000, checkpoint_every=5000, sample_every=5000),
        ),
        "tiny": Preset(  # for the conformance kit: every kind of net, hardly any work
            options={
                "width": 4,
                "bank": 2,
                "hidden": 2,
                "critic_width": 4,
                "critic_layers": 2,
                "n_critic": 2,
                "pretrain": 0,
                "warmup": 0,
                "joint": 4,
                "ramp": 2,
                "finish": 996,
            },
            signal=replace(speech(8, 24), stride=STRIDE),
            train=TrainConfig(batch=2, steps=20),
        ),
        "small": Preset(
            options={
                "width": 64,
                "bank": 16,
                "hidden": 0,
                "dropout": 0.0,
                "decoders": "each",
                "critic_width": 16,
                "critic_layers": 3,
                "second": "decoder",
                "objective": "lsgan",
                "reconstruction": 4.0,
                "latent": 0.5,
                "goal": "uniform",
                "classify": 0.5,
                "n_critic": 1,
                "pretrain": 0,
                "warmup": 0,
                "joint": 50,
                "ramp": 100,
                "finish": 370,
                "lr": 1e-3,
                "constant": 0.5,
            },
            signal=replace(speech(24, 64), stride=STRIDE),
            train=TrainConfig(batch=8, steps=1000, checkpoint_every=250, sample_every=250),
        ),
    }

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

    def plan(self, batch: Batch, rng: torch.Generator) -> Sequence[Leg]:
        """A ring, turned at random: each voice is origin once and target once."""
        names = self.domains.names
        shift = int(torch.randint(1, len(names), (), generator=rng))
        turned = (*names[shift:], *names[:shift])
        return routes(batch, self.domains, zip(names, turned, strict=True))

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
        first, second, joint = self._stages()
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
            players.append(replace(residual, fresh=True))
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

    def _stages(self) -> tuple[Stage, Stage, Stage]:
        """When the classifier learns, when the discriminator does, and when the encoder does."""
        o = self.options
        begin = o.pretrain + o.warmup
        middle = begin + o.joint
        total = middle + (o.finish if o.second != "none" else 0)
        end = middle if o.second == "residual" else total
        return (
            Stage(1.0, ((o.pretrain, end),), total),
            Stage(1.0, ((middle, total),), total),
            Stage(1.0, ((0, o.pretrain), (begin, end)), total),
        )

    def _player(
        self, name: str, terms: Sequence[Term], nets: Sequence[str] = (), every: int = 1
    ) -> Player:
        o = self.options
        schedule = LinearDecay(round(1000 * o.constant), round(1000 * (1 - o.constant)))
        adam = Optimiser(o.lr, (0.5, 0.9), schedule=schedule)
        return Player(name, tuple(nets) or (name,), tuple(terms), adam, every=every, clip=o.clip)

    def _names(self, kind: str) -> tuple[str, ...]:
        """Names of the decoders, or of the residuals: one, or one of each voice."""
        if self.options.decoders == "one":
            return (kind,)
        return tuple(f"{kind}_{name}" for name in self.domains.names)
