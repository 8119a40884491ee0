"""Sizes and numbers: resizing and cropping of RGB pictures, and bytes to and from tensors."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig

Bytes = npt.NDArray[np.uint8]
RESAMPLE = Image.Resampling.BICUBIC
"""How outputs are scaled; Pillow's filters are antialiased when scaling down."""
FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos4": Image.Resampling.LANCZOS,
}
"""How pictures are scaled for the nets, by the name that a model records. Translation needs no
OpenCV: Pillow's Lanczos is near OpenCV's, which training pictures are scaled by."""

MAX_PIXELS = 120_000_000
"""Largest picture that is decoded, in pixels of three bytes (360 MB); beyond it a file is taken for
a decompression bomb, unless the user allows more."""

LUMA = (0.299, 0.587, 0.114)


def pixels_of(image: Image.Image, strip: int = 1024) -> Bytes:
    """uint8 (H, W, 3) of an RGB image, in strips: Pillow's own way takes twice the memory."""
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, strip):
        bottom = min(top + strip, image.height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    return pixels


def bounds(spec: TensorSpec) -> tuple[float, float]:
    """Values of black and white; -1 and 1 where the spec leaves them open."""
    return (-1.0 if spec.low is None else spec.low), (1.0 if spec.high is None else spec.high)


def to_tensor(pixels: Tensor, spec: TensorSpec, white: int = 255) -> Tensor:
    """Integer RGB (..., H, W, 3), white as given, to float (..., C, H, W) in the spec's range."""
    low, high = bounds(spec)
    moved = pixels.movedim(-1, -3)  # (..., 3, H, W)
    signal = moved.to(torch.float32, memory_format=torch.contiguous_format)  # (..., 3, H, W)
    signal.mul_((high - low) / white).add_(low)
    return to_grey(signal) if spec.channels == 1 else signal


def to_grey(signal: Tensor) -> Tensor:
    """(..., 3, H, W) to its luma (..., 1, H, W)."""
    weight = signal.new_tensor(LUMA).view(3, 1, 1)
    return (signal * weight).sum(-3, keepdim=True)


def to_bytes(signal: Tensor, spec: TensorSpec) -> Bytes:
    """Float (C, H, W) within the spec's range to uint8 RGB (H, W, 3), rounded and clipped."""
    low, high = bounds(spec)
    scaled = (signal.detach().float().cpu() - low).mul_(255 / (high - low))  # (C, H, W)
    quantised = scaled.nan_to_num_(nan=0.0).round_().clamp_(0, 255).to(torch.uint8)
    rgb = quantised.expand(3, -1, -1) if quantised.shape[0] == 1 else quantised
    pixels: Bytes = rgb.permute(1, 2, 0).contiguous().numpy()  # (H, W, 3)
    return pixels


def working_size(shape: tuple[int, int], target: int) -> tuple[int, int]:
    """(height, width) with the shorter side scaled to ``target``, the aspect kept."""
    height, width = shape
    factor = target / min(height, width)
    return max(1, round(height * factor)), max(1, round(width * factor))


def largest_within(shape: tuple[int, int], pixels: int, stride: int) -> tuple[int, int]:
    """(height, width) of about the same aspect, multiples of ``stride``, at most so many pixels."""
    factor = math.sqrt(pixels / (shape[0] * shape[1]))
    height, width = (max(stride, int(side * factor) // stride * stride) for side in shape)
    return height, width


def resize(value: Any, size: tuple[int, int], resample: str = "bicubic") -> Any:
    """Scales uint8 (H, W, 3), or a float tensor (C, H, W), to ``size``.

    Args:
        value: The picture.
        size: (height, width) of the result.
        resample: Key of `FILTERS`.
    """
    height, width = size
    if isinstance(value, Tensor):
        if tuple(value.shape[-2:]) == size:
            return value
        low, high = float(value.min()), float(value.max())
        return _scaled_tensor(value, size, resample).clamp(low, high)  # (C, H, W)
    if value.shape[:2] == size:
        return value
    return np.asarray(Image.fromarray(value).resize((width, height), FILTERS[resample]))


def _scaled_tensor(value: Tensor, size: tuple[int, int], resample: str) -> Tensor:
    if resample in ("bicubic", "bilinear"):
        scaled = functional.interpolate(
            value[None], size=size, mode=resample, antialias=True, align_corners=False
        )  # (1, C, H, W)
        return scaled[0]  # (C, H, W)
    planes = [Image.fromarray(plane) for plane in value.float().cpu().numpy()]
    shape = size[1], size[0]
    scaled = np.stack([np.asarray(plane.resize(shape, FILTERS[resample])) for plane in planes])
    return torch.from_numpy(scaled).to(value)  # (C, H, W)


def centre_crop(value: Any, height: int, width: int) -> Any:
    """The centre of uint8 (H, W, 3) or of a tensor (C, H, W), no larger than asked for."""
    tensor = isinstance(value, Tensor)
    whole_height, whole_width = value.shape[-2:] if tensor else value.shape[:2]
    height, width = min(height, whole_height), min(width, whole_width)
    top, left = (whole_height - height) // 2, (whole_width - width) // 2
    rows, columns = slice(top, top + height), slice(left, left + width)
    return value[..., rows, columns] if tensor else value[rows, columns]


@dataclass(frozen=True)
class Fitting:
    """How training pictures are brought to size.

    Attributes:
        crop_first: Side of the centre square that is cut out first (CelebA: 178), if any.
        resize: As `zoo_core.contracts.spec.TrainConfig.resize`.
        resample: As `zoo_core.contracts.spec.TrainConfig.resample`.
    """

    crop_first: int | None = None
    resize: str = "cover"
    resample: str = "bicubic"

    @classmethod
    def of(cls, config: TrainConfig) -> Fitting:
        """As a run asks for it."""
        return cls(config.crop_first, config.resize, config.resample)

    def covering(self) -> Fitting:
        """The same for pictures that are to have one size: no more than ``shorter`` would scale."""
        return replace(self, resize="cover") if self.resize == "shorter" else self

    def scaled(self, shape: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of a picture of ``shape`` once it is scaled for ``size``."""
        if self.resize == "squash":
            return size
        if self.resize == "shorter":  # whole numbers: torchvision rounds down
            if size[0] * shape[1] >= size[1] * shape[0]:
                return size[0], max(size[1], shape[1] * size[0] // shape[0])
            return max(size[0], shape[0] * size[1] // shape[1]), size[1]
        factor = max(size[0] / shape[0], size[1] / shape[1])
        return max(size[0], round(shape[0] * factor)), max(size[1], round(shape[1] * factor))


def fit(image: Image.Image, size: tuple[int, int], how: Fitting) -> Bytes:
    """A training picture: centre crop, scaled, and of that the centre unless it keeps its shape.

    Args:
        image: RGB.
        size: (height, width) of the result; of ``shorter``, the least of each.
        how: The crop, the shape and the filter.

    Returns:
        uint8 (H, W, 3).
    """
    if how.crop_first:
        width, height = min(how.crop_first, image.width), min(how.crop_first, image.height)
        left, top = (image.width - width) // 2, (image.height - height) // 2
        image = image.crop((left, top, left + width, top + height))
    height, width = how.scaled((image.height, image.width), size)
    if (width, height) == image.size:
        pixels = np.asarray(image)
    elif how.resample == "lanczos4":
        pixels = _by_opencv(np.asarray(image), (height, width))
    else:
        pixels = np.asarray(image.resize((width, height), FILTERS[how.resample]))
    cropped: Bytes = pixels if how.resize == "shorter" else centre_crop(pixels, *size)
    return cropped


def _by_opencv(pixels: Bytes, size: tuple[int, int]) -> Bytes:
    """Scales (h, w, 3) to ``size`` as OpenCV does, whose filters widen with no reduction."""
    import cv2

    smaller = size[0] < pixels.shape[0] and size[1] < pixels.shape[1]
    scaled = cv2.resize(
        pixels, (size[1], size[0]), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LANCZOS4
    )
    return np.asarray(scaled, dtype=np.uint8)


def from_unit(unit: Tensor, spec: TensorSpec) -> Tensor:
    """(1 | 3, H, W) of black 0 and white 1 to (C, H, W) within the spec's range."""
    low, high = bounds(spec)
    signal = unit.mul(high - low).add_(low)
    if spec.channels == 1:
        return to_grey(signal) if signal.shape[0] == 3 else signal
    return signal.expand(3, -1, -1)  # of grey a view, not three copies


def to_unit(signal: Tensor, spec: TensorSpec, channels: int) -> Tensor:
    """(C, H, W) within the spec's range to (``channels``, H, W) of black 0 and white 1."""
    low, high = bounds(spec)
    unit = signal.detach().float().cpu().sub(low).mul_(1 / (high - low))
    if channels == 1 and unit.shape[0] == 3:
        return to_grey(unit)
    return unit if unit.shape[0] == channels else unit.expand(channels, -1, -1)


def fit_deep(unit: Tensor, size: tuple[int, int], how: Fitting) -> npt.NDArray[np.uint16]:
    """A training picture of more than 8 bits; see `fit`, here ``lanczos4`` is Pillow's filter.

    Args:
        unit: (1 | 3, H, W) of black 0 and white 1.
        size: (height, width) of the result.
        how: As in `fit`.

    Returns:
        uint16 (H, W, 3), 0 to 65,535.
    """
    if how.crop_first:
        unit = centre_crop(unit, how.crop_first, how.crop_first)
    height, width = how.scaled((unit.shape[-2], unit.shape[-1]), size)
    scaled = resize(unit, (height, width), how.resample)  # (1 | 3, H, W)
    cropped = scaled if how.resize == "shorter" else centre_crop(scaled, *size)
    deep = cropped.mul(65535).round_().expand(3, -1, -1).permute(1, 2, 0)  # (H, W, 3)
    return deep.numpy().astype(np.uint16)
