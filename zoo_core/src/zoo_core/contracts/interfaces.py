"""The nets that a method is made of, each an abstract `torch.nn.Module`, and what they give.

Every net is called as ``net(...)``, never ``net.some_method(...)``. Shapes: N batch,
``*S`` any signal (an image is C H W), K condition width.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import ItemsView, Iterator, KeysView, Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from zoo_core.contracts.signals import Condition

_ODD = re.compile(r"[./\\{}]")


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


class Nets(nn.ModuleDict):
    """Nets by any name; their parameters are named by its safe form.

    Args:
        nets: The nets.
    """

    def __init__(self, nets: Mapping[str, nn.Module]) -> None:
        self._names: dict[str, str] = {}
        super().__init__(dict(nets))

    def __getitem__(self, key: str) -> nn.Module:
        return super().__getitem__(safe_name(key))

    def __setitem__(self, key: str, module: nn.Module) -> None:
        self._names[safe_name(key)] = key
        super().__setitem__(safe_name(key), module)

    def __delitem__(self, key: str) -> None:
        super().__delitem__(safe_name(key))

    def __contains__(self, key: str) -> bool:
        return super().__contains__(safe_name(key))

    def __iter__(self) -> Iterator[str]:
        return (self._names[key] for key in self._modules)

    def keys(self) -> KeysView[str]:
        """The names."""
        return dict.fromkeys(self).keys()

    def items(self) -> ItemsView[str, nn.Module]:
        """The names and their nets."""
        return dict(zip(self, self._modules.values(), strict=True)).items()


def safe_name(name: str) -> str:
    """A form of a net's name that may be part of a parameter's: itself, unless it holds odd signs.

    Odd signs become ``_``, and a few digits keep names apart that differ in these alone.
    """
    if not _ODD.search(name):
        return name
    digits = hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=4).hexdigest()
    return f"{_ODD.sub('_', name)}-{digits}"
