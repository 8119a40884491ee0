"""The nets that a method is made of, each an abstract `torch.nn.Module`, and what they give.

Every net is called as ``net(...)``, never ``net.some_method(...)``. Shapes: N batch,
``*S`` any signal (an image is C H W), K condition width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from zoo_core.contracts.signals import Condition


@dataclass(frozen=True)
class Code:
    """A signal in the common space.

    Attributes:
        content: (N, *Z) the code itself; the mean, where the encoder is variational.
        sample: (N, *Z) what a decoder reads where that differs from ``content`` (UNIT adds noise).
        features: Inner activations that a loss or a decoder's skip connections may ask for.
    """

    content: Tensor
    sample: Tensor | None = None
    features: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def decoder_input(self) -> Tensor:
        """(N, *Z) what a decoder reads."""
        return self.content if self.sample is None else self.sample


@dataclass(frozen=True)
class DiscriminatorOutput:
    """What a discriminator says of N signals.

    Attributes:
        scores: One raw (unsquashed) tensor (N, ...) per scale; higher is more real. A net with a
            head per domain gives (N, K, ...); its losses are told so (``heads``).
        class_logits: (N, K) raw condition logits, (N, K, ...) where each patch has its own, or None
            where the net does not classify.
        features: Inner activations, for feature matching.
    """

    scores: tuple[Tensor, ...]
    class_logits: Tensor | None = None
    features: tuple[Tensor, ...] = ()


class Encoder(nn.Module, ABC):
    """Maps a signal to a code."""

    @abstractmethod
    def forward(self, x: Tensor, condition: Condition) -> Code:
        """Encodes ``x`` (N, *S), whose own condition is ``condition``."""


class Decoder(nn.Module, ABC):
    """Maps a code to a signal."""

    @abstractmethod
    def forward(self, code: Code, condition: Condition) -> Tensor:
        """Decodes into the domain that ``condition`` names: (N, *S), within the signal's range."""


class Generator(nn.Module, ABC):
    """Maps a signal to a signal of another domain."""

    @abstractmethod
    def forward(self, x: Tensor, condition: Condition) -> Tensor:
        """Translates ``x`` (N, *S) to ``condition``: (N, *S), within the signal's range."""


class Discriminator(nn.Module, ABC):
    """Tells real signals (or codes) from made ones, and may tell their domain."""

    @abstractmethod
    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Judges ``x`` (N, *S)."""
