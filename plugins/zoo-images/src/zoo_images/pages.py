"""Files of several pages or frames: each goes through the nets as a picture of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any

from torch import Tensor

from zoo_core.contracts.codec import Codec, Item, Window
from zoo_images import windows
from zoo_images.picture import Made


def windows_of(codec: Codec, item: Item, **how: Any) -> Iterator[Window]:
    """The windows of all pages of an item, decoded one after the other.

    Args:
        codec: Cuts each page.
        item: Its value is `zoo_images.picture.Pages`.
        how: As for `zoo_core.contracts.codec.Codec.windows`.
    """
    for number, picture in item.value.pictures():
        part = windows.from_picture(picture, item.name, item.form)
        for inner in codec.windows(part, **how):
            windows.note_page(item, number, part.info["notes"])
            yield replace(inner, position=windows.FramePosition(number, part, inner.position))


def made_of(
    codec: Codec, item: Item, outputs: Iterable[tuple[Window, Tensor]], target: str | None
) -> Iterator[Made]:
    """The translated pages of an item, as they are computed."""
    for number, group in groupby(outputs, key=lambda pair: pair[0].position.number):
        first, *rest = group
        part = first[0].position.item
        inner = ((Window(w.signal, w.position.position), y) for w, y in (first, *rest))
        picture = codec.join(part, inner, target=target)
        windows.note_page(item, number, part.info["notes"])
        yield Made(number, picture, part.info["duration"])
