"""Faults in nets, options and translations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from zoo_core.contracts.signals import Condition, TensorSpec
from zoo_core.contracts.spec import Preset
from zoo_testing.tiny import TinyMethod


class Unbounded(TinyMethod):
    """Its output is bounded by nothing."""

    def translate(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, 3, H, W) the inverse of tanh undoes the bound."""
        return torch.atanh(super().translate(x, source, target).clamp(-0.9999, 0.9999))


class NotFinite(TinyMethod):
    """Its output is NaN wherever it would be negative."""

    def translate(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, 3, H, W) a square root of negative numbers."""
        return super().translate(x, source, target).sqrt()


class WrongShape(TinyMethod):
    """Its output is half as large as its input."""

    def translate(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, 3, H/2, W/2) every second pixel."""
        return super().translate(x, source, target)[..., ::2, ::2]


class BatchStatistics(TinyMethod):
    """It normalises over the batch, in eval mode too."""

    def build(self) -> Mapping[str, nn.Module]:
        """The clean nets, with a batch norm that keeps no running statistics."""
        nets = super().build()
        norm = nn.BatchNorm2d(self.options.width, track_running_stats=False)
        nets["generator"].first = nn.Sequential(nets["generator"].get_submodule("first"), norm)
        return nets


class Deaf(TinyMethod):
    """It gives one picture per condition, whatever the input."""

    def translate(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, 3, H, W) the translation of nothing."""
        return super().translate(torch.zeros_like(x), source, target)


class Spoiler(TinyMethod):
    """It writes into its input."""

    def translate(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, 3, H, W) of the input, clamped in place."""
        with torch.no_grad():
            x.clamp_(-0.5, 0.5)
        return super().translate(x, source, target)


class FixedSize(TinyMethod):
    """It works at one size only and says it works at all."""

    def build(self) -> Mapping[str, nn.Module]:
        """The clean nets, and a bias per pixel."""
        nets = super().build()
        nets["generator"].register_parameter("place", nn.Parameter(torch.zeros(3, 8, 8)))
        return nets

    def translate(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, 3, 8, 8) with the bias on the input."""
        return super().translate(x + self.nets["generator"].get_parameter("place"), source, target)


class Fickle(TinyMethod):
    """It adds noise at inference."""

    def translate(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, 3, H, W) of the input with noise."""
        return super().translate(x + 1e-5 * torch.randn_like(x), source, target)


class Forgetful(TinyMethod):
    """A translation depends on a tensor that is neither parameter nor buffer."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.gain = torch.rand(())

    def translate(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, 3, H, W) of the input times the gain."""
        return super().translate(x * self.gain, source, target)


@dataclass
class ThawedOptions:
    """Options that may change."""

    width: int = 4
    cycle: float = 10.0


class Thawed(TinyMethod):
    """Its options are not frozen."""

    Options: ClassVar[type[Any]] = ThawedOptions


class WrongPreset(TinyMethod):
    """A preset sets an option that does not exist."""

    presets: ClassVar[Mapping[str, Preset]] = {
        "8px": Preset({"widht": 8}, signal=TensorSpec(shape=(3, 8, 8), stride=2))
    }


class Overflowing(TinyMethod):
    """It overflows the few digits of bfloat16: 1 + 1/1024 is 1 there."""

    def translate(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, 3, H, W) divided by what is 0 in bfloat16 alone."""
        output = super().translate(x, source, target)
        one = torch.ones((), dtype=output.dtype)
        return output * ((one + 2**-10 - one) / (one + 2**-10 - one))


class NoTranslator(TinyMethod):
    """None of its nets is a generator."""

    def build(self) -> Mapping[str, nn.Module]:
        """The clean generator inside of a plain module."""
        nets = super().build()
        return {**nets, "generator": Wrapped(nets["generator"])}


class Coy(TinyMethod):
    """The one domain that it can be asked for does not exist."""

    @property
    def targets(self) -> tuple[str, ...]:
        """No domain of the method."""
        return ("elsewhere",)


class Wrapped(nn.Module):
    """A net that hides its kind."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, condition: Condition) -> Tensor:
        """As the net within."""
        output: Tensor = self.net(x, condition)
        return output  # (N, *S)
