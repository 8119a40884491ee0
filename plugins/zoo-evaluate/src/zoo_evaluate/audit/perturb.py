"""What a translation is put through before it is sent back.

Shapes: N batch, ``*S`` any signal (an image is C H W).
"""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo_core.contracts.signals import TensorSpec
from zoo_core.host.plugins import host
from zoo_evaluate.audit.result import AuditConfig
from zoo_nn.filters import gaussian_kernel, lowpass, rounded

SMOOTH = 2.0
"""Standard deviation, in samples, of the Gaussian that makes smooth noise of white noise."""


class Perturbation(ABC):
    """A change of translations; plugins bring them as components of kind ``perturbation``.

    Args:
        signal: Form of the signals.
        noises: Where noise comes from.
        config: Settings of the audit, with the strengths of noise.

    Attributes:
        signals: Kinds of signal that it suits; empty: any.
        mild: Whether nobody perceives it; the score is made of these.
        name: Name in the figures, such as ``jpeg-95``.
    """

    signals: ClassVar[tuple[str, ...]] = ()
    mild: ClassVar[bool] = False
    name: str

    def __init__(self, signal: TensorSpec, noises: Noises, config: AuditConfig) -> None:
        self.signal, self.noises, self.config = signal, noises, config

    @classmethod
    def suits(cls, signal: TensorSpec) -> bool:
        """Whether signals of this form can be changed so."""
        return not cls.signals or signal.kind in cls.signals

    @abstractmethod
    def apply(self, y: Tensor) -> Tensor:
        """(N, *S) translations ``y``, changed."""


def perturbations(signal: TensorSpec, noises: Noises, config: AuditConfig) -> list[Perturbation]:
    """All perturbations that plugins bring and that suit a form of signals; the mild ones first.

    Args:
        signal: Form of the signals.
        noises: Where noise comes from.
        config: Settings of the audit.
    """
    classes = [host().load("perturbation", name) for name in host().components("perturbation")]
    found = [cls(signal, noises, config) for cls in classes if cls.suits(signal)]
    return sorted(found, key=lambda change: not change.mild)


class WhiteNoise(Perturbation):
    """Mild white noise."""

    mild = True

    @property
    def name(self) -> str:  # type: ignore[override]
        """With its strength in half ranges."""
        return f"white-noise-{self.config.white:g}"

    def apply(self, y: Tensor) -> Tensor:
        """(N, *S) with noise."""
        return y + self.noises.white(y, self.config.white)


class Flexible(Perturbation):
    """A change along axes on which a signal may be of any length."""

    @classmethod
    def suits(cls, signal: TensorSpec) -> bool:
        """Where there are such axes."""
        return super().suits(signal) and signal.flexible > 0


class SmoothNoise(Flexible):
    """Mild noise that is correlated over neighbours."""

    mild = True

    @property
    def name(self) -> str:  # type: ignore[override]
        """With its strength in half ranges."""
        return f"smooth-noise-{self.config.smooth:g}"

    def apply(self, y: Tensor) -> Tensor:
        """(N, *S) with noise."""
        return y + self.noises.smooth(y, self.config.smooth)


class Blur(Flexible):
    """A Gaussian of one sample."""

    name = "blur-1"

    def apply(self, y: Tensor) -> Tensor:
        """(N, *S) blurred."""
        return lowpass(y, 1.0, self.signal.flexible)


class HalfSize(Flexible):
    """Halved and enlarged again."""

    name = "half-size"

    def apply(self, y: Tensor) -> Tensor:
        """(N, *S) with half of the detail."""
        return down_up(y, self.signal.flexible)


