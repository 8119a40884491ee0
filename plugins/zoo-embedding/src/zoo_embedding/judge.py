"""Judges of what a net sees that has learnt ImageNet: few pictures and minutes make a good one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from zoo_core.errors import UsageError, unknown
from zoo_embedding.imagenet import imagenet
from zoo_nn.nets.augment import augment, degraded
from zoo_nn.nets.classifier import PictureArchitecture, fit
from zoo_nn.nets.judge_architecture import Changes, ClassifierOutput

FEATURES = 2448
"""Numbers per picture and size: three of each channel of the stem and of the seven stages."""
MOST_COPIES = 16
SIDES = range(32, 513)
MOST_SIZES = 4
ARGUMENTS = ("copies", "sizes")


class HeadNet(nn.Module):
    """A classifier of standardised features.

    Args:
        classes: Number of classes K.
        width: Number of hidden units W, which are the judge's features.
        inputs: Number of features I that it reads.
    """

    def __init__(self, classes: int, width: int, inputs: int = FEATURES) -> None:
        super().__init__()
        self.standardise = nn.BatchNorm1d(inputs, affine=False)
        self.drop_inputs = nn.Dropout(0.3)
        self.hidden = nn.Linear(inputs, width)
        self.drop = nn.Dropout(0.5)
        self.classifier = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> ClassifierOutput:
        """Judges features ``x`` (N, I)."""
        x = self.drop_inputs(self.standardise(x).clamp(-5, 5))  # (N, I)
        features = self.hidden(x).relu()  # (N, W)
        return ClassifierOutput(self.classifier(self.drop(features)), features)  # (N, K), (N, W)


class ImagenetArchitecture(PictureArchitecture):
    """``imagenet``: a small classifier of what EfficientNet-Lite0 sees at all its stages.

    The net is frozen, with ImageNet's weights, and no part of the judge's file. Of each channel of
    its stem and of each stage, mean, deviation and largest value over the picture are read: styles
    lie in early stages, things in late ones. Pictures are read once and kept. Unchanged, they teach
    a judge of domains fine traces, too, such as areas that are not quite flat, which a generator
    leaves as well. ``copies`` (``--set copies=2``) keeps so many changed copies of each beside it,
    mirrored, shifted, blurred and noisy at random: such traces alone decide less.

    ``sizes`` (``--set sizes=[128,192]``) scales each picture of the judge's size to several sides,
    and reads it at each: the net's filters then see outlines and areas at several scales.
    """

    size = 128
    widths = (256,)
    rate = 3e-3
    once = True

    @cached_property
    def body(self) -> Any:
        """The frozen net, timm's EfficientNet, in eval mode.

        Raises:
            WeightsError: If its weights are not at hand.
        """
        return imagenet().net.eval()

    def make_net(self) -> nn.Module:
        """A `HeadNet`."""
        width = (self.card.widths or self.widths)[-1]
        return HeadNet(len(self.card.classes), width, FEATURES * len(self.sizes))

    @property
    def sizes(self) -> Sequence[int]:
        """Sides in pixels at which each picture is read.

        Raises:
            UsageError: If there is no such argument, or it holds no such sides.
        """
        sizes = self._argument("sizes", None)
        if sizes is None:
            return [self.card.size]
        known = isinstance(sizes, (list, tuple)) and 1 <= len(sizes) <= MOST_SIZES
        if not known or any(type(side) is not int or side not in SIDES for side in sizes):
            raise UsageError(
                f"it must be a list of 1 to {MOST_SIZES} whole numbers from {SIDES[0]} to "
                f"{SIDES[-1]}",
                asked=f"sizes {sizes!r}",
                hint="Write sizes=[128,192], say.",
            )
        return sizes

    @property
    def copies(self) -> int:
        """Changed copies of each training picture.

        Raises:
            UsageError: If there is no such argument, or it is no such number.
        """
        copies = self._argument("copies", 0)
        if type(copies) is not int or not 0 <= copies <= MOST_COPIES:
            raise UsageError(
                f"it must be a whole number from 0 to {MOST_COPIES}", asked=f"copies {copies!r}"
            )
        return copies

    def _argument(self, name: str, default: Any) -> Any:
        for given in self.card.arguments:
            if given not in ARGUMENTS:
                raise unknown("argument of the architecture imagenet", given, ARGUMENTS)
        return self.card.arguments.get(name, default)

    def variants(self, signals: Tensor, changes: Changes, rng: torch.Generator) -> Iterator[Tensor]:
        """Pictures (N, 3, S, S) as they are, and as many changed copies as are asked for."""
        x = fit(signals, self.card.size)  # (N, 3, S, S)
        yield x
        for _ in range(self.copies):
            changed = augment(x, changes.task, rng)  # (N, 3, S, S)
            yield degraded(changed, rng) if changes.degraded else changed

    def augment(
        self, inputs: tuple[Tensor, ...], changes: Changes, rng: torch.Generator
    ) -> tuple[Tensor, ...]:
        """Features as they are."""
        return inputs

    def prepare(self, signals: Tensor) -> Tensor:
        """(N, I) of pictures (N, 1 or 3, H, W) in [-1, 1]: 2448 numbers for each size."""
        x = super().prepare(signals)  # (N, 3, S, S)
        return torch.cat([self._statistics(fit(x, side)) for side in self.sizes], 1)  # (N, I)

    def _statistics(self, x: Tensor) -> Tensor:
        """(N, 2448) of pictures ``x`` (N, 3, S, S)."""
        body = self.body.to(x.device)
        found: list[Tensor] = []
        hooks = [
            part.register_forward_hook(lambda _, __, output: found.append(output))
            for part in (body.bn1, *body.blocks)
        ]
        try:
            with torch.no_grad():
                body.forward_features(x.contiguous(memory_format=torch.channels_last))
        finally:
            for hook in hooks:
                hook.remove()
        parts = [
            statistic
            for output in found  # (N, C, h, w) each
            for statistic in (output.mean((2, 3)), output.std((2, 3)), output.amax((2, 3)))
        ]  # (N, C) each
        return torch.cat(parts, 1)  # (N, 2448)
