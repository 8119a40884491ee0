"""Where translated files go: inside the output folder, distinct, never over an input."""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zoo_core.errors import DataError, UsageError
from zoo_core.translate.inputs import files_in

_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class InputSource:
    """A file to translate.

    Attributes:
        path: The file.
        place: Folder of its outputs, relative to the output folder.
        found: Folder in which it was found; None where the user named the file itself.
    """

    path: Path
    place: Path = Path()
    found: Path | None = None


@dataclass
class Entry:
    """A file to translate, and the file of each output by target."""

    source: InputSource
    outputs: dict[str, Path] = field(default_factory=dict)

    def missing(self, overwrite: bool) -> dict[str, Path]:
        """The outputs that have to be written."""
        return {
            target: path
            for target, path in self.outputs.items()
            if overwrite or not os.path.lexists(path)
        }


def expand(arguments: Sequence[str], suffixes: Sequence[str]) -> Iterator[InputSource]:
    """The files that arguments mean: files, folders (with all below), and patterns.

    A name that is nothing of these stays as it is: reading it says what is wrong.

    Raises:
        DataError: If a folder holds nothing that can be read.
    """
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            yield from _below(path, suffixes)
        elif not path.exists() and _WILD.search(argument):
            found = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207  (patterns may be absolute)
            if not found:
                raise UsageError(
                    "no file fits this pattern",
                    asked=f"input {argument}",
                    hint="Check the folder and the pattern; ** means any number of folders.",
                )
            base = _base(argument)
            yield from (InputSource(Path(m), found=base) for m in found if not Path(m).is_dir())
        else:
            yield InputSource(path)


def plan_outputs(
    sources: Sequence[InputSource], root: Path, targets: Sequence[str], suffix: str
) -> list[Entry]:
    """Gives every input and target a file ``root/PLACE/STEM_TARGET.SUFFIX`` of its own.

    Where the output folder is below a folder that is translated, what it holds is no input; nor
    is what is another input's output. Files that the user named always are. Inputs of the same
    name are told apart by a number: ``cat_b.png``, ``cat-2_b.png``.

    Args:
        sources: The inputs.
        root: The output folder.
        targets: Names of the outputs.
        suffix: Suffix of the outputs with its dot.
    """
    kept = [source for source in sources if not _is_output(source, root)]
    made = {_key(path) for source in kept for path in _names(source, root, targets, suffix)}
    kept = [source for source in kept if source.found is None or _key(source.path) not in made]
    taken = {_key(source.path) for source in kept}
    entries, seen = [], set()
    for source in kept:
        exact = os.path.abspath(source.path)  # noqa: PTH100
        if exact in seen:
            continue  # the same file was named twice
        seen.add(exact)
        paths = _free(source, root, targets, suffix, taken)
        taken |= {_key(path) for path in paths}
        entries.append(Entry(source, dict(zip(targets, paths, strict=True))))
    return entries


def prepare(path: Path, root: Path) -> None:
    """Makes the folder of an output, and makes sure that it is inside the output folder.

    Raises:
        DataError: If a link on the way leads out of it, or the folder cannot be made.
    """
    try:
        # Checked before anything is made, since making folders follows links too.
        if not path.parent.resolve().is_relative_to(root.resolve()):
            raise DataError(
                "a link in the output folder leads out of it, so nothing is written",
                asked=str(path),
                hint="Remove the link, or choose another output folder.",
            )
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise DataError(
            f"the output folder cannot be made: {fault.strerror}", asked=str(path.parent)
        ) from fault


def prepare_root(root: Path) -> None:
    """Makes the output folder.

    Raises:
        UsageError: If it is a file or cannot be made or written to.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise UsageError(
            f"it cannot be made: {fault.strerror}",
            asked=f"output folder {root}",
            hint="Choose another with --out.",
        ) from fault
    if not os.access(root, os.W_OK | os.X_OK):
        raise UsageError(
            "it may not be written to",
            asked=f"output folder {root}",
            hint="Choose another with --out.",
        )


def safe_name(text: str) -> str:
    """A part of a file name that is no path: letters, digits, ``+ . _ -``."""
    return re.sub(r"[^\w+.-]+", "-", text).strip(".-") or "output"


def _below(folder: Path, suffixes: Sequence[str]) -> Iterator[InputSource]:
    for path in files_in(folder, suffixes):
        yield InputSource(path, path.parent.relative_to(folder), folder)


def _names(source: InputSource, root: Path, targets: Sequence[str], suffix: str) -> list[Path]:
    return [
        root / source.place / f"{source.path.stem}_{safe_name(target)}{suffix}"
        for target in targets
    ]


def _free(
    source: InputSource, root: Path, targets: Sequence[str], suffix: str, taken: set[str]
) -> list[Path]:
    """File names that are not taken, nor taken by each other."""
    number = 1
    while True:
        stem = source.path.stem if number == 1 else f"{source.path.stem}-{number}"
        parts = [safe_name(target) for target in targets]
        if len({part.casefold() for part in parts}) < len(parts):
            parts = [f"{i}-{part}" for i, part in enumerate(parts, 1)]
        paths = [root / source.place / f"{stem}_{part}{suffix}" for part in parts]
        if not any(_key(path) in taken for path in paths):
            return paths
        number += 1


def _is_output(source: InputSource, root: Path) -> bool:
    """Whether a file that was found lies in an output folder below the folder that was searched."""
    if source.found is None:
        return False
    whole, found = root.resolve(), source.found.resolve()
    below = whole != found and whole.is_relative_to(found)
    return below and source.path.resolve().is_relative_to(whole)


def _base(pattern: str) -> Path:
    """The folder that a pattern searches: its part before the first wildcard."""
    parts = Path(pattern).parts
    fixed = itertools.takewhile(lambda part: not _WILD.search(part), parts)
    return Path(*fixed)


def _key(path: Path) -> str:
    """Equal for names of the same file, also where the file system ignores case."""
    return os.path.abspath(path).casefold()  # noqa: PTH100  (links must not be followed)
