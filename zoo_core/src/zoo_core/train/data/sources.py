"""Sources of signals: what a user may write for data, and which files it stands for.

A SOURCE is one of:

- ``DIR``: a folder of signals, searched recursively. Where it has the subfolders ``train`` and
  ``test``, that of the split is taken; folders named by digits give class numbers.
- ``DIR/*_name_*.png``: files by pattern; ``DIR/*_name_{10..27}.wav`` by numbers as well, and
  ``{05..12}`` where they are padded with zeros.
- ``ROOT:Blond_Hair``, ``ROOT:!Blond_Hair``, ``ROOT:Blond_Hair,!Male``: the pictures of a folder in
  CelebA's layout for which all of these hold.
- ``mnist:ROOT``, ``usps:ROOT``, or another name that a plugin brings through ``zoo_components``.

Nothing is decoded here.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from zoo_core.contracts.codec import Codec, InMemorySignal
from zoo_core.contracts.signals import MIXED, Domains
from zoo_core.errors import DataError, PluginError, UsageError, ZooError, unknown
from zoo_core.host.plugins import host
from zoo_core.train.data.folders import (
    Layout,
    check_folder,
    class_numbers,
    find_layout,
    require_layout,
    scan,
    split_folder,
)

_NAME = re.compile(r"[\w-]+")
_RESERVED = (MIXED, "all")
_RANGE = re.compile(r"\{(?P<first>\d+)\.\.(?P<last>\d+)\}")
_LONGEST = 10_000


@dataclass(frozen=True)
class DataSource:
    """A SOURCE, taken apart.

    Attributes:
        kind: ``folder``, ``pattern``, ``attribute`` (CelebA's layout) or ``set`` (by a plugin).
        path: Folder, or pattern.
        argument: The attributes, or the name of the set.
    """

    kind: Literal["folder", "pattern", "attribute", "set"]
    path: Path
    argument: str = ""


@dataclass(frozen=True)
class Found:
    """What one source holds.

    Attributes:
        files: Files, or signals in memory.
        names: Name of each, relative to the source.
        labels: (M, K) attributes or (M,) class numbers, or None.
        place: Where they come from, in plain words.
    """

    files: Sequence[Path | InMemorySignal]
    names: Sequence[str]
    labels: Tensor | None
    place: str


def parse_domains(texts: Sequence[str]) -> dict[str, str]:
    """Takes ``NAME=SOURCE`` apart, for each ``--domain``.

    Raises:
        UsageError: If one has no name or no source, a name is unusable, or one is given twice.
    """
    domains: dict[str, str] = {}
    for text in texts:
        name, equals, source = text.partition("=")
        name = name.strip()
        if not (equals and name and source.strip()):
            raise UsageError(
                "it is not of the form NAME=SOURCE",
                asked=f'domain "{text}"',
                hint="For example --domain photo=pictures/photos.",
            )
        if name in domains:
            raise UsageError("it is named twice", asked=f'domain "{name}"', hint="Rename one.")
        domains[name] = source.strip()
    for name in domains:
        check_name(name)
    return domains


def parse_source(text: str, sets: Collection[str] = ()) -> DataSource:
    """Takes a SOURCE apart; looks at the disk only to tell a folder's name from a prefix.

    Args:
        text: The source.
        sets: Names of the data sets that plugins bring.

    Raises:
        UsageError: If it is empty, or its prefix is unknown and no such path exists.
    """
    if not text.strip() or "\0" in text:
        raise UsageError(
            "it is empty or holds a zero byte", asked=f"source {text!r}", hint="Give a folder."
        )
    path = _path(text)
    if _exists(path):
        return DataSource("folder", path)
    prefix, colon, rest = text.partition(":")
    if colon and prefix in sets:
        if not rest.strip():
            raise UsageError(
                "it names no folder", asked=f'source "{text}"', hint=f"Write {prefix}:FOLDER."
            )
        return DataSource("set", _path(rest), prefix)
    root, colon, expression = text.rpartition(":")
    if colon and root and _exists(_path(root)):
        return DataSource("attribute", _path(root), expression)
    if any(mark in text for mark in "*?[") or _RANGE.search(text):
        return DataSource("pattern", path)
    if colon and prefix.isidentifier() and len(prefix) > 1:
        raise unknown(
            "data source or folder",
            prefix,
            sets,
            next_step=f"Sources are a folder, ROOT:ATTRIBUTE, or one of "
            f"{', '.join(f'{name}:ROOT' for name in sorted(sets)) or 'none installed'}.",
        )
    return DataSource("folder", path)


def check_name(name: str) -> None:
    """Refuses what cannot name a domain.

    Raises:
        UsageError: If it has odd characters or is reserved.
    """
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise UsageError(
            "a domain's name is made of letters, digits, _ and -, and is neither "
            + " nor ".join(_RESERVED),
            asked=f'domain "{name}"',
            hint="Rename it.",
        )


def collect(source: DataSource, split: str, codec: Codec) -> Found:
    """Gathers the files, names and labels of one source; decodes nothing.

    Raises:
        DataError: If the source cannot be used.
        UsageError: If it names an unknown attribute or split.
    """
    path = source.path
    if source.kind == "set":
        return _from_set(source.argument, path, split, codec)
    if source.kind == "pattern":
        return _from_pattern(path, codec)
    if source.kind == "attribute":
        return _from_attribute(path, source.argument, split, codec)
    check_folder(path)
    layout = find_layout(path)
    if layout is not None:
        return _select(layout, "", split, codec)
    if (path / "train").is_dir() and split != "all":
        path = split_folder(path, split)
    return _from_folder(path, codec)


def collect_attributes(
    root: Path, attributes: Sequence[str], split: str, codec: Codec
) -> tuple[Found, Domains]:
    """Gathers a folder that a data source recognises, with the labels (M, K) of the attributes."""
    check_folder(root)
    layout = require_layout(root)
    table, files = layout.read(split, codec.suffixes)
    columns = [table.column(name) for name in attributes]
    rows = [[table.rows[file.name][column] for column in columns] for file in files]
    labels = torch.tensor(rows, dtype=torch.float32)  # (M, K)
    for name, count in zip(attributes, labels.sum(0).tolist(), strict=True):
        if count in (0, len(files)):
            raise DataError(
                f"it holds for {'no' if count == 0 else 'every'} {codec.noun} of the split {split}",
                asked=f'attribute "{name}"',
                hint="A translation can be learnt only where both cases occur.",
            )
    domains = Domains(tuple(attributes), "attributes", table.exclusive_groups(attributes))
    place = f"{layout.signals}, split {split}"
    return Found(files, [file.name for file in files], labels, place), domains


def _from_folder(folder: Path, codec: Codec) -> Found:
    files = scan(folder, codec.suffixes, what=codec.noun)
    classes = class_numbers(files)
    names = [file.relative_to(folder).as_posix() for file in files]
    labels = None if classes is None else torch.tensor(classes)  # (M,)
    return Found(files, names, labels, str(folder))


def _from_pattern(pattern: Path, codec: Codec) -> Found:
    each = (glob.glob(one, recursive=True) for one in _ranges(str(pattern)))  # noqa: PTH207
    found = sorted({Path(name) for names in each for name in names})
    files = [path for path in found if path.suffix.lower() in codec.suffixes and path.is_file()]
    if not files:
        raise DataError(
            f"no {codec.noun} matches it ({len(found)} other files do)",
            asked=f"pattern {pattern}",
            hint=f"Files that count end in {', '.join(codec.suffixes)}.",
        )
    return Found(files, [file.name for file in files], None, str(pattern))


def _from_attribute(root: Path, expression: str, split: str, codec: Codec) -> Found:
    if not expression.strip():
        raise UsageError(
            "it names no attribute", asked=f"source {root}:", hint="Write ROOT:ATTRIBUTE."
        )
    check_folder(root)
    return _select(require_layout(root), expression, split, codec)


def _select(layout: Layout, expression: str, split: str, codec: Codec) -> Found:
    """The signals for which every attribute of ``A,!B`` holds, or does not where negated."""
    table, files = layout.read(split, codec.suffixes)
    for term in filter(None, (term.strip() for term in expression.split(","))):
        column, wanted = table.column(term.removeprefix("!")), not term.startswith("!")
        files = [file for file in files if table.rows[file.name][column] == wanted]
    if not files:
        raise DataError(
            f"no {codec.noun} of the split {split} is so",
            asked=f"source {layout.root}:{expression}",
            hint="Ask for fewer attributes at once.",
        )
    where = f" where {expression}" if expression else ""
    return Found(
        files, [file.name for file in files], None, f"{layout.signals}{where}, split {split}"
    )


def _from_set(name: str, root: Path, split: str, codec: Codec) -> Found:
    source = host().load("source", name)
    if hasattr(source, "recognise"):
        check_folder(root)
        layout = source.recognise(root)
        if layout is None:
            raise DataError(
                "it is in another layout",
                asked=f"source {name}:{root}",
                hint=f"{host().find('source', name).summary}.",
            )
        return _select(layout, "", split, codec)
    pairs: list[tuple[Any, Any]] = []
    try:
        for value, label in source(root, split):
            pairs.append((value, label))
    except ZooError:
        raise
    except Exception as error:
        raise PluginError(
            f"reading it failed: {type(error).__name__}: {error}", asked=f"source {name}:{root}"
        ) from error
    if not pairs:
        raise DataError("it is empty", asked=f"source {name}:{root}, split {split}")
    names = [f"{position:08d}" for position in range(len(pairs))]
    samples = [InMemorySignal(key, value) for key, (value, _) in zip(names, pairs, strict=True)]
    classes = [label for _, label in pairs]
    known = all(isinstance(label, int) for label in classes)
    labels = torch.tensor(classes) if known else None  # (M,)
    return Found(samples, names, labels, f"{name}:{root}, split {split}")


def _ranges(pattern: str) -> list[str]:
    """A pattern with each ``{FIRST..LAST}`` replaced by each of its numbers, as a shell does it.

    Numbers are as wide as the first one where that begins with a zero.

    Raises:
        UsageError: If a range is empty or very long.
    """
    match = _RANGE.search(pattern)
    if match is None:
        return [pattern]
    first, last = int(match["first"]), int(match["last"])
    head, tail = pattern[: match.start()], _ranges(pattern[match.end() :])
    if not 0 < (last + 1 - first) * len(tail) <= _LONGEST:
        raise UsageError(
            f"it holds no number, or more than {_LONGEST:,}",
            asked=f'range "{match.group()}"',
            hint="Write {FIRST..LAST}, the smaller number first.",
        )
    width = len(match["first"]) if match["first"].startswith("0") else 0
    return [f"{head}{n:0{width}}{rest}" for n in range(first, last + 1) for rest in tail]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long a name, say
        return False


def _path(text: str) -> Path:
    return Path(text).expanduser() if text.startswith("~/") else Path(text)