class Bounded(Perturbation):
    """A change of signals that have a smallest and a largest value."""

    @classmethod
    def suits(cls, signal: TensorSpec) -> bool:
        """Where there are both."""
        return super().suits(signal) and None not in (signal.low, signal.high)

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest value."""
        low, high = self.signal.low, self.signal.high
        if low is None or high is None:
            raise ValueError("the signal has no bounds")
        return low, high


class Quantise(Bounded):
    """8 bits, as most files have."""

    name, mild = "quantise-8", True

    def apply(self, y: Tensor) -> Tensor:
        """(N, *S) on 256 levels."""
        return rounded(y, *self.bounds)


class Jpeg95(Bounded):
    """What a good JPEG file leaves of a picture."""

    name, mild, quality = "jpeg-95", True, 95
    signals = ("image",)

    @classmethod
    def suits(cls, signal: TensorSpec) -> bool:
        """Grey and colour pictures."""
        return super().suits(signal) and signal.channels in (1, 3)

    def apply(self, y: Tensor) -> Tensor:
        """(N, C, H, W) as read from JPEG."""
        return jpeg(y, self.quality, *self.bounds)


class Jpeg75(Jpeg95):
    """What a usual JPEG file leaves of a picture."""

    name, mild, quality = "jpeg-75", False, 75


class Noises:
    """Noise of unit strength for one batch, drawn once and scaled: curves without jitter.

    Args:
        signal: Form of the signals.
        rng: CPU generator.
    """

    def __init__(self, signal: TensorSpec, rng: torch.Generator) -> None:
        self.signal, self.rng = signal, rng
        self._drawn: dict[str, Tensor] = {}

    def renew(self) -> None:
        """Forgets the drawn noise: the next batch gets its own."""
        self._drawn = {}

    def white(self, y: Tensor, sigma: float) -> Tensor:
        """(N, *S) white noise of ``sigma`` half ranges for the translations ``y``."""
        return self._unit("white", y) * (sigma * self._scale(y))

    def smooth(self, y: Tensor, sigma: float) -> Tensor:
        """(N, *S) noise of the same variance, correlated over `SMOOTH` samples."""
        return self._unit("smooth", y) * (sigma * self._scale(y))

    def _scale(self, y: Tensor) -> Tensor:
        """() half the range, or the standard deviation where there is no range."""
        low, high = self.signal.low, self.signal.high
        return y.std() if low is None or high is None else torch.tensor((high - low) / 2)

    def _unit(self, kind: str, y: Tensor) -> Tensor:
        if kind not in self._drawn or self._drawn[kind].shape != y.shape:
            make = self._white if kind == "white" else self._smooth
            self._drawn[kind] = make(y).to(y.device, y.dtype)
        return self._drawn[kind]

    def _white(self, y: Tensor) -> Tensor:
        return torch.randn(y.shape, generator=self.rng)  # (N, *S)

    def _smooth(self, y: Tensor) -> Tensor:
        axes = self.signal.flexible
        kernel = gaussian_kernel(SMOOTH)
        reach = len(kernel) // 2
        wide = [*y.shape[: y.dim() - axes], *(n + 2 * reach for n in y.shape[y.dim() - axes :])]
        field = lowpass(torch.randn(wide, generator=self.rng), SMOOTH, axes)  # (N, *S wide)
        for axis in range(y.dim() - axes, y.dim()):
            field = field.narrow(axis, reach, y.shape[axis])  # (N, *S), free of the edges
        return field / kernel.square().sum() ** (axes / 2)  # (N, *S), unit variance


def jpeg(y: Tensor, quality: int, low: float, high: float) -> Tensor:
    """(N, C, H, W) pictures written as JPEG and read again (4:2:0, as most programs write)."""
    from PIL import Image

    unit = ((y.clamp(low, high) - low) / (high - low) * 255).round().byte().cpu()  # (N, C, H, W)
    back = []
    for picture in unit:
        array = picture.squeeze(0) if len(picture) == 1 else picture.permute(1, 2, 0)
        file = io.BytesIO()
        Image.fromarray(array.contiguous().numpy()).save(file, "JPEG", quality=quality)
        pixels = torch.frombuffer(
            bytearray(Image.open(file, formats=["JPEG"]).tobytes()), dtype=torch.uint8
        )
        back.append(pixels.view(*picture.shape[1:], len(picture)).permute(2, 0, 1))  # (C, H, W)
    return (torch.stack(back).float() / 255 * (high - low) + low).to(y.device, y.dtype)


def down_up(y: Tensor, axes: int) -> Tensor:
    """(N, *S) halved along the last axes by averaging, and enlarged again linearly."""
    sides: Sequence[int] = y.shape[y.dim() - axes :]
    flat = y.reshape(-1, 1, *sides)  # (M, 1, *sides)
    pool = {1: F.avg_pool1d, 2: F.avg_pool2d}[axes]
    mode = {1: "linear", 2: "bilinear"}[axes]
    small = pool(flat, 2, ceil_mode=True)  # (M, 1, *sides / 2)
    large = F.interpolate(small, size=tuple(sides), mode=mode, align_corners=False)
    return large.reshape(y.shape)  # (N, *S)
