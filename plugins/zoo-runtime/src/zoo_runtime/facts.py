"""What an exported file says of itself: read as a stranger's, since anyone can write one."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LARGEST_SIDE, LARGEST_WINDOW = 1 << 13, 1 << 24
"""Most pixels of a side that nets work at, and of a picture that goes through them at once."""
MOST_NAMES, LONGEST_NAME, LONGEST_TEXT = 10_000, 200, 1_000_000
SCALES = ("own", "trained", "whole")
FILTERS = ("bicubic", "bilinear", "lanczos4")
KINDS = ("domains", "attributes")


@dataclass(frozen=True)
class Facts:
    """What the file says, each of the right type and within bounds.

    Attributes:
        name: Of the model.
        domains: Names of the domains or attributes.
        are_attributes: Whether they are attributes.
        exclusive: Groups of attributes of which at most one holds.
        fixed: The target that is fixed in the graph; empty where there is a choice.
        targets: Names of the targets.
        size: Height and width that it was trained at.
        any_size: Whether it works at others.
        stride: Sizes that go through the nets are multiples of it.
        least: The least of them.
        scale: How pictures are scaled ahead: one of `SCALES`.
        resample: The filter that scales them: one of `FILTERS`.
        crop_first: Side of the square that is cut out first; None for the whole picture.
        window: Most pixels that go through the nets at once.
    """

    name: str
    domains: list[str]
    are_attributes: bool
    exclusive: list[list[str]]
    fixed: str
    targets: list[str]
    size: tuple[int, int]
    any_size: bool
    stride: int
    least: int
    scale: str
    resample: str
    crop_first: int | None
    window: int

    @classmethod
    def read(cls, said: Mapping[str, str]) -> Facts:
        """Raises `ValueError`, which names the key, where something is missing or cannot be."""
        reader = _Reader({"resample": FILTERS[0], **said})  # older exports do not say it
        height, width = reader.numbers("trained_size", 2, LARGEST_SIDE)
        domains = reader.names("domains")
        fixed = reader.text("target")
        return cls(
            name=reader.text("model"),
            domains=domains,
            are_attributes=reader.one_of("domains_kind", KINDS) == "attributes",
            exclusive=reader.groups("exclusive", domains),
            fixed=fixed,
            targets=[fixed] if fixed else reader.names("targets"),
            size=(height, width),
            any_size=reader.plain("any_size") is True,
            stride=reader.number("stride", LARGEST_SIDE),
            least=reader.number("least_size", LARGEST_SIDE),
            scale=reader.one_of("scale", SCALES),
            resample=reader.one_of("resample", FILTERS),
            crop_first=reader.optional("crop_first", LARGEST_SIDE),
            window=reader.number("window", LARGEST_WINDOW),
        )


class _Reader:
    def __init__(self, said: Mapping[str, str]) -> None:
        self._said = said

    def text(self, key: str) -> str:
        value = self._said.get(key)
        self._require(isinstance(value, str) and len(value) <= LONGEST_NAME, key)
        return str(value)

    def plain(self, key: str) -> Any:
        value = self._said.get(key, "")
        self._require(len(value) <= LONGEST_TEXT, key)
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError(key) from None

    def number(self, key: str, most: int) -> int:
        return self._whole(self.plain(key), key, most)

    def numbers(self, key: str, count: int, most: int) -> list[int]:
        values = self.plain(key)
        self._require(isinstance(values, list) and len(values) == count, key)
        found = [self._whole(value, key, most) for value in values]
        self._require(math.prod(found) <= LARGEST_WINDOW, key)
        return found

    def optional(self, key: str, most: int) -> int | None:
        value = self.plain(key)
        return None if value is None else self._whole(value, key, most)

    def names(self, key: str) -> list[str]:
        return self._names(self.plain(key), key)

    def groups(self, key: str, known: list[str]) -> list[list[str]]:
        values = self.plain(key)
        self._require(isinstance(values, list) and len(values) <= MOST_NAMES, key)
        found = [self._names(value, key) for value in values]
        self._require(all(name in known for group in found for name in group), key)
        return found

    def one_of(self, key: str, known: tuple[str, ...]) -> str:
        value = self.text(key)
        self._require(value in known, key)
        return value

    def _names(self, values: Any, key: str) -> list[str]:
        self._require(isinstance(values, list) and 0 < len(values) <= MOST_NAMES, key)
        named = (isinstance(value, str) and 0 < len(value) <= LONGEST_NAME for value in values)
        self._require(all(named) and len(set(values)) == len(values), key)
        return list(values)

    def _whole(self, value: Any, key: str, most: int) -> int:
        self._require(type(value) is int and 1 <= value <= most, key)
        return int(value)

    @staticmethod
    def _require(holds: bool, key: str) -> None:
        if not holds:
            raise ValueError(key)
