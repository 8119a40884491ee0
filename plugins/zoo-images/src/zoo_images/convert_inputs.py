"""Which values in memory count as pictures, and what is wrong with those that do not.

Tensors need nothing of what images and arrays may have: colours, transparency, gaps, metadata.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from zoo_core.contracts.codec import Item
from zoo_core.contracts.signals import TensorSpec
from zoo_core.errors import DataError, UsageError
from zoo_images.pixels import bounds

ACCEPTED = (
    "Give a path, the bytes of a file, a PIL image, a uint8 array (H, W, 3), a float tensor "
    "(N, 3, H, W), or a list."
)
_SLACK = 1e-2  # bfloat16 and resampling overshoot a little


def items_of(value: Any, name: str, spec: TensorSpec, ranged: bool, alpha: str) -> list[Item]:
    """Items from what is neither a file nor a list: an image, an array, a tensor.

    Raises:
        UsageError: If it is no picture.
    """
    if isinstance(value, Image.Image):
        return [from_pil(value, name, alpha)]
    if isinstance(value, np.ndarray):
        return from_array(value, name, ranged=ranged, alpha=alpha)
    if isinstance(value, Tensor):
        return from_tensor(value, name, spec)
    raise refuse(value, name)


def from_pil(image: Image.Image, name: str, alpha: str = "keep") -> Item:
    """An item from a Pillow image of any mode, turned upright by its EXIF tag like a file.

    Args:
        image: The image.
        name: What it is called in errors.
        alpha: What becomes of transparency; see `zoo_images.transparency.parse_alpha`.

    Raises:
        DataError: If it was opened from a file that turns out to be damaged.
    """
    if 0 in image.size:
        raise UsageError("the image has no pixels", asked=name)
    try:
        image.load()
    except Exception as error:  # Pillow opens files lazily and raises many kinds
        raise DataError(
            f"its file is damaged, truncated or closed ({error})",
            asked=f"{name}: PIL image {getattr(image, 'filename', '')}".rstrip(),
            hint="Fetch or save the file again.",
        ) from error
    with contextlib.suppress(Exception):  # a damaged EXIF block says nothing about the pixels
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        from zoo_images.deep import from_image  # most pictures need none of it

        values = from_image(image)
        return _deep_item(values, name, "pil")
    from zoo_images.colour import to_rgb
    from zoo_images.metadata import Metadata
    from zoo_images.transparency import KEEP, Transparency, opacity_of

    pixels = np.asarray(to_rgb(image, name=name, ground=alpha))  # (H, W, 3)
    transparency = Transparency.of(opacity_of(image), alpha) if alpha == KEEP else None
    info = {"size": pixels.shape[:2], "transparency": transparency}
    return Item(pixels, name, "pil", info | {"metadata": Metadata.of(image)})


def from_array(
    array: np.ndarray, name: str, *, ranged: bool = False, alpha: str = "keep"
) -> list[Item]:
    """Items from uint8, or deeper, (H, W), (H, W, 1 | 3 | 4) or (N, H, W, 1 | 3 | 4).

    Args:
        array: Integers; floats only where ``ranged``.
        name: What it is called in errors.
        ranged: Whether a value range tells which floats are black and white.
        alpha: What becomes of a fourth channel; see `zoo_images.transparency.parse_alpha`.
    """
    asked = f"{name}: array of shape {array.shape}, {array.dtype}"
    if array.dtype.kind not in ("uif" if ranged else "ui") or array.dtype == np.bool_:
        raise UsageError(
            "nothing tells which of its values are black and white",
            asked=asked,
            hint="For [0, 1] give (x * 255).round().astype('uint8'); for [-1, 1] a float tensor "
            "(3, H, W); or say ask(range='LOW,HIGH') of the model's codec.",
        )
    if 0 in array.shape:
        raise UsageError("the array is empty", asked=asked)
    if np.ma.is_masked(array):
        raise UsageError(
            "it is a masked array, whose mask would be lost",
            asked=asked,
            hint="Fill it, with NaN where it holds floats, and mask the output again.",
        )
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim not in (3, 4) or array.shape[-1] not in (1, 3, 4):
        raise UsageError(
            "its shape is none of (H, W), (H, W, 3), (H, W, 4), (N, H, W, 3)",
            asked=asked,
            hint="The channels come last in arrays and first in tensors.",
        )
    if array.ndim == 4:
        return [_array_item(part, f"{name}-{i}", alpha) for i, part in enumerate(array)]
    return [_array_item(array, name, alpha)]


def from_tensor(tensor: Tensor, name: str, spec: TensorSpec) -> list[Item]:
    """Items from float (C, H, W) or (N, C, H, W) within the spec's range."""
    asked = f"{name}: tensor of shape {tuple(tensor.shape)}, {tensor.dtype}"
    low, high = bounds(spec)
    if not tensor.is_floating_point():
        raise UsageError(
            f"tensors must be floating-point within [{low:g}, {high:g}]",
            asked=asked,
            hint="Use x / 127.5 - 1, or give a uint8 NumPy array (H, W, 3).",
        )
    if tensor.ndim not in (3, 4) or tensor.shape[-3] != spec.channels:
        raise UsageError(
            f"its shape is neither ({spec.channels}, H, W) nor (N, {spec.channels}, H, W)",
            asked=asked,
            hint="The channels come first in tensors and last in arrays.",
        )
    if tensor.numel() == 0:
        raise UsageError("the tensor is empty", asked=asked)
    value = tensor.detach().to("cpu", torch.float32)
    least, most = float(value.min()), float(value.max())
    if not (least >= low - _SLACK and most <= high + _SLACK):  # false for NaN too
        raise UsageError(
            f"its values span [{least:g}, {most:g}], not [{low:g}, {high:g}]",
            asked=asked,
            hint="Use x * 2 - 1 for values in [0, 1], and x / 127.5 - 1 for bytes.",
        )
    info = {"dtype": tensor.dtype, "device": tensor.device, "size": tuple(value.shape[-2:])}
    if value.ndim == 4:
        return [Item(part, f"{name}-{i}", "tensor", dict(info)) for i, part in enumerate(value)]
    return [Item(value, name, "tensor", info)]


