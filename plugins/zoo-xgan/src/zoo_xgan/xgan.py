"""XGAN: a shared semantic code, both ways (Royer et al. 2017, arXiv:1711.05139)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zoo_core.contracts.interfaces import Code
from zoo_core.contracts.method import Method, Optimiser, Player, Term
from zoo_core.contracts.signals import Batch, Condition, TensorSpec
from zoo_core.contracts.spec import Preset, TrainConfig
from zoo_core.contracts.step import Route
from zoo_core.errors import UsageError
from zoo_nn.losses.adversarial import AdversarialCritic, AdversarialGenerator
from zoo_nn.losses.consistency import Identity, SemanticConsistency
from zoo_nn.losses.latent import DomainAdversarial
from zoo_nn.nets.backbone import Backbone
from zoo_nn.nets.backbones import open_backbone
from zoo_nn.plans import all_pairs
from zoo_xgan.blocks import Norm, Upsample
from zoo_xgan.losses import Teaching
from zoo_xgan.xgan_nets import DomainClassifier, PictureDiscriminator, SharedDecoder, SharedEncoder


@dataclass(frozen=True)
class Options:
    """Options of XGAN. The paper gives no weights: these are those of the public port, recalled.

    Attributes:
        code: Width of the code.
        width: Channels of the encoder's first layer, of each domain.
        decoder_width: Channels of the decoder ahead of its last doubling.
        own_encoder: The encoder's convolutions that are not shared.
        own_decoder: The decoder's doublings that are not shared.
        norm: Normalisation of encoder and decoder: ``group``, ``batch`` or ``none``. Shared layers
            see the domains in turn, whose statistics ``batch`` would mix.
        upsample: ``transpose`` as published, or ``nearest`` (no checkerboards).
        critic_width: Channels of the discriminators' first layer.
        objective: ``nonsaturating`` as published, ``lsgan``, ``wgan`` or ``hinge``.
        reconstruction: Weight of the reconstruction.
        picture_distance: Its distance: ``l2_norm`` as published, ``l1`` ...
        confusion: Weight of the domain-adversarial loss.
        semantic: Weight of the semantic consistency.
        code_distance: Its distance: ``l1_norm`` as published, ``l1`` ...
        detach: Whether the input's code is a fixed goal, as in the port; in the paper it is not.
        adversarial: Weight of the adversarial loss on translations.
        teacher: Backbone whose embedding the code of the first domain follows; None for none.
        teaching: Weight of that.
        lr: Learning rate.
        critic_lr: Learning rate of the discriminators; None: as ``lr``.
    """

    code: int = 1024
    width: int = 32
    decoder_width: int = 64
    own_encoder: int = 2
    own_decoder: int = 3
    norm: Norm = "group"
    upsample: Upsample = "transpose"
    critic_width: int = 16
    objective: str = "nonsaturating"
    reconstruction: float = 1.0
    picture_distance: str = "l2_norm"
    confusion: float = 1.0
    semantic: float = 0.5
    code_distance: str = "l1_norm"
    detach: bool = False
    adversarial: float = 0.7
    teacher: str | None = None
    teaching: float = 1.0
    lr: float = 1e-4
    critic_lr: float | None = 1e-3


class XGAN(Method[Options]):
    """Encoders that share their last layers, decoders that share their first ones.

    ``L_rec + w_d L_dann + w_s L_sem + w_g L_gan + w_t L_teach`` (§3.1), all in one player; the
    discriminators move after it.
    """

    Options = Options
    has_code = True
    needs_source = True
    provides = frozenset({"translated", "restored", "identity", "code", "reencoded"})
    presets = {  # noqa: RUF012
        "paper": Preset(
            signal=TensorSpec(shape=(3, 64, 64), flexible=0),
            train=TrainConfig(batch=32, epochs=700),
        ),
        "64px": Preset(
            options={
                "code": 256,
                "width": 16,
                "decoder_width": 16,
                "upsample": "nearest",
                "picture_distance": "l1",
                "reconstruction": 10.0,
                "code_distance": "l1",
                "semantic": 1.0,
                "confusion": 0.1,
                "adversarial": 1.0,
                "lr": 3e-4,
                "critic_lr": None,
            },
            signal=TensorSpec(shape=(3, 64, 64), flexible=0),
            train=TrainConfig(batch=16, steps=6000, flip=True, ema=0.999),
        ),
        "32px": Preset(
            options={
                "code": 128,
                "width": 24,
                "decoder_width": 20,
                "own_decoder": 2,
                "upsample": "nearest",
                "picture_distance": "l1",
                "reconstruction": 10.0,
                "code_distance": "l1",
                "semantic": 1.0,
                "confusion": 0.1,
                "adversarial": 1.0,
                "lr": 5e-4,
                "critic_lr": None,
            },
            signal=TensorSpec(shape=(3, 32, 32), flexible=0),
            train=TrainConfig(batch=32, steps=3000, ema=0.995),
        ),
    }

    def build(self) -> Mapping[str, nn.Module]:
        """One encoder and one decoder with parts per domain, discriminators, the classifier."""
        o, shape, names = self.options, self.signal.shape, self.domains.names
        nets: dict[str, nn.Module] = {
            "encoder": SharedEncoder(names, shape, o.width, o.code, own=o.own_encoder, norm=o.norm),
            "decoder": SharedDecoder(
                names,
                shape,
                o.decoder_width,
                o.code,
                own=o.own_decoder,
                norm=o.norm,
                upsample=o.upsample,
            ),
            "domain_classifier": DomainClassifier(o.code, len(names)),
        }
        for name in names:
            nets[f"discriminator_{name}"] = PictureDiscriminator(shape, o.critic_width)
        return nets

    def plan(self, batch: Batch, rng: torch.Generator) -> Sequence[Route]:
        """Both directions."""
        return all_pairs(batch, self.domains)

    def encode(self, x: Tensor, source: Condition) -> Code:
        """e(x), by the encoder of the input's own domain."""
        code: Code = self.nets["encoder"](x, source)
        return code

    def decode(self, code: Code, target: Condition) -> Tensor:
        """(N, C, H, W) d(code), by the decoder of the target domain."""
        y: Tensor = self.nets["decoder"](code, target)  # (N, C, H, W)
        return y  # (N, C, H, W)

    def players(self) -> Sequence[Player]:
        """Encoders, decoders and the classifier of domains together; then the discriminators."""
        o, names = self.options, self.domains.names
        makers = ("encoder", "decoder", "domain_classifier")
        terms = [
            Term("reconstruction", Identity(o.picture_distance), o.reconstruction),
            Term("confusion", DomainAdversarial("domain_classifier"), o.confusion),
            Term("semantic", SemanticConsistency(o.code_distance, detach=o.detach), o.semantic),
            Term("adversarial", AdversarialGenerator(objective=o.objective), o.adversarial),
        ]
        if o.teacher is not None:
            teaching = Teaching(self._teacher(o.teacher), names[0], o.code_distance)
            terms.append(Term("teaching", teaching, o.teaching))
        critic = (Term("critic", AdversarialCritic(objective=o.objective)),)
        judges = tuple(f"discriminator_{name}" for name in names)
        adam, judge = (Optimiser(lr, (0.5, 0.999)) for lr in (o.lr, o.critic_lr or o.lr))
        return (
            Player("generator", makers, tuple(terms), adam),
            Player("discriminator", judges, critic, judge),
        )

    def _teacher(self, name: str) -> Backbone:
        """The teacher; raises `UsageError` where its embedding is not as wide as the code."""
        found = open_backbone(name)
        if found.width != self.options.code:
            raise UsageError(
                f"its embedding has {found.width} features, the code {self.options.code}",
                asked=f"teacher={name}",
                hint=f"Add --set code={found.width}.",
            )
        return found
