"""What StarGAN-VC can be told, and its presets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo_core.contracts.spec import Preset, TrainConfig
from zoo_voice.nets import speech


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
        likeness: Weight of the distance between translation and input, absent from the paper; it
            keeps what is said in its place.
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
    likeness: float = 0.0
    penalty: float = 2.0
    lr: float = 5e-4
    critic_lr: float = 5e-6
    momentum: float = 0.9
    constant: float = 1.0


PRESETS = {
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
            "identity": 5.0,
            "likeness": 5.0,
            "penalty": 0.0,
            "critic_lr": 5e-4,
            "momentum": 0.5,
            "constant": 0.6,
        },
        signal=speech(24, 64),
        train=TrainConfig(batch=8, steps=1300, ema=0.995, checkpoint_every=250, sample_every=650),
    ),
}
