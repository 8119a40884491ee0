"""The sheet of inputs and outputs that ``zoo translate --grid`` writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo_core.errors import ZooError
from zoo_core.translate.outputs import Entry

if TYPE_CHECKING:
    from zoo_core.contracts.codec import Codec, Item
    from zoo_core.translate.translator import Translator

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
    codec.portray(_rows(codec, entries), ["input", *entries[0].outputs], path)


def _rows(codec: Codec, entries: Sequence[Entry]) -> Iterator[tuple[str, list[Item]]]:
    for entry in entries:
        try:
            items = [codec.read(p) for p in (entry.source.path, *entry.outputs.values())]
        except (ZooError, OSError):
            continue  # it was reported when it was translated
        yield entry.source.path.stem, items
