"""What a backbone is: a trained classifier, frozen, whose features say what a picture shows.

It brings its own normalisation, never leaves evaluation mode and never learns; gradients pass
through it to the picture.
Shapes: N batch, C channels, H W pixels, F features.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo_core.contracts.method import at_least_float32, freeze
from zoo_core.errors import UsageError, unknown
from zoo_nn.nets.classifier import Classifier, ClassifierNet

EMBEDDING = "embedding"
"""Layer that every backbone has: the features (N, F) that its classifier reads."""


class Backbone(nn.Module, ABC):
    """Maps pictures to the features of chosen layers.

    Args:
        net: A trained net; it is frozen.
        mean: (C,) what it subtracts from pictures in [0, 1].
        std: (C,) what it then divides by.
        size: Side in pixels to which pictures are resized; None: they stay as they are.
        sha256: Hash of its weights file.

    Attributes:
        layers: Names of its layers from shallow to deep, `EMBEDDING` last.
        default_layers: Those that a loss compares unless it is told otherwise.
        width: Number of features F of the embedding.
        form: What `bare_backbone` rebuilds it from, without its weights; empty where only its name
            can be opened again.
    """

    layers: tuple[str, ...]
    default_layers: tuple[str, ...] = (EMBEDDING,)
    width: int
    form: Mapping[str, Any]

    def __init__(
        self,
        net: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        *,
        size: int | None,
        sha256: str,
    ) -> None:
        super().__init__()
        self.net, self.size, self.sha256, self.form = freeze(net), size, sha256, {}
        self.mean = nn.Buffer(torch.tensor(mean)[:, None, None], persistent=False)  # (C, 1, 1)
        self.std = nn.Buffer(torch.tensor(std)[:, None, None], persistent=False)  # (C, 1, 1)
        self.train(False)

    def train(self, mode: bool = True) -> Self:
        """Stays in evaluation mode, whatever is asked for."""
        return super().train(False)

    def forward(self, x: Tensor, layers: Sequence[str] = (EMBEDDING,)) -> dict[str, Tensor]:
        """Features of pictures ``x`` (N, 1 or C, H, W) in [-1, 1], (N, F) or (N, F, h, w) each.

        Raises:
            UsageError: If there is no such layer, or ``x`` holds no pictures of 1 or C channels.
        """
        self.require(layers)
        return self.features(self.prepared(x), layers)  # (N, F) or (N, F, h, w) each

    def require(self, layers: Sequence[str]) -> None:
        """Raises `UsageError` where a layer is not there, or none is named."""
        if not layers:
            raise UsageError(
                "no layer is chosen",
                asked="layers of the backbone",
                hint=f"Choose among {', '.join(self.layers)}.",
            )
        for layer in layers:
            if not self.has(layer):
                raise unknown("layer of the backbone", layer, self.layers)

    def has(self, layer: str) -> bool:
        """Whether there is a layer of this name."""
        return layer in self.layers

    def prepared(self, x: Tensor) -> Tensor:
        """(N, C, S, S) the pictures as the net reads them: resized, in its own normalisation."""
        channels = len(self.mean)
        if x.dim() != 4 or x.shape[1] not in (1, channels):
            raise UsageError(
                f"it reads pictures of 1 or {channels} channels",
                asked=f"a backbone for signals of shape {tuple(x.shape[1:])}",
            )
        if self.size is not None and x.shape[-2:] != (self.size, self.size):
            x = F.interpolate(
                at_least_float32(x), (self.size, self.size), mode="bilinear", antialias=True
            )
        x = x.expand(-1, channels, -1, -1)  # (N, C, S, S)
        return ((x + 1) / 2 - self.mean) / self.std  # (N, C, S, S)

    @abstractmethod
    def features(self, x: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Features of `prepared` pictures, by the names of ``layers``."""


class TimmBackbone(Backbone):
    """A classifier of timm; its layers have timm's names, such as ``layer3`` or ``blocks.2``.

    `layers` are the ends of its stages; any other module may be named, too, such as the convolution
    ``features.25`` of ``vgg19`` (conv4_4, ahead of its ReLU).

    Args:
        net: The trained net.
        mean: As for `Backbone`.
        std: As for `Backbone`.
        size: As for `Backbone`.
        sha256: Hash of its weights file.
    """

    net: Any

    def __init__(
        self,
        net: Any,
        mean: Sequence[float],
        std: Sequence[float],
        *,
        size: int | None,
        sha256: str,
    ) -> None:
        super().__init__(net, mean, std, size=size, sha256=sha256)
        stages = net.feature_info if hasattr(net, "forward_intermediates") else ()
        self.layers = (*(str(stage["module"]) for stage in stages), EMBEDDING)
        self.default_layers = self.layers[-3:-1] or self.layers
        self.width = int(net.num_features)

    def has(self, layer: str) -> bool:
        """Whether there is a stage or a module of this name."""
        return layer in self.layers or layer in dict(self.net.named_modules())

    def features(self, x: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Features of `prepared` pictures, by the names of ``layers``."""
        modules = [layer for layer in layers if layer not in self.layers]
        with _outputs(self.net, modules) as found:
            found |= self._stages(x, [layer for layer in layers if layer in self.layers])
        return {layer: found[layer] for layer in layers}

    def _stages(self, x: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """What stages give out, of one pass through the net."""
        stages = [layer for layer in layers if layer != EMBEDDING]
        if not stages:
            last = self.net.forward_features(x)  # (N, F, h, w)
            return {EMBEDDING: self._pooled(last)} if layers else {}  # (N, F)
        order = sorted(set(stages), key=self.layers.index)
        last, maps = self.net.forward_intermediates(
            x, indices=[self.layers.index(stage) for stage in order]
        )  # (N, F, h, w), and (N, F, h, w) for each stage
        found: dict[str, Tensor] = dict(zip(order, maps, strict=True))
        return found | ({EMBEDDING: self._pooled(last)} if EMBEDDING in layers else {})

    def _pooled(self, last: Tensor) -> Tensor:
        """(N, F) what the classifier reads, from what the last layer says in the net's own form."""
        pooled: Tensor = self.net.forward_head(last, pre_logits=True)
        return pooled.flatten(1)  # (N, F)


@contextmanager
def _outputs(net: nn.Module, names: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Within the block, what modules of a net give out in its next pass, by name."""
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            found[name] = output.clone()  # what follows may write into it

        return hook

    handles = [net.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


class OwnBackbone(Backbone):
    """A classifier of the zoo's own architecture: ``stem``, ``stage1`` and on, and the embedding.

    Args:
        judge: The trained classifier.
    """

    net: ClassifierNet

    def __init__(self, judge: Classifier) -> None:
        card = judge.card
        half = [0.5] * 3  # judges read [-1, 1]
        super().__init__(judge.net, half, half, size=card.size, sha256=card.sha256)
        stages = (f"stage{number}" for number in range(1, len(card.widths)))
        self.layers = ("stem", *stages, EMBEDDING)
        self.width = card.widths[-1]

    def features(self, x: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Features of `prepared` pictures, by the names of ``layers``."""
        found = {"stem": F.relu(self.net.stem_norm(self.net.stem(x)))}  # (N, F, h, w)
        x = found["stem"]  # (N, F, h, w)
        for number, stage in enumerate(self.net.stages, start=1):
            x = found[f"stage{number}"] = stage(x)  # (N, F, h, w)
        found[EMBEDDING] = x.mean(dim=(2, 3))  # (N, F)
        return {layer: found[layer] for layer in layers}
