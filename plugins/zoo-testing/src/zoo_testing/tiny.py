"""Two clean methods of a few hundred parameters: what every check passes.

They are the ground on which `zoo_testing.faulty` plants its faults, and short examples of a
direct method and of one that goes through a common space.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo_core.contracts.component import MethodSpec
from zoo_core.contracts.interfaces import (
    Code,
    Decoder,
    Discriminator,
    DiscriminatorOutput,
    Encoder,
    Generator,
)
from zoo_core.contracts.method import Loss, Method, Player, Term
from zoo_core.contracts.signals import MIXED, Batch, Condition, TensorSpec
from zoo_core.contracts.spec import Preset
from zoo_core.contracts.step import Route, Step

SPEC = MethodSpec(
    name="tiny",
    target="zoo_testing.tiny:TinyMethod",
    summary="A clean direct method for the tests of the kit",
    domains=(2, None),
    conditions=("domains", "attributes"),
    presets=("8px",),
)
CODE_SPEC = MethodSpec(
    name="tiny-code",
    target="zoo_testing.tiny:TinyCodeMethod",
    summary="A clean method with a common space for the tests of the kit",
    presets=("8px",),
)
PRESETS = {"8px": Preset(signal=TensorSpec(shape=(3, 8, 8), stride=2))}


class TinyGenerator(Generator):
    """A conditional generator of two convolutions."""

    def __init__(self, conditions: int, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(3 + conditions, width, 3, padding=1)
        self.last = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x: Tensor, condition: Condition) -> Tensor:
        """Translates ``x`` (N, 3, H, W), within [-1, 1]."""
        maps = condition.label[:, :, None, None].expand(-1, -1, *x.shape[2:])  # (N, K, H, W)
        y = functional.leaky_relu(self.first(torch.cat([x, maps], dim=1)), 0.2)  # (N, W, H, W)
        return torch.tanh(self.last(y))  # (N, 3, H, W)


class TinyCritic(Discriminator):
    """A patch critic with a head for conditions."""

    def __init__(self, conditions: int, width: int) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, width, 4, stride=2, padding=1)
        self.real = nn.Conv2d(width, 1, 1)
        self.label = nn.Conv2d(width, conditions, 1)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Judges ``x`` (N, 3, H, W)."""
        y = functional.leaky_relu(self.body(x), 0.2)  # (N, W, H/2, W/2)
        return DiscriminatorOutput((self.real(y),), self.label(y).mean((2, 3)))


class CriticLoss(Loss):
    """Least squares of real and translated, and the condition of the real."""

    requires = ("translated",)

    def forward(self, step: Step) -> Tensor:
        """Mean over the routes."""
        values = []
        for route in step.routes:
            real, made = (
                step.net("critic")(route.signal),
                step.net("critic")(route.translated.detach()),
            )
            wrong = functional.binary_cross_entropy_with_logits(
                real.class_logits.float(), route.source_condition.label
            )
            values.append(
                (real.scores[0].float() - 1).square().mean()
                + made.scores[0].float().square().mean()
                + wrong
            )
        return torch.stack(values).mean()


class FoolLoss(Loss):
    """The translation should look real and of the target condition.

    It divides by a running mean of itself, so that it has a state to save.
    """

    requires = ("translated",)

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.ones(()))
        self.mean: Tensor

    def forward(self, step: Step) -> Tensor:
        """Mean over the routes."""
        values = []
        for route in step.routes:
            verdict = step.net("critic")(route.translated)
            wrong = functional.binary_cross_entropy_with_logits(
                verdict.class_logits.float(), route.target.label
            )
            values.append((verdict.scores[0].float() - 1).square().mean() + wrong)
        value = torch.stack(values).mean()
        self.mean = 0.9 * self.mean + 0.1 * value.detach()
        return value / self.mean


class CycleLoss(Loss):
    """L1 between the input and its way there and back."""

    requires: Sequence[str] = ("restored",)

    def forward(self, step: Step) -> Tensor:
        """Mean over the routes."""
        gaps = [functional.l1_loss(route.restored.float(), route.signal) for route in step.routes]
        return torch.stack(gaps).mean()


class IdentityLoss(Loss):
    """L1 between a signal and its translation into its own domain."""

    requires = ("identity",)

    def forward(self, step: Step) -> Tensor:
        """Mean over the routes."""
        gaps = [
            functional.l1_loss(route.identity.float(), route.identity_input)
            for route in step.routes
        ]
        return torch.stack(gaps).mean()


