"""Folders that are splits, however they are spelt: their pictures never enter training unasked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from zoo_core.errors import DataError, unknown

SPLITS = ("train", "val", "test")
_SHOWN = 6
_SPELT = {
    "train": r"train(?:ing)?",
    "val": r"val(?:id(?:ation)?)?|dev",
    "test": r"test(?:s|ing)?|eval(?:uation)?|holdout",
}
_NOUN = r"(?:set|data|images?|imgs?|pictures|pics|photos|split)"
_WHOLE = {
    split: re.compile(
        rf"(?:{_NOUN}[ _.-]?)?(?:{words})(?:[ _.-]?{_NOUN})?(?:[ _.-]?\d+)?", re.IGNORECASE
    )
    for split, words in _SPELT.items()
}
_LETTERED = re.compile(r"(?P<split>.*?)[ _.-]?(?P<domain>[A-Z]\d*)")
_CAPITAL = re.compile(r"(?P<split>[A-Za-z]+?)(?P<domain>[A-Z]\w*)")
_FIRST = re.compile(r"(?P<split>[A-Za-z]+?)[ _.-](?P<domain>\w.*)")
_LAST = re.compile(r"(?P<domain>.*\w)[ _.-](?P<split>[A-Za-z]+)")


def check_split(split: str) -> None:
    """Refuses what names no split; raises `UsageError`."""
    if split not in (*SPLITS, "all"):
        raise unknown("split", split, [*SPLITS, "all"])


def split_of(folder: str) -> str | None:
    """The split that a folder's name says, as ``Train``, ``test_set``, ``val2017`` do, or None."""
    return next((split for split, form in _WHOLE.items() if form.fullmatch(folder)), None)


def split_of_path(parts: Sequence[str]) -> str | None:
    """The split that folders above a file say; a test split holds all that lies below it."""
    found = {split_of(part) for part in parts}
    return next((split for split in ("test", "val", "train") if split in found), None)


def split_said(folder: str) -> str | None:
    """As `split_of`, also of a name that says a domain as well: ``testA``."""
    match = _LETTERED.fullmatch(folder)
    return split_of(folder) or (None if match is None else split_of(match["split"]))


def by_split_and_domain(folders: Sequence[str]) -> dict[str, dict[str, str]]:
    """Folders by domain and split, where their names say both; empty where they say no split.

    ``trainA`` and ``Test_B`` always do. ``train_cats`` and ``cats-val`` do where each of two or
    more domains has a ``train`` folder, or where all folders are of one split: ``train_freight``
    and ``test_tubes`` are two domains.

    Raises:
        DataError: If it cannot be told.
    """
    found: dict[str, dict[str, str]] = {}
    lettered = False
    for folder in folders:
        for form in (_LETTERED, _CAPITAL, _FIRST, _LAST):
            match = form.fullmatch(folder)
            split = None if match is None else split_of(match["split"])
            if match is not None and split is not None:
                found.setdefault(match["domain"], {}).setdefault(split, folder)
                lettered = lettered or form is _LETTERED
                break
    matched = [folder for splits in found.values() for folder in splits.values()]
    alike = len({split for splits in found.values() for split in splits}) == 1
    trained = len(found) > 1 and all("train" in splits for splits in found.values())
    if lettered or trained or (alike and len(matched) == len(folders) > 1):
        return found
    for domain, splits in found.items():
        if len(splits) > 1:
            raise DataError(
                f"{', '.join(splits.values())} may be splits of {domain}, or domains",
                asked=f"folders {', '.join(folders[:_SHOWN])}",
                hint="Name each domain with --domain NAME=FOLDER.",
            )
    return {}
