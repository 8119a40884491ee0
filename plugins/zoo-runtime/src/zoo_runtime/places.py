"""Which files are translated, and where each translation goes: never over an input."""

from __future__ import annotations

import glob
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


def expand(arguments: Sequence[str], left_out: list[Path]) -> Iterator[Input]:
    """The files that arguments mean: files, folders with all below, and patterns.

    ``left_out`` takes the files in folders whose suffix is no picture's.
    """
    for argument in arguments:
        path = Path(argument)
        if not os.path.lexists(path) and any(mark in argument for mark in "*?["):
            names = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207  (any root)
            named = [Path(each) for each in names]
            if not named:
                raise RunError("no file fits", asked=f"pattern {argument}")
        else:
            named = [path]
        for each in named:
            yield from _inside(each, left_out) if each.is_dir() else [Input(each)]


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
    made -= {_key(each.path) for each in kept if each.found is None}
    used = {
        os.path.abspath(each.path): each  # noqa: PTH100  (links must not be followed)
        for each in kept
        if _key(each.path) not in made
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


def _inside(folder: Path, left_out: list[Path]) -> Iterator[Input]:
    found = sorted(_below(folder), key=lambda path: path.relative_to(folder).parts)
    used = [path for path in found if path.name.lower().endswith(SUFFIXES)]
    if not used:
        raise RunError("it holds no picture that is read here", asked=f"folder {folder}")
    left_out += [path for path in found if not path.name.lower().endswith(SUFFIXES)]
    return (Input(path, path.parent.relative_to(folder), folder) for path in used)


def _below(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = [n for n in folders if n[0] != "." and n.lower() not in _IGNORED]
        yield from (Path(where) / name for name in names if name[0] != ".")


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
