"""Gathers the files, names and labels of one source; decodes nothing."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core.contracts.codec import Codec, InMemorySignal
from zoo_core.contracts.signals import Domains
from zoo_core.errors import DataError, PluginError, UsageError, ZooError, unknown
from zoo_core.train.data.grammar import ranges
from zoo_core.train.data.layouts import Layout, find_layout, require_layout
from zoo_core.train.data.scan import check_folder, class_numbers, scan

if TYPE_CHECKING:
    from torch import Tensor


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


def collect(kind: str, path: Path, argument: str, split: str, codec: Codec) -> Found:
    """Gathers a parsed `zoo_core.train.data.sources.DataSource`.

    Raises:
        DataError: If the source cannot be used.
        UsageError: If it names an unknown attribute or split.
    """
    if kind == "set":
        return _from_set(argument, path, split, codec)
    if kind == "pattern":
        return _from_pattern(path, codec)
    if kind == "attribute":
        return _from_attribute(path, argument, split, codec)
    check_folder(path)
    layout = find_layout(path)
    if layout is not None:
        return _select(layout, "", split, codec)
    return _from_folder(_split_folder(path, split), codec)


def collect_attributes(
    root: Path, attributes: Sequence[str], split: str, codec: Codec
) -> tuple[Found, Domains]:
    """Gathers a folder that a data source recognises, with the labels (M, K) of the attributes."""
    import torch

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
    import torch

    files = scan(folder, codec.suffixes, what=codec.noun)
    classes = class_numbers(files)
    names = [file.relative_to(folder).as_posix() for file in files]
    labels = None if classes is None else torch.tensor(classes)  # (M,)
    return Found(files, names, labels, str(folder))


def _from_pattern(pattern: Path, codec: Codec) -> Found:
    each = (glob.glob(one, recursive=True) for one in ranges(str(pattern)))  # noqa: PTH207
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
    import torch

    from zoo_core.host.plugins import host

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


def _split_folder(folder: Path, split: str) -> Path:
    """The subfolder of a split, where the folder has any."""
    names = ["train", "val", "valid", "test"]
    there = [name for name in names if (folder / name).is_dir()]
    if "train" not in there or split == "all":
        return folder
    wanted = ("val", "valid") if split == "val" else (split,)
    chosen = next((name for name in there if name in wanted), None)
    if chosen is None:
        if split not in names:
            raise unknown("split", split, ["train", "val", "test", "all"])
        raise DataError(
            f'it has no split "{split}"',
            asked=f"folder {folder}",
            hint=f"It holds {', '.join(there)}.",
        )
    return folder / chosen
