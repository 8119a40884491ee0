"""Whether the data of an evaluation was held out of the training, as it says and as is known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo_core.errors import DataError, printable
from zoo_core.untrusted import member, read_text, read_yaml_file
from zoo_train.data.trained_on import TRAINED_ON, TrainedOn

DECLARATION = "dataset.yaml"
"""File of a data set that may declare ``paired: true``: files of one name show the same."""
NOT_HELD_OUT = "not held out"
_DATA = re.compile(r"^## Data\n+(?P<said>[^#\s].*?)(?=\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)
"""The first paragraph of what a model's card says of its data."""
_SAID = 600
"""Most characters of it that are told."""


def split_in_words(dataset: Any, asked: str) -> str:
    """The split that was found: as asked for, or ``none`` where the data has no splits."""
    found = getattr(dataset, "found", None)
    if not found:
        return asked
    splits = {name: found[name].split or "none" for name in dataset.stores}
    if len(set(splits.values())) == 1:
        return next(iter(splits.values()))
    return ", ".join(f"{name}: {split}" for name, split in splits.items())


def trained_on_counts(dataset: Any, known: TrainedOn | None) -> dict[str, tuple[int, int]]:
    """By domain, how many signals were trained on, of how many for which that is known."""
    if known is None or not hasattr(dataset, "hashes"):
        return {}
    return {name: known.count(dataset.hashes[name]) for name in dataset.stores}


def training_notes(counts: Mapping[str, tuple[int, int]], noun: str) -> list[str]:
    """What is to be said of signals that were trained on, by domain."""
    return [
        f"{name}: {seen:,} of {known:,} {noun}s were trained on"
        for name, (seen, known) in counts.items()
        if seen
    ]


def unknown_training(directory: Path) -> str:
    """What is to be said of a model without hashes of its training signals: its card's words.

    Args:
        directory: The model directory, which may be a stranger's.

    Raises:
        WeightsError: If its card is a link that leads out of it.
    """
    path = member(directory, "README.md")
    text = "" if path is None else read_text(path, errors="replace")
    found = _DATA.search(text)
    said = printable(" ".join(found["said"].split()), limit=_SAID) if found else ""
    card = f"says: {said}" if said and said != "Not stated." else "does not say either"
    return (
        "whether these signals were trained on is not known: the model has no hashes of what it "
        f"was trained on ({TRAINED_ON}); its card {card}"
    )


def declared_paired(data: str | Path | None) -> bool | None:
    """What a data set declares of its files of one name; None where it says nothing.

    Raises:
        DataError: If its declaration is malformed.
    """
    path = None if data is None else Path(data) / DECLARATION
    if path is None or not path.is_file():
        return None
    value = read_yaml_file(path, error=DataError).get("paired")
    if value is not None and not isinstance(value, bool):
        raise DataError(f'"paired" is {value!r}', asked=str(path), hint="Write true or false.")
    return value
