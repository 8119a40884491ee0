"""Where translated files go: inside the output folder, distinct, never over an input."""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo_core.contracts.codec import Codec
from zoo_core.errors import DataError, UsageError
from zoo_core.finding import LeftOut, find_files, nothing_found

_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class InputSource:
    """A file to translate.

    Attributes:
        file: The file, as text: all files of a run are in memory, and a `Path` takes several times
            as much of it.
        place: Folder of its outputs, relative to the output folder.
        found: Folder in which it was found; None where the user named the file itself.
    """

    file: str
    place: Path = Path()
    found: Path | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.file)


@dataclass(slots=True)
class Entry:
    """A file to translate, the names of its outputs, and the file of each, as text."""

    source: InputSource
    targets: Sequence[str]
    files: Sequence[str]

    @property
    def outputs(self) -> dict[str, Path]:
        """The file of each output, by target."""
        return dict(zip(self.targets, map(Path, self.files), strict=True))


def expand(arguments: Sequence[str], codec: Codec, left_out: LeftOut) -> list[InputSource]:
    """The files that arguments mean: files, folders (with all below), and patterns.

    A name that is nothing of these stays as it is: reading it says what is wrong.

    Args:
        arguments: As the user gave them.
        codec: Says which files can be read.
        left_out: Takes what was found and is not used.

    Raises:
        DataError: If a folder holds nothing that can be read.
        UsageError: If no file fits a pattern.
    """
    sources: list[InputSource] = []
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            sources += _below(path, codec, left_out)
        elif not os.path.lexists(path) and _WILD.search(argument):
            sources += _matching(argument, codec, left_out)
        else:
            sources.append(InputSource(str(path)))
    return sources


def plan_outputs(
    sources: Sequence[InputSource],
    root: Path,
    targets: Sequence[str],
    suffix: Callable[[Path], str],
    left_out: LeftOut,
) -> list[Entry]:
    """Gives every input and target a file ``root/PLACE/STEM_TARGET.SUFFIX`` of its own.

    Where the output folder is below a folder that is translated, what it holds is no input; nor
    is what is another input's output. Files that the user named always are. Inputs of the same
    name are told apart by a number: ``cat_b.png``, ``cat-2_b.png``.

    Args:
        sources: The inputs.
        root: The output folder.
        targets: Names of the outputs.
        suffix: Suffix of the outputs of an input, with its dot.
        left_out: Takes the inputs that are not used.
    """
    parts = [safe_name(target) for target in targets]
    if len({part.casefold() for part in parts}) < len(parts):
        parts = [f"{i}-{part}" for i, part in enumerate(parts, 1)]
    whole = os.path.realpath(root)
    kept = []
    for source in sources:
        if _is_output(source, whole):
            left_out.add(source.path, "in the output folder")
        else:
            kept.append(source)
    here = _key(root).rstrip(os.sep) + os.sep
    # Only inputs in the output folder can be outputs of others, or stand in their way.
    inside = {key for source in kept if (key := _key(source.file)).startswith(here)}
    made = {_key(file) for s in kept if inside for file in _files(s, root, parts, suffix)}
    made -= {_key(source.file) for source in kept if source.found is None}
    taken = inside - made
    entries: list[Entry] = []
    used: set[str] = set()
    numbers: dict[str, int] = {}  # so that of thousands of one name none tries all before its own
    for source in kept:
        exact = os.path.abspath(source.file)  # noqa: PTH100
        if exact in used:
            left_out.add(source.path, "named twice")
            continue
        if _key(source.file) in made:
            left_out.add(source.path, "outputs of other inputs")
            continue
        used.add(exact)
        first = files = _files(source, root, parts, suffix)
        while any(_key(file) in taken for file in files):
            number = numbers[first[0]] = numbers.get(first[0], 1) + 1
            files = _files(source, root, parts, suffix, f"-{number}")
        taken |= {_key(file) for file in files}
        entries.append(Entry(source, targets, files))
    return entries


def prepare(path: Path, root: Path) -> None:
    """Makes the folder of an output, and makes sure that it is inside the output folder.

    Raises:
        DataError: If a link on the way leads out of it, or the folder cannot be made.
    """
    try:
        # Checked before anything is made, since making folders follows links too.
        parent, whole = Path(os.path.realpath(path.parent)), Path(os.path.realpath(root))
        if not parent.is_relative_to(whole):
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
    asked, hint = f"output folder {root}", "Choose another with --out."
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise UsageError(f"it cannot be made: {fault.strerror}", asked=asked, hint=hint) from fault
    if not os.access(root, os.W_OK | os.X_OK):
        raise UsageError("it may not be written to", asked=asked, hint=hint)


def safe_name(text: str) -> str:
    """A part of a file name that is no path: letters, digits, ``+ . _ -``, at most 80."""
    return re.sub(r"[^\w+.-]+", "-", text).strip(".-")[:80] or "output"


def _below(folder: Path, codec: Codec, left_out: LeftOut) -> list[InputSource]:
    found = find_files(folder, codec.suffixes, recognises=codec.recognises, what=codec.noun)
    if not found.files:
        raise nothing_found(found.left_out, f"folder {folder}", codec.suffixes, codec.noun)
    left_out.extend(found.left_out)
    places = {path.parent: path.parent.relative_to(folder) for path in found.files}
    return [InputSource(str(path), places[path.parent], folder) for path in found.files]


def _matching(pattern: str, codec: Codec, left_out: LeftOut) -> list[InputSource]:
    found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  (patterns may be absolute)
    if not found:
        raise UsageError(
            "no file fits this pattern",
            asked=f"input {pattern}",
            hint="Check the folder and the pattern; ** means any number of folders.",
        )
    parts = Path(pattern).parts
    base = Path(*itertools.takewhile(lambda part: not _WILD.search(part), parts))
    sources = []
    for path in map(Path, found):
        if path.is_dir():
            left_out.add(path, "folders that a pattern matched")
        else:
            sources.append(InputSource(str(path), found=base))
    return sources


def _files(
    source: InputSource,
    root: Path,
    parts: Sequence[str],
    suffix: Callable[[Path], str],
    number: str = "",
) -> tuple[str, ...]:
    end = suffix(source.path)
    stem = _stem(source, end) + number
    return tuple(str(root / source.place / f"{stem}_{part}{end}") for part in parts)


def _stem(source: InputSource, suffix: str) -> str:
    """The input's name without its suffix, short enough for the file system with what is added."""
    name = source.path.name
    whole = name.lower().endswith(suffix.lower()) and len(name) > len(suffix)  # as of .nii.gz
    stem = name[: -len(suffix)] if whole else source.path.stem
    raw = os.fsencode(stem)
    return stem if len(raw) <= 150 else os.fsdecode(raw[:150])


def _is_output(source: InputSource, whole: str) -> bool:
    """Whether a file that was found lies in an output folder below the folder that was searched."""
    if source.found is None:
        return False
    found, root = Path(os.path.realpath(source.found)), Path(whole)
    if root == found or not root.is_relative_to(found):
        return False
    return Path(os.path.realpath(source.file)).is_relative_to(root)


def _key(path: Path | str) -> str:
    """Equal for names of the same file, also where the file system ignores case."""
    return os.path.abspath(path).casefold()  # noqa: PTH100  (links must not be followed)
