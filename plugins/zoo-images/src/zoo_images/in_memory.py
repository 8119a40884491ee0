"""Pictures in memory that are trained on: arrays of a known meaning, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from zoo_core.contracts.codec import InMemorySignal
from zoo_core.errors import UsageError
from zoo_images.preprocessing import Array
from zoo_images.values import parse_range

if TYPE_CHECKING:
    from zoo_images.scan import File

_SLACK = 1e-3
"""How far, in steps of 8 bits, a float may be from the byte that it stands for."""


def prepared(files: Sequence[File], domain: str | None, asked: str | None) -> list[File]:
    """Files as they are; what is in memory as arrays, channels last.

    Floats of which the user said black and white, and which are all bytes in disguise, as
    torchvision's ``ToTensor`` makes them, become bytes again: the same pictures in a folder would
    be bytes, too.

    Args:
        files: Files, or pictures in memory.
        domain: The domain that they are of.
        asked: ``LOW,HIGH`` as the user asked for it.

    Raises:
        UsageError: If there are floats and nobody said which are black and white.
    """
    arrays = [_as_array(file) for file in files]
    floats = [
        at for at, array in enumerate(arrays) if array is not None and array.dtype.kind == "f"
    ]
    if floats and asked is None:
        name = domain or "DOMAIN"
        raise UsageError(
            "nothing tells which of its values are black and white",
            asked=f"{files[floats[0]].name}: array of {arrays[floats[0]].dtype}",  # type: ignore[union-attr]
            hint=f"For values from 0 to 1 say --range {name}=0,1, in Python settings="
            f'{{"train.ranges": {{"{name}": "0,1"}}}}, to zoo.evaluate ranges={{"{name}": "0,1"}}; '
            'for -1 to 1 "-1,1". Bytes need none.',
        )
    if floats and asked is not None:
        bytes_ = [_as_bytes(arrays[at], *parse_range(asked)) for at in floats]
        if all(each is not None for each in bytes_):
            for at, each in zip(floats, bytes_, strict=True):
                arrays[at] = each
    return [
        replace(file, value=array)
        if isinstance(file, InMemorySignal) and array is not None
        else file
        for file, array in zip(files, arrays, strict=True)
    ]


def _as_array(file: File) -> Array | None:
    """(H, W) or (H, W, C) of an array or of a tensor (C, H, W); None for all else."""
    if not isinstance(file, InMemorySignal):
        return None
    if isinstance(file.value, Tensor):
        values: Array = file.value.numpy()
        return np.ascontiguousarray(np.moveaxis(values, 0, -1)) if values.ndim == 3 else values
    return file.value if isinstance(file.value, np.ndarray) else None


def _as_bytes(values: Array | None, low: float, high: float) -> Array | None:
    """The bytes that floats stand for; None where they stand for none."""
    if values is None:
        return None
    steps = (values.astype(np.float64) - low) / (high - low) * 255
    rounded = steps.round()
    exact = np.abs(steps - rounded).max(initial=0) <= _SLACK  # false for NaN
    inside = exact and rounded.min(initial=0) >= 0 and rounded.max(initial=0) <= 255
    return rounded.astype(np.uint8) if inside else None
