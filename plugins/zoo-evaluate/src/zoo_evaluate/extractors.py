"""Named feature extractors for FID and KID, each with the hash of its weights.

Plugins bring them as components of kind ``extractor``: a target is an `Extractor` class.
An extractor without its weights is refused: distances of random features mean nothing.
Shapes: N batch, F features.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo_core.errors import UsageError, WeightsError, unknown
from zoo_core.host.plugins import host
from zoo_core.untrusted import file_sha256
from zoo_evaluate.judge import EvalClassifier
from zoo_nn.nets.timm_nets import trained_net

INCEPTION_FILE = "weights-inception-2015-12-05-6726825d.pth"


class Extractor(nn.Module, ABC):
    """Maps signals to features (N, F).

    Attributes:
        signal: Kind of signal that it reads.
        whole: Whether it reads whole signals, files or the codec's own form, such as recordings;
            otherwise it reads tensors: of pictures (N, 1 or 3, H, W) in [-1, 1] of any size.
        name: Name as given to ``--extractor``, such as ``timm:resnet18``.
        sha256: Hash of the weights file.
        size: Size to which signals are brought, such as the side of pictures in pixels.
        width: Number of features F.
    """

    signal: str = "image"
    whole: bool = False
    name: str
    sha256: str
    size: int
    width: int

    takes: ClassVar[str] = ""
    """What stands after the colon of its name, for messages; empty where nothing does."""

    @classmethod
    def open(cls, rest: str) -> Self:
        """The extractor of ``NAME:rest``; ``rest`` is empty where no colon follows the name.

        Raises:
            UsageError: If ``rest`` names none.
            WeightsError: If its weights are not at hand.
        """
        if rest:
            raise UsageError("nothing stands after its name", asked=f"extractor …:{rest}")
        return cls()

    @abstractmethod
    def forward(self, signals: Any) -> Tensor:
        """Features (N, F) of N signals."""


class JudgeExtractor(Extractor):
    """The activations of a judge before its classifier.

    Args:
        judge: A trained judge.
        name: Name for the report.
    """

    takes = "DIR"

    def __init__(self, judge: EvalClassifier, name: str) -> None:
        super().__init__()
        self.judge, self.name = judge, name
        self.sha256, self.size = judge.card.sha256, judge.card.size
        self.width = judge.architecture.features
        self.signal, self.whole = judge.architecture.signal, judge.architecture.whole

    @classmethod
    def open(cls, rest: str) -> Self:
        """The judge of the directory ``rest``."""
        return cls(EvalClassifier.load(rest), f"judge:{rest}")

    def forward(self, signals: Any) -> Tensor:
        """Features (N, F)."""
        return self.judge(signals).features  # type: ignore[no-any-return]  # (N, F)


class TimmExtractor(Extractor):
    """A timm classifier's pooled features before its head.

    Args:
        architecture: Name of the timm model, with or without a tag.
        weights: File of its weights (safetensors, or a plain state dict); None looks for the
            published file in the local cache of the Hub.

    Raises:
        UsageError: If timm knows no such model.
        WeightsError: If the weights are not at hand or do not fit.
    """

    takes = "NAME[@FILE]"

    def __init__(self, architecture: str, weights: Path | None = None) -> None:
        super().__init__()
        name = f"timm:{architecture}"
        net, path = trained_net(architecture, weights, asked=f"extractor {name}")
        self.net = net
        self.name, self.sha256 = name, file_sha256(path)
        self.size, self.width = int(net.pretrained_cfg["input_size"][-1]), int(net.num_features)
        mean, std = (torch.tensor(net.pretrained_cfg[key]) for key in ("mean", "std"))  # (3,)
        self.mean = nn.Buffer(mean[:, None, None], persistent=False)  # (3, 1, 1)
        self.std = nn.Buffer(std[:, None, None], persistent=False)  # (3, 1, 1)

    @classmethod
    def open(cls, rest: str) -> Self:
        """The timm model ``NAME`` or ``NAME@FILE``."""
        architecture, _, file = rest.partition("@")
        return cls(architecture, Path(file) if file else None)

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, F)."""
        x = _resized(x, self.size)  # (N, 3, S, S)
        x = ((x + 1) / 2 - self.mean) / self.std  # (N, 3, S, S)
        x = self.net.forward_features(x)  # (N, *, F) in the model's own form
        return self.net.forward_head(x, pre_logits=True).flatten(1)  # type: ignore[no-any-return]


class InceptionExtractor(Extractor):
    """The Inception of the published FID (TensorFlow's 2015 weights), by torch-fidelity.

    Raises:
        WeightsError: If torch-fidelity or its weights are not at hand.
    """

    def __init__(self) -> None:
        super().__init__()
        path = Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION_FILE
        missing = [] if find_spec("torch_fidelity") else ["the package torch-fidelity"]
        missing += [] if path.is_file() else [f"the weights {path}"]
        if missing:
            raise WeightsError(
                f"missing: {' and '.join(missing)}",
                asked="extractor inception",
                hint="Provide them, or use --extractor timm:NAME or judge:DIR.",
            )
        from torch_fidelity.feature_extractor_inceptionv3 import (  # type: ignore[import-not-found,unused-ignore]
            FeatureExtractorInceptionV3,
        )

        self.net = FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(path)
        )
        self.name, self.sha256, self.size, self.width = "inception", file_sha256(path), 299, 2048

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, F)."""
        pixels = ((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)  # (N, 3, H, W)
        return self.net(pixels)[0].flatten(1)  # type: ignore[no-any-return]  # (N, F)


def open_extractor(name: str) -> Extractor:
    """The extractor of a name, ``NAME`` or ``NAME:REST``, such as ``timm:resnet18``.

    Raises:
        UsageError: If no plugin brings one of this name, or it cannot do with the rest.
        WeightsError: If its weights are not at hand.
    """
    first, _, rest = name.partition(":")
    known = host().components("extractor")
    if first not in known:
        raise unknown("extractor", first, known)
    found: type[Extractor] = host().load("extractor", first)
    if found.takes and not rest:
        raise UsageError(
            "it does not say which", asked=f"extractor {name}", hint=f"Write {first}:{found.takes}."
        )
    return found.open(rest)


def _resized(x: Tensor, size: int) -> Tensor:
    if x.shape[1] == 1:
        x = x.expand(-1, 3, -1, -1)  # (N, 3, H, W)
    if x.shape[-2:] == (size, size):
        return x
    return F.interpolate(x, (size, size), mode="bicubic", antialias=True).clamp(-1, 1)
