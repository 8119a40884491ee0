"""Losses of methods that learn from samples: one prior code made into a signal of every domain."""

from __future__ import annotations

import itertools

from torch import Tensor

from zoo_core.contracts.method import Loss, at_least_float32
from zoo_core.contracts.step import Step
from zoo_nn.losses.distances import distance_of, total


class SampledFeatures(Loss):
    """The critic sees the same features in corresponding samples (CoGAN's official code).

    ``mean ||f_a - f_b||^2`` over the features of the last layer that the critics share, for every
    pair of domains; for the critic, so that the gradient stops at the samples.

    Args:
        critic: Name of the discriminators, ``{target}`` stands for the domain.
    """

    requires = ("sampled",)

    def __init__(self, critic: str = "discriminator_{target}") -> None:
        super().__init__()
        self.critic = critic

    def forward(self, step: Step) -> Tensor:
        """Sum over pairs of domains of the mean squared Euclidean distance per sample: ()."""
        seen = [
            step.judge(self.critic.format(target=name), step.detached(step.sampled(name)))
            for name in step.method.domains.names
        ]
        features = [at_least_float32(verdict.features[-1]) for verdict in seen]
        last = [feature.flatten(1) for feature in features]  # (N, D) each
        pairs = itertools.combinations(last, 2)  # 2 x (N, D) each
        return total((a - b).square().sum(1).mean() for a, b in pairs)  # ()


class SampledCode(Loss):
    """An encoder finds the prior code back in its samples, without any real signal.

    The gradient stops at the samples: the encoder learns from the decoder, not the reverse.

    Args:
        encoder: Name of the encoders, ``{target}`` stands for the domain.
        distance: ``l1``, ``l2`` or ``smooth_l1``.
    """

    requires = ("sampled",)

    def __init__(self, encoder: str = "encoder_{target}", distance: str = "l2") -> None:
        super().__init__()
        self.encoder, self.distance = encoder, distance_of(distance)

    def forward(self, step: Step) -> Tensor:
        """Sum over domains of the mean distance between the found and the drawn code: ()."""
        drawn = step.prior.content.detach()  # (N, *Z)
        parts = []
        for name in step.method.domains.names:
            condition = step.condition(name, len(drawn))
            sample = step.detached(step.sampled(name))  # (N, *S)
            found = step.net(self.encoder.format(target=name))(sample, condition)  # (N, *Z)
            parts.append(self.distance(found.content, drawn))  # ()
        return total(parts)  # ()
