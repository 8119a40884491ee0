"""What latent-vc can be told, when each of its nets learns, and its presets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from zoo_core.contracts.spec import Preset, TrainConfig
from zoo_nn.schedules import Stage
from zoo_voice.nets import speech
from zoo_voice.nets_latent import STRIDE


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

    def stages(self) -> tuple[Stage, Stage, Stage]:
        """When the classifier learns, when the discriminator does, and when the encoder does."""
        begin = self.pretrain + self.warmup
        middle = begin + self.joint
        total = middle + (self.finish if self.second != "none" else 0)
        end = middle if self.second == "residual" else total
        return (
            Stage(1.0, ((self.pretrain, end),), total),
            Stage(1.0, ((middle, total),), total),
            Stage(1.0, ((0, self.pretrain), (begin, end)), total),
        )


PRESETS = {
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