@dataclass(frozen=True)
class TinyOptions:
    """Options of the tiny methods.

    Attributes:
        width: Channels of the hidden layers.
        cycle: Weight of the cycle loss.
    """

    width: int = 4
    cycle: float = 10.0


class TinyMethod(Method[TinyOptions]):
    """One conditional generator against one critic, all conditions mixed."""

    Options = TinyOptions
    presets: ClassVar[Mapping[str, Preset]] = PRESETS
    sampling: ClassVar[Literal["per-domain", "mixed"]] = "mixed"

    def build(self) -> Mapping[str, nn.Module]:
        """Generator and critic."""
        conditions, width = len(self.domains), self.options.width
        return {
            "generator": TinyGenerator(conditions, width),
            "critic": TinyCritic(conditions, width),
        }

    def players(self) -> Sequence[Player]:
        """The critic in every step, the generator in every second."""
        generator = (
            Term("fool", FoolLoss()),
            Term("cycle", CycleLoss(), self.options.cycle),
            Term("identity", IdentityLoss(), lambda progress: progress.fraction),
        )
        return (
            Player("critic", ("critic",), (Term("critic", CriticLoss()),)),
            Player("generator", ("generator",), generator, every=2),
        )

    def plan(self, batch: Batch, rng: torch.Generator) -> Sequence[Route]:
        """One route to a permutation of the batch's own conditions."""
        label = batch.conditions[MIXED].label  # (N, K)
        order = torch.randperm(len(label), generator=rng)  # (N,)
        return [Route(MIXED, Condition(label[order.to(label.device)]))]

    def translate(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, 3, H, W) the generator's output."""
        output: Tensor = self.nets["generator"](x, target)
        return output


class TinyEncoder(Encoder):
    """One convolution down."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, width, 4, stride=2, padding=1)

    def forward(self, x: Tensor, condition: Condition) -> Code:
        """Encodes ``x`` (N, 3, H, W)."""
        return Code(functional.leaky_relu(self.body(x), 0.2))  # (N, W, H/2, W/2)


class TinyDecoder(Decoder):
    """One convolution up."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.ConvTranspose2d(width, 3, 4, stride=2, padding=1)

    def forward(self, code: Code, condition: Condition) -> Tensor:
        """Decodes to (N, 3, H, W), within [-1, 1]."""
        return torch.tanh(self.body(code.decoder_input))  # (N, 3, H, W)


class ReencodedLoss(Loss):
    """The code of the translation should be the code of the input."""

    requires = ("code", "reencoded")

    def forward(self, step: Step) -> Tensor:
        """Mean over the routes."""
        gaps = [
            functional.l1_loss(route.reencoded.content.float(), route.code.content.detach().float())
            for route in step.routes
        ]
        return torch.stack(gaps).mean()


class TinyCodeMethod(Method[TinyOptions]):
    """An encoder and a decoder per domain, tied by their code."""

    Options = TinyOptions
    presets: ClassVar[Mapping[str, Preset]] = PRESETS
    has_code: ClassVar[bool] = True
    needs_source = True
    provides: ClassVar[frozenset[str]] = frozenset(
        {"translated", "restored", "identity", "code", "reencoded"}
    )

    def build(self) -> Mapping[str, nn.Module]:
        """An encoder and a decoder per domain."""
        nets: dict[str, nn.Module] = {}
        for name in self.domains.names:
            nets[f"encoder_{name}"] = TinyEncoder(self.options.width)
            nets[f"decoder_{name}"] = TinyDecoder(self.options.width)
        return nets

    def players(self) -> Sequence[Player]:
        """All nets move together."""
        terms = (Term("identity", IdentityLoss()), Term("reencoded", ReencodedLoss()))
        return (Player("generator", tuple(self.nets), terms),)

    def plan(self, batch: Batch, rng: torch.Generator) -> Sequence[Route]:
        """Both directions."""
        first, second = self.domains.names
        return [Route(first, batch.conditions[second]), Route(second, batch.conditions[first])]

    def encode(self, x: Tensor, source: Condition) -> Code:
        """The code of ``x`` (N, 3, H, W) by its own domain's encoder."""
        code: Code = self.nets[f"encoder_{source.domain}"](x, source)
        return code

    def decode(self, code: Code, target: Condition) -> Tensor:
        """(N, 3, H, W) by the target domain's decoder."""
        output: Tensor = self.nets[f"decoder_{target.domain}"](code, target)
        return output
