"""A look at one translation for what may be hidden in it.

A model that must find its way back can hide its input inside its output, where nobody sees it.
``zoo audit`` measures that over many inputs; this shows it of one.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from zoo_core.contracts.codec import Codec
from zoo_core.errors import UsageError, ZooError
from zoo_images.pixels import bounds, to_bytes
from zoo_nn.filters import rounded
from zoo_ui.shelf import Shelf
from zoo_ui.watch import Event, Job
from zoo_ui.work import Wish, owned, received

QUALITY = 95
"""Of the JPEG that a translation goes through: a change that nobody sees."""
COARSE, LOUDER = 4, 100.0
"""Bits that hold what is seen, and how much louder the rest is drawn; as ``zoo audit`` does."""
LARGEST = 256
"""Longest shorter side, in pixels, that is looked at: pixels are to be seen."""
Pixels = npt.NDArray[np.uint8]


def look(shelf: Shelf, wish: Wish, data: bytes, job: Job) -> None:
    """Tells of a translation, of its faint part, and of two ways back: as it is, and after JPEG.

    Args:
        shelf: Has the model.
        wish: What is asked for, with one target.
        data: The picture; it is looked at with a shorter side of at most `LARGEST` pixels.
        job: Where, and for whom.

    Raises:
        ZooError: If the model has no way back, or the picture cannot be read.
        CancelledError: If it was stopped.
    """
    with shelf.use(wish.model, job.stop):
        translator = shelf.load(wish.model, "float32")  # coarser numbers are noise of their own
        target, source = _ways(translator.domains.names, shelf.choices(wish.model).lens, wish)
        path = received(wish, data, job.folder)
        try:
            spec = translator.codec.spec
            x = _small(translator.codec, path)[None]  # (1, C, h, w)
            y, back = translator.cycle(x, target, source=source)  # (1, C, h, w) each
            seen = to_bytes(y[0], spec)  # (h, w, 3)
            saved = _as_jpeg(seen)  # (h, w, 3)
            again = translator.translate(saved, source, source=target)  # (h, w, 3)
        except ZooError as error:
            raise owned(error, path, wish) from error
    restored = to_bytes(back[0], spec)  # (h, w, 3)
    given = to_bytes(x[0], spec)  # (h, w, 3)
    shown = {
        "translation": seen,
        f"its faint part, {LOUDER:g} times louder": to_bytes(_louder(y[0], *bounds(spec)), spec),
        "translated back": restored,
        "translated back after JPEG": again,
    }
    for number, (title, pixels) in enumerate(shown.items()):
        job.tell(Event({"look": title}, (_drawn(pixels, job.folder / f"look-{number}.png"),)))
    differences = {
        "back": _apart(restored, given),
        "again": _apart(again, given),
        "jpeg": _apart(saved, seen),
    }
    job.tell(Event({"differences": differences}))


def _ways(names: tuple[str, ...], has_way_back: bool, wish: Wish) -> tuple[str, str]:
    """The target and the source; raises `UsageError` where one is not known."""
    if not has_way_back:
        raise UsageError("it has no way back, on which to look", asked=wish.model)
    if len(wish.targets) != 1 or wish.targets[0] not in names:
        raise UsageError("one translation can be looked at", asked=f"{wish.model} {wish.targets}")
    (target,) = wish.targets
    others = [name for name in names if name != target]
    source = wish.source or (others[0] if len(others) == 1 else None)
    if source is None:
        raise UsageError(
            "the way back leads to what the picture is now",
            asked=wish.name or "the file",
            hint="Say what it is, and look again.",
        )
    return target, source


def _small(codec: Codec, path: Path) -> Tensor:
    """(C, h, w) a picture as the nets see it, reduced where it is large."""
    window = next(iter(codec.windows(codec.read(path))))
    if window.whole is not None or min(window.signal.shape[1:]) > LARGEST:
        window = next(iter(codec.windows(codec.read(path), size=LARGEST)))
    return window.signal  # (C, h, w)


def _louder(y: Tensor, low: float, high: float) -> Tensor:
    """(C, h, w) what rounding to 16 shades takes away of ``y``, amplified around the middle."""
    middle, half = (low + high) / 2, (high - low) / 2
    faint = y - rounded(y, low, high, COARSE)  # (C, h, w)
    return middle + half * torch.tanh(faint / half * LOUDER)  # (C, h, w)


def _as_jpeg(pixels: Pixels) -> Pixels:
    """(h, w, 3) a picture as it is read back from a JPEG."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=QUALITY)
    with Image.open(stream, formats=["JPEG"]) as saved:
        return np.asarray(saved.convert("RGB"))


def _apart(one: Any, other: Any) -> float:
    """Mean difference of two pictures, in shades of 255."""
    return float(np.abs(one.astype(np.float64) - other.astype(np.float64)).mean())


def _drawn(pixels: Pixels, path: Path) -> Path:
    Image.fromarray(pixels).save(path)
    return path
