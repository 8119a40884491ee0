"""Which files are translated, and where each translation goes: never over an input."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo_runtime.model import RunError
from zoo_runtime.pictures import SUFFIXES

_IGNORED = {"__macosx", "__pycache__", "@eadir", "$recycle.bin", "lost+found"}


@dataclass(frozen=True)
class Input:
    """A file, the folder of its outputs below the output folder, and where it was found."""

    path: Path
    place: Path = Path()
    found: Path | None = None


def expand(arguments: Sequence[str]) -> Iterator[Input]:
    """The files that arguments mean: files, and folders with all below."""
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            found = sorted(_below(path), key=lambda each: each.relative_to(path).parts)
            if not found:
                raise RunError("it holds no picture", asked=f"folder {path}")
            yield from (Input(each, each.parent.relative_to(path), path) for each in found)
        else:
            yield Input(path)


def planned(
    inputs: Sequence[Input], root: Path, targets: Sequence[str]
) -> Iterator[tuple[Path, dict[str, Path]]]:
    """Inputs, and the file ``root/PLACE/STEM_TARGET.png`` of each output by target.

    What lies in an output folder below the folder that is searched is no input, nor is another
    input's output. Inputs of one name are told apart by a number.
    """
    whole = Path(os.path.realpath(root))
    kept = [each for each in inputs if not _is_output(each, whole)]
    made = {_key(path) for each in kept for path in _names(each, root, targets, 1).values()}
    named = {_key(each.path) for each in kept if each.found is None}
    used = {
        os.path.abspath(each.path): each  # noqa: PTH100  (links must not be followed)
        for each in kept
        if each.found is None or _key(each.path) not in made - named
    }
    taken = {_key(each.path) for each in used.values()}
    for each in used.values():
        for number in itertools.count(1):
            names = _names(each, root, targets, number)
            keys = {_key(path) for path in names.values()}
            if not keys & taken:
                taken |= keys
                yield each.path, names
                break


def _below(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = [n for n in folders if n[0] != "." and n.lower() not in _IGNORED]
        for name in names:
            if name[0] != "." and name.lower().endswith(SUFFIXES):
                yield Path(where) / name


def _names(each: Input, root: Path, targets: Sequence[str], number: int) -> dict[str, Path]:
    stem = os.fsdecode(os.fsencode(each.path.stem)[:150])
    stem = stem if number == 1 else f"{stem}-{number}"
    parts = [re.sub(r"[^\w+.-]+", "-", name).strip(".-")[:80] or "output" for name in targets]
    if len({part.casefold() for part in parts}) < len(parts):
        parts = [f"{place}-{part}" for place, part in enumerate(parts, 1)]
    files = [root / each.place / f"{stem}_{part}.png" for part in parts]
    return dict(zip(targets, files, strict=True))


def _is_output(each: Input, root: Path) -> bool:
    if each.found is None:
        return False
    found = Path(os.path.realpath(each.found))
    below = root != found and root.is_relative_to(found)
    return below and Path(os.path.realpath(each.path)).is_relative_to(root)


def _key(path: Path) -> str:
    return os.path.abspath(path).casefold()  # noqa: PTH100
