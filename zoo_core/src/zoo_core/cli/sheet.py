"""The sheet of inputs and outputs that ``zoo translate --grid`` writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo_core.errors import ZooError
from zoo_core.outputs import Entry

if TYPE_CHECKING:
    from torch import Tensor

    from zoo_core.codec import Codec
    from zoo_core.translator import Translator

ROWS = 64
"""Inputs that a sheet shows at most."""


def write_sheet(translator: Translator, entries: Sequence[Entry], path: Path) -> None:
    """Writes a row per input: the input, then its outputs, scaled to the model's size.

    Args:
        translator: The model.
        entries: Inputs whose outputs are there.
        path: The sheet.
    """
    # Without the crop that the weights were trained with: the sheet shows whole pictures.
    codec = type(translator.codec)(translator.codec.spec)
    rows: list[tuple[str, Sequence[Tensor]]] = []
    for entry in entries:
        files = [entry.source.path, *entry.outputs.values()]
        try:
            rows.append((entry.source.path.stem, [_small(codec, file) for file in files]))
        except (ZooError, OSError):
            continue  # it was reported when it was translated
    codec.sheet(rows, ["input", *entries[0].outputs], path)


def _small(codec: Codec, path: Path) -> Tensor:
    """(C, *S) the signal of a file at the model's working size."""
    size = min(codec.spec.shape[1:]) if codec.spec.flexible >= 2 else None
    return next(iter(codec.windows(codec.read(path), size=size))).signal