def refuse(value: Any, name: str) -> UsageError:
    """The error for a value of no accepted type."""
    kind = "a folder or file" if isinstance(value, Path) else f"a {type(value).__name__}"
    return UsageError(f"{kind} is not a picture", asked=name, hint=ACCEPTED)


def _deep_item(values: np.ndarray, name: str, form: str) -> Item:
    from zoo_images.gaps import gaps_of

    gaps = gaps_of(values)
    notes = () if gaps is None else (gaps.note,)
    return Item(values, name, form, {"size": values.shape[:2], "notes": notes, "gaps": gaps})


def _array_item(array: np.ndarray, name: str, alpha: str) -> Item:
    from zoo_images.colour import to_rgb
    from zoo_images.transparency import KEEP, Transparency, as_opacity

    opacity = as_opacity(array[..., 3], name) if array.shape[-1] == 4 else None
    transparency = Transparency.of(opacity, alpha)
    if array.dtype != np.uint8:
        values = array[..., 0] if array.shape[-1] == 1 else array[..., :3]
        item = _deep_item(values, name, "numpy")
        return replace(item, info=item.info | {"transparency": transparency})
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[array.shape[-1]]
    squeezed = array[..., 0] if mode == "L" else array
    image = Image.fromarray(np.ascontiguousarray(squeezed))
    pixels = np.asarray(to_rgb(image, name=name, ground=alpha))
    kept = transparency if alpha == KEEP else None
    return Item(pixels, name, "numpy", {"size": pixels.shape[:2], "transparency": kept})
