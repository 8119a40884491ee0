"""From a source to its files: those of the split that is asked for, and an account of the others.

Nothing is decoded here.
"""

from __future__ import annotations

import contextlib
import glob
import itertools
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from zoo_core.contracts.codec import Codec, InMemorySignal
from zoo_core.errors import DataError, PluginError, UsageError, ZooError, printable
from zoo_core.finding import Found, find_files, nothing_found, require_folder, sift
from zoo_core.host.plugins import host
from zoo_train.data.folders import (
    DomainFolders,
    SourceFiles,
    find_layout,
    lacks_split,
    require_layout,
    understood,
)
from zoo_train.data.sources import DataSource, ranges
from zoo_train.data.splits import (
    by_split_and_domain,
    check_split,
    split_of,
    split_of_path,
    split_said,
)

_WILD = re.compile(r"[*?[{]")
_SHOWN = 4


def collect(source: DataSource, split: str, codec: Codec) -> SourceFiles:
    """Gathers the files, names and labels of one source; decodes nothing.

    Raises:
        DataError: If the source cannot be used.
        UsageError: If it names an unknown attribute or split.
    """
    check_split(split)
    path = source.path
    if source.kind == "set":
        return _from_set(source.argument, path, split, codec)
    if source.kind == "pattern":
        return _from_pattern(path, split, codec)
    if source.kind == "attribute":
        return _from_attribute(path, source.argument, split, codec)
    if not os.path.isfile(path):  # noqa: PTH113  (false for names that no disk can hold)
        require_folder(path)
    layout = find_layout(path)
    if layout is not None:
        return layout.select("", split, codec)
    return collect_folders(DomainFolders([path]), split, codec)


def collect_folders(domain: DomainFolders, split: str, codec: Codec) -> SourceFiles:
    """Gathers the files of one domain's folders, of the split that is asked for."""
    found, names = Found(), []
    base = Path(os.path.commonpath(domain.folders))
    for folder in domain.folders:
        below = find_files(folder, codec.suffixes, recognises=codec.recognises, what=codec.noun)
        found.files += below.files
        found.left_out.extend(below.left_out)
        names += [file.relative_to(base).parts for file in below.files]
    place = ", ".join(str(folder) for folder in domain.folders)
    if not found.files:
        raise nothing_found(found.left_out, f"folder {place}", codec.suffixes, codec.noun)
    part = _of_split(Path(place), found, names, split)
    notes = [*domain.notes, *part.notes]
    own = domain.split or _split_of_folder(domain.folders[0])
    if domain.split is None and split == "train" and own in ("val", "test"):
        notes.append(f"warning: {place} is named like the split {own}, and is trained on")
    classes = [file.parent.name for file in part.files if isinstance(file, Path)]
    labels = None
    if all(name.isascii() and name.isdigit() for name in classes):  # as in 7/0012.png
        labels = torch.tensor([int(name) for name in classes])  # (M,)
    return replace(part, labels=labels, split=part.split or own, notes=notes)


def _of_split(place: Path, found: Found, parts: Sequence[Sequence[str]], split: str) -> SourceFiles:
    """The files below a place that are of a split, by the folders that they are in.

    Files that no folder says a split of are for training where others say one, and of every split
    where none does.

    Raises:
        DataError: If there are splits, but not this one, or folders name splits of many domains.
    """
    _refuse_many_domains(place, parts)
    splits = [split_of_path(path[:-1]) for path in parts]
    there = sorted({known for known in splits if known is not None})
    if not there or split == "all":
        names = ["/".join(path) for path in parts]
        known = "all" if there else None
        return SourceFiles(found.files, names, None, str(place), known, found.left_out)
    kept, left_out = [], found.left_out
    for at, (file, known) in enumerate(zip(found.files, splits, strict=True)):
        if known == split or (known is None and split == "train"):
            kept.append(at)
        else:
            left_out.add(file, f"of the split {known or 'train'}")
    if not kept:
        raise lacks_split(place, split, there)
    names = [
        "/".join([*(part for part in parts[at][:-1] if split_of(part) is None), parts[at][-1]])
        for at in kept
    ]
    files = [found.files[at] for at in kept]
    said = {part: known for path in parts for part in path[:-1] if (known := split_of(part))}
    notes = (understood(said),)
    return SourceFiles(files, names, None, f"{place}, split {split}", split, left_out, notes)


def _refuse_many_domains(place: Path, parts: Sequence[Sequence[str]]) -> None:
    """Raises `DataError` where the folders of one domain are ``trainA``, ``trainB`` …"""
    tops = sorted({path[0] for path in parts if len(path) > 1})
    found = by_split_and_domain(tops)
    if len({split for splits in found.values() for split in splits}) > 1 or (
        found and all(len(domain) == 1 for domain in found)
    ):
        raise DataError(
            f"{', '.join(tops[:_SHOWN])} are splits of {', '.join(sorted(found)[:_SHOWN])}",
            asked=f"folder {printable(str(place))} as one domain",
            hint=f"Give all at once with --data {place}, or one with --domain NAME="
            f"{place / tops[-1]}.",
        )


def _split_of_folder(folder: Path) -> str | None:
    """The split that a folder's own name says, or that above it where others lie beside that."""
    folder = folder.absolute()
    said, above = split_said(folder.name), split_of(folder.parent.name)
    if said is None and above is not None:
        with contextlib.suppress(OSError):  # it may lie where nothing may be listed
            beside = {split_of(path.name) for path in folder.parent.parent.iterdir()}
            return above if len(beside - {None}) > 1 else None
    return said


def _from_pattern(pattern: Path, split: str, codec: Codec) -> SourceFiles:
    head = Path(*itertools.takewhile(lambda part: not _WILD.search(part), pattern.parts))
    each = (glob.glob(one, recursive=True) for one in ranges(str(pattern)))  # noqa: PTH207
    matched = sorted({Path(name) for names in each for name in names})
    found = sift(matched, codec.suffixes, recognises=codec.recognises, what=codec.noun)
    if not found.files:
        raise DataError(
            f"no {codec.noun} matches it ({len(found.left_out)} other files do)",
            asked=f"pattern {printable(str(pattern))}",
            hint=f"Files that count end in {', '.join(codec.suffixes)}.",
        )
    names = [file.relative_to(head).parts for file in found.files]
    part = _of_split(head, found, names, split)
    place = f"{pattern}, split {part.split}" if part.split else str(pattern)
    return replace(part, place=place)


def _from_attribute(root: Path, expression: str, split: str, codec: Codec) -> SourceFiles:
    if not expression.strip():
        raise UsageError(
            "it names no attribute", asked=f"source {root}:", hint="Write ROOT:ATTRIBUTE."
        )
    return require_layout(root).select(expression, split, codec)


def _from_set(name: str, root: Path, split: str, codec: Codec) -> SourceFiles:
    source = host().load("source", name)
    if hasattr(source, "recognise"):
        layout = source.recognise(root)
        if layout is None:
            raise DataError(
                "it is in another layout",
                asked=f"source {name}:{root}",
                hint=f"{host().find('source', name).summary}.",
            )
        chosen: SourceFiles = layout.select("", split, codec)
        return chosen
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
    return SourceFiles(samples, names, labels, f"{name}:{root}, split {split}", split)
