"""The card of a model that is read: ``README.md`` of its directory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoo_core.errors import WeightsError
from zoo_core.untrusted import read_yaml

_FRONT = re.compile(r"\s*---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
"""The front matter of a card, between two lines of dashes."""


@dataclass(frozen=True)
class ModelCard:
    """A card that was read; ``str(card)`` is its whole text.

    Attributes:
        data: Its front matter as plain values; empty where it has none.
        text: What people read.
        content: Both, as they were written.
    """

    data: Mapping[str, Any]
    text: str
    content: str

    def __str__(self) -> str:
        return self.content


def read_card(text: str, asked: str) -> ModelCard:
    """The card of a model.

    Args:
        text: ``README.md``; it may be empty.
        asked: Its path, or the model's name, for the error.

    Raises:
        WeightsError: If the front matter is damaged, or is no mapping.
    """
    front = _FRONT.match(text)
    if front is None or not front[1].strip():
        return ModelCard({}, text[front.end() :] if front else text, text)
    try:
        data = read_yaml(front[1], asked=asked, error=WeightsError)
    except WeightsError as fault:
        raise WeightsError(
            f"its card's front matter is damaged ({fault.problem})",
            asked=asked,
            hint="Translating needs no card; mend the head of its README.md.",
        ) from fault
    return ModelCard(data, text[front.end() :], text)
