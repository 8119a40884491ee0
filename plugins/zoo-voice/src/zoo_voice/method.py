"""CycleGAN-VC2: one voice becomes another (Kaneko et al. 2019, arXiv:1904.04631)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zoo_core.contracts.method import Method, Optimiser, Player, Term, Weight
from zoo_core.contracts.signals import Batch, Condition
from zoo_core.contracts.spec import Preset, TrainConfig
from zoo_core.contracts.step import Route
from zoo_core.errors import UsageError
from zoo_nn.losses.adversarial import AdversarialCritic, AdversarialGenerator
from zoo_nn.losses.consistency import Cycle, Identity
from zoo_nn.plans import all_pairs
from zoo_nn.schedules import LinearDecay, Until
from zoo_voice.nets import Generator212, Normalise, SpeechPatchDiscriminator, speech


@dataclass(frozen=True)
class Options:
    """Options of CycleGAN-VC2; the defaults are the published ones.

    Attributes:
        width: Channels of the generators at full size.
        blocks: Residual blocks of the generators.
        skip: How much of the input the generators add to their output; 0 as published.
        kernel: Coefficients and frames that their first and last convolutions see; odd.
        side: Side of the convolutions by which they halve and double; odd.
        critic_width: Channels of the discriminators' first layer.
        normalise: Normalisation of the discriminators: ``instance`` as published, or ``spectral``.
        slope: Slope of their leaky rectifiers; None for Swish, as published.
        second: Whether discriminators of their own also judge what was translated there and back
            (the two-step adversarial loss).
        cycle: Weight of the cycle consistency.
        identity: Weight of the identity loss, as long as it lasts; 0 omits it.
        identity_steps: Steps after which it ends, so that timbre may move away from the input's.
        identity_part: Part of the run after which it ends, 0 to 1; used where ``identity_steps``
            is None.
        lr: Learning rate of the generators.
        critic_lr: Learning rate of the discriminators.
        constant: Part of the run at these rates, 0 to 1; then they decay linearly.
    """

    width: int = 128
    blocks: int = 6
    skip: float = 0.0
    kernel: tuple[int, int] = (5, 15)
    side: int = 5
    critic_width: int = 128
    normalise: Normalise = "instance"
    slope: float | None = None
    second: bool = True
    cycle: float = 10.0
    identity: float = 5.0
    identity_steps: int | None = 10_000
    identity_part: float = 0.15
    lr: float = 2e-4
    critic_lr: float = 1e-4
    constant: float = 0.5


class CycleGANVC(Method[Options]):
    """A generator into each voice, two discriminators of each, and the way there and back.

    ``G = sum over directions of LSGAN + LSGAN2(restored) + 10 |restored - x|_1
    + 5 |identity - y|_1`` (eqs. 1 to 4), the last for the first 10,000 steps; each
    ``D = 0.5 * (LSGAN(real) + LSGAN(made))``, of translations or of what was restored.
    """

    Options = Options
    presets = {  # noqa: RUF012
        "paper": Preset(
            signal=speech(36, 128),
            train=TrainConfig(batch=1, steps=400_000, checkpoint_every=5000, sample_every=5000),
        ),
        "tiny": Preset(  # for the conformance kit: every kind of net, hardly any work
            options={"width": 2, "blocks": 1, "critic_width": 2, "identity_steps": 4},
            signal=speech(12, 16),
            train=TrainConfig(batch=2, steps=20),
        ),
        "small": Preset(
            options={
                "width": 16,
                "skip": 0.5,
                "kernel": (3, 7),
                "side": 3,
                "critic_width": 16,
                "normalise": "spectral",
                "slope": 0.2,
                "second": False,
                "cycle": 3.0,
                "identity": 2.0,
                "identity_steps": None,
                "lr": 1e-3,
                "critic_lr": 3e-3,
                "constant": 0.6,
            },
            signal=speech(24, 64),
            train=TrainConfig(batch=4, steps=900, ema=0.98, checkpoint_every=300, sample_every=300),
        ),
    }

    def build(self) -> Mapping[str, nn.Module]:
        """A generator into each voice, and a discriminator of each, or two."""
        o, (order, frames) = self.options, self.signal.shape
        if order < 9 or frames < 16:
            raise UsageError(
                "the nets need at least 9 coefficients and 16 frames",
                asked=f"signal of shape {self.signal.shape}",
                hint="Ask for a longer signal.",
            )
        if not all(size % 2 for size in (*o.kernel, o.side)):
            raise UsageError(
                "kernels of even size have no middle",
                asked=f"kernel {o.kernel}, side {o.side}",
                hint="Choose odd numbers.",
            )
        nets: dict[str, nn.Module] = {}
        for name in self.domains.names:
            nets[f"generator_{name}"] = Generator212(
                order, o.width, o.blocks, skip=o.skip, kernel=o.kernel, side=o.side
            )
        kinds = ("discriminator", "second")[: 1 + o.second]
        for kind in kinds:
            for name in self.domains.names:
                nets[f"{kind}_{name}"] = SpeechPatchDiscriminator(
                    o.critic_width, o.normalise, slope=o.slope
                )
        return nets

    def plan(self, batch: Batch, rng: torch.Generator) -> Sequence[Route]:
        """Both directions."""
        return all_pairs(batch, self.domains)

    def translate(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, Q, T) ``x`` as the generator of the target voice makes it."""
        y: Tensor = self.nets[f"generator_{target.one_domain}"](x, target)  # (N, Q, T)
        return y  # (N, Q, T)

    def players(self) -> Sequence[Player]:
        """The generators move first, then the discriminators on the same translations."""
        o = self.options
        generator = [Term("adversarial", AdversarialGenerator())]
        critics = [Term("critic", AdversarialCritic(scale=0.5))]
        if o.second:
            generator.append(
                Term("second", AdversarialGenerator("second_{source}", made="restored"))
            )
            critics.append(
                Term("second", AdversarialCritic("second_{source}", scale=0.5, made="restored"))
            )
        generator.append(Term("cycle", Cycle(), o.cycle))
        if o.identity:
            generator.append(Term("identity", Identity(), self._ending(o.identity)))
        schedule = LinearDecay.after(o.constant)
        makers = tuple(name for name in self.nets if name.startswith("generator_"))
        judges = tuple(name for name in self.nets if name not in makers)
        return (
            Player("generator", makers, tuple(generator), Optimiser(o.lr, schedule=schedule)),
            Player(
                "discriminator", judges, tuple(critics), Optimiser(o.critic_lr, schedule=schedule)
            ),
        )

    def _ending(self, weight: float) -> Weight:
        o = self.options
        if o.identity_steps is not None:
            return Until(weight, step=o.identity_steps)
        return Until(weight, fraction=o.identity_part)
