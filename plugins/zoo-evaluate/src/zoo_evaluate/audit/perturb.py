"""What a translation is put through before it is sent back.

Shapes: N batch, ``*S`` any signal (an image is C H W).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo_core.contracts.signals import TensorSpec
from zoo_nn.filters import gaussian_kernel, lowpass, rounded

SMOOTH = 2.0
"""Standard deviation, in samples, of the Gaussian that makes smooth noise of white noise."""
Change = Callable[[Tensor], Tensor]
"""Makes (N, *S) of (N, *S)."""


@dataclass(frozen=True)
class Perturbation:
    """A change of translations.

    Attributes:
        name: Name, such as ``jpeg-95``.
        apply: The change.
        mild: Whether nobody sees it in a picture; the score is made of these.
    """

    name: str
    apply: Change
    mild: bool = False


def perturbations(
    signal: TensorSpec, white: float, smooth: float, draw: Noises
) -> list[Perturbation]:
    """All perturbations that suit a kind of signal; the mild ones first.

    Args:
        signal: Form of the signals.
        white: Strength of the mild white noise, in half ranges.
        smooth: Strength of the mild smooth noise, in half ranges.
        draw: Where noise comes from.
    """
    found = [Perturbation(f"white-noise-{white:g}", lambda y: y + draw.white(y, white), mild=True)]
    if signal.flexible:
        found.append(
            Perturbation(
                f"smooth-noise-{smooth:g}", lambda y: y + draw.smooth(y, smooth), mild=True
            )
        )
    if signal.low is not None and signal.high is not None:
        low, high = signal.low, signal.high
        found.append(Perturbation("quantise-8", lambda y: rounded(y, low, high), mild=True))
        if signal.kind == "image" and signal.channels in (1, 3):
            found += [
                Perturbation("jpeg-95", lambda y: jpeg(y, 95, low, high), mild=True),
                Perturbation("jpeg-75", lambda y: jpeg(y, 75, low, high)),
            ]
    if signal.flexible:
        axes = signal.flexible
        found += [
            Perturbation("blur-1", lambda y: lowpass(y, 1.0, axes)),
            Perturbation("half-size", lambda y: down_up(y, axes)),
        ]
    return found


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
        pixels = torch.frombuffer(bytearray(Image.open(file).tobytes()), dtype=torch.uint8)
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
