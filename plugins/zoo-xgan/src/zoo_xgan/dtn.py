"""DTN: translation through a frozen code (Taigman et al. 2016, arXiv:1611.02200)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from zoo_core.contracts.interfaces import Code
from zoo_core.contracts.method import Method, Optimiser, Player, Term
from zoo_core.contracts.signals import Batch, Condition, TensorSpec
from zoo_core.contracts.spec import Preset, TrainConfig
from zoo_core.contracts.step import Route
from zoo_core.errors import UsageError
from zoo_nn.losses.consistency import Identity, SemanticConsistency
from zoo_nn.losses.distances import distance_of
from zoo_nn.losses.regularisers import TotalVariation
from zoo_nn.nets.backbone import Backbone
from zoo_nn.nets.backbones import bare_backbone, open_backbone
from zoo_nn.plans import pair_routes
from zoo_xgan.blocks import Norm, Upsample
from zoo_xgan.losses import OriginCritic, OriginGenerator, over_places
from zoo_xgan.nets import BackboneEncoder, CodeDecoder, OriginDiscriminator


@dataclass(frozen=True)
class Options:
    """Options of DTN; the defaults are the published ones for digits.

    Attributes:
        f: The frozen code, by the name of a backbone: ``digits``, ``judge:DIR``, ``timm:NAME``.
            A trained model holds its weights, and records its form in place of the name.
        layer: The backbone's layer that is the code.
        tune: Whether f learns on, by the constancy of its own code; as published it is fixed.
        width: Channels of g ahead of its last doubling of the side.
        norm: Normalisation in g: ``batch`` as published, ``group`` or ``none``.
        upsample: ``transpose`` as published, or ``nearest`` (no checkerboards).
        critic: ``ternary`` as published: from the source, from the target, real; or ``binary``.
        critic_width: Channels of the discriminator's first layer.
        critic_norm: As ``norm``, of the discriminator.
        slope: Negative slope of the discriminator's ReLUs.
        constancy: Weight of the f-constancy, alpha.
        places: Whether it compares codes that are maps place by place; or their means over all
            places, so that a translation may move what it keeps. Vectors have one place.
        distance: Distance of codes and of pictures: ``l2``, ``l1`` or ``smooth_l1``.
        identity: Weight of the identity on the target domain (TID), beta.
        variation: Weight of the total variation, gamma; 0.05 for faces.
        lr: Learning rate.
        critic_lr: Learning rate of the discriminator; None: as ``lr``.
    """

    f: str | dict[str, Any] = "digits"
    layer: str = "embedding"
    tune: bool = False
    width: int = 128
    norm: Norm = "batch"
    upsample: Upsample = "transpose"
    critic: Literal["ternary", "binary"] = "ternary"
    critic_width: int = 128
    critic_norm: Norm = "batch"
    slope: float = 0.2
    constancy: float = 15.0
    places: bool = True
    distance: str = "l2"
    identity: float = 15.0
    variation: float = 0.0
    lr: float = 2e-4
    critic_lr: float | None = None


class DTN(Method[Options]):
    """``G = g(f(x))`` from the first domain to the second; f is fixed, g learns.

    The generator's side (eqs. 4 to 7): ``-log D3(G(x))`` on both domains ``+ a |f(x) - f(G(x))|^2``
    on the source ``+ b |x - G(x)|^2`` on the target ``+ c TV(G(x))``; the discriminator's (eq. 3):
    the cross-entropy of three origins. The discriminator moves first.
    """

    Options = Options
    has_code = True
    provides = frozenset({"translated", "identity", "code", "reencoded"})
    presets = {  # noqa: RUF012
        "paper": Preset(
            signal=TensorSpec(shape=(3, 32, 32), flexible=0),
            train=TrainConfig(batch=128, steps=20_000),
        ),
        "port": Preset(
            options={"tune": True, "critic": "binary", "slope": 0.0, "lr": 3e-4},
            signal=TensorSpec(shape=(3, 32, 32), flexible=0),
            train=TrainConfig(batch=100, steps=2000),
        ),
        "64px": Preset(
            options={
                "width": 32,
                "upsample": "nearest",
                "critic_width": 48,
                "constancy": 100.0,
                "identity": 1.0,
                "variation": 0.05,
            },
            signal=TensorSpec(shape=(3, 64, 64), flexible=0),
            train=TrainConfig(batch=16, steps=6000, flip=True, ema=0.999),
        ),
        "32px": Preset(
            options={
                "width": 32,
                "norm": "group",
                "upsample": "nearest",
                "critic_width": 32,
                "critic_norm": "none",
                "lr": 5e-4,
            },
            signal=TensorSpec(shape=(3, 32, 32), flexible=0),
            train=TrainConfig(batch=32, steps=3000, ema=0.995),
        ),
    }

    @property
    def targets(self) -> tuple[str, ...]:
        """The second domain: DTN translates one way."""
        return self.domains.names[1:]

    def build(self) -> Mapping[str, nn.Module]:
        """f, g and the discriminator."""
        o, shape = self.options, self.signal.shape
        backbone = open_backbone(o.f) if isinstance(o.f, str) else _without_weights(o.f)
        encoder = BackboneEncoder(backbone, o.layer, tuned=o.tune)
        decoder = CodeDecoder(
            encoder.code_shape(shape), shape, o.width, norm=o.norm, upsample=o.upsample
        )
        classes = 3 if o.critic == "ternary" else 2
        critic = OriginDiscriminator(
            shape, classes, o.critic_width, norm=o.critic_norm, slope=o.slope
        )
        return {"encoder": encoder, "decoder": decoder, "discriminator": critic}

    def export_options(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """The options with f's form in place of its name, which may be that of a folder here."""
        form = self.nets["encoder"].backbone.form
        return {**options, "f": dict(form)} if form else options

    def plan(self, batch: Batch, rng: torch.Generator) -> Sequence[Route]:
        """Source and target domain, both to the target."""
        if not isinstance(self.options.f, str):
            _require_weights(self.nets["encoder"])
        s, t = self.domains.names
        return pair_routes(batch, self.domains, ((s, t), (t, t)))

    def encode(self, x: Tensor, source: Condition) -> Code:
        """f(x): the same whatever the domain."""
        code: Code = self.nets["encoder"](x, source)
        return code

    def decode(self, code: Code, target: Condition) -> Tensor:
        """(N, C, H, W) g of a code, a picture of the target domain."""
        y: Tensor = self.nets["decoder"](code, target)  # (N, C, H, W)
        return y  # (N, C, H, W)

    def players(self) -> Sequence[Player]:
        """The discriminator, then g (and f, where it is tuned)."""
        o, (s, t) = self.options, self.domains.names
        there, same = f"{s}->{t}", f"{t}->{t}"
        origins = {there: 0, same: 1 if o.critic == "ternary" else 0}
        apart = distance_of(o.distance)
        kept = apart if o.places else over_places(apart)
        constancy = SemanticConsistency(kept, routes=[there])
        terms = [Term("adversarial", OriginGenerator())]
        if o.constancy:
            terms.append(Term("constancy", constancy, o.constancy))
        terms.append(Term("identity", Identity(o.distance, routes=[same]), o.identity))
        if o.variation:
            terms.append(Term("variation", TotalVariation(), o.variation))
        adam = Optimiser(o.lr, (0.5, 0.999))
        judge = Optimiser(o.critic_lr or o.lr, (0.5, 0.999))
        critic = (Term("critic", OriginCritic(t, origins)),)
        found = [
            Player("discriminator", ("discriminator",), critic, judge),
            Player("generator", ("decoder",), tuple(terms), adam),
        ]
        if o.tune:
            own = Term("constancy", SemanticConsistency(kept, routes=[there]))
            # a batch of its own: the generator's move used up the graph of the step's
            found.append(Player("encoder", ("encoder",), (own,), adam, every=15, own_batch=True))
        return found


def _without_weights(form: Mapping[str, Any]) -> Backbone:
    """The net of a form, whose weights are no numbers until those of a model are loaded."""
    backbone = bare_backbone(form)
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter.fill_(math.nan)
    return backbone


def _require_weights(encoder: nn.Module) -> None:
    """Refuses to train with f of a saved model whose weights were not loaded.

    Raises:
        UsageError: If they are still none.
    """
    if next(encoder.parameters()).isnan().any():
        raise UsageError(
            "f is the form of a net without its weights, and they must be trained ones",
            asked="training with f of a saved model",
            hint="Start from the model, --pretrained MODEL; or name a backbone: --set f=digits, "
            "--set f=judge:DIR, --set f=timm:NAME.",
        )
