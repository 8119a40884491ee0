"""From what a user names as data to checked, decoded stores, described in plain words.

A SOURCE is one of:

- ``DIR``: a folder of signals, searched recursively. Where it has the subfolders ``train`` and
  ``test``, that of the split is taken; folders named by digits give class numbers.
- ``DIR/*_name_*.png``: files by pattern.
- ``ROOT:Blond_Hair``, ``ROOT:!Blond_Hair``, ``ROOT:Blond_Hair,!Male``: the pictures of a folder in
  CelebA's layout for which all of these hold.
- ``mnist:ROOT``, ``usps:ROOT``, or another name that a plugin brings through ``zoo_datasets``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from zoo_core.codec import Codec, Store
from zoo_core.data.collect import Found, collect, collect_attributes
from zoo_core.data.sampling import Sampler, Sampling
from zoo_core.data.scan import check_folder, subfolders
from zoo_core.errors import DataError, UsageError, unknown
from zoo_core.signals import MIXED, Domains
from zoo_core.spec import TrainConfig

Progress = Callable[[str, int, int], None]
"""Called with (domain, files done, files in all) while files are decoded."""

_NAME = re.compile(r"[\w-]+")
_RESERVED = (MIXED, "all")
_SHOWN = 5


@dataclass(frozen=True)
class Source:
    """A SOURCE, taken apart.

    Attributes:
        kind: ``folder``, ``pattern``, ``attribute`` (CelebA's layout) or ``set`` (by a plugin).
        path: Folder, or pattern.
        argument: The attributes, or the name of the set.
    """

    kind: Literal["folder", "pattern", "attribute", "set"]
    path: Path
    argument: str = ""


@dataclass
class DataSet:
    """Checked and decoded data.

    Attributes:
        domains: The domains or attributes.
        stores: By domain; for attributes, one under `zoo_core.signals.MIXED` with labels (M, K).
        places: Where each store's signals come from, in plain words.
        noun: What a signal is called.
    """

    domains: Domains
    stores: dict[str, Store]
    places: dict[str, str] = field(default_factory=dict)
    noun: str = "signal"

    def describe(self) -> list[str]:
        """What was found, in plain words: path, count, sizes, format, and what was skipped."""
        lines = []
        for name, store in self.stores.items():
            head = "" if name == MIXED else f"{name}: "
            lines.append(
                f"{head}{len(store):,} {self.noun}s from {self.places.get(name, 'memory')} "
                f"({store.summary})"
            )
            if name == MIXED and store.labels is not None:
                counts = store.labels.sum(0).int().tolist()
                held = ", ".join(
                    f"{attribute} {count:,}"
                    for attribute, count in zip(self.domains.names, counts, strict=True)
                )
                lines.append(f"  attributes: {held}")
            if store.skipped:
                lines.append(f"  warning: {len(store.skipped):,} skipped")
                lines += [f"    {fault}" for fault in store.skipped[:_SHOWN]]
                if len(store.skipped) > _SHOWN:
                    lines.append(f"    and {len(store.skipped) - _SHOWN:,} more")
        return lines

    def sampler(self, batch: int, sampling: Sampling, seed: int) -> Sampler:
        """Draws batches; see `zoo_core.data.sampling.Sampler`."""
        return Sampler(self.stores, self.domains, batch, sampling, seed)


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
        _check_name(name)
    return domains


def parse_source(text: str, sets: Collection[str] = ()) -> Source:
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
    path = Path(text).expanduser() if text.startswith("~/") else Path(text)
    if _exists(path):
        return Source("folder", path)
    prefix, colon, rest = text.partition(":")
    if colon and prefix in sets:
        if not rest.strip():
            raise UsageError(
                "it names no folder", asked=f'source "{text}"', hint=f"Write {prefix}:FOLDER."
            )
        return Source(
            "set", Path(rest).expanduser() if rest.startswith("~/") else Path(rest), prefix
        )
    root, colon, expression = text.rpartition(":")
    folder = Path(root).expanduser() if root.startswith("~/") else Path(root)
    if colon and root and _exists(folder):
        return Source("attribute", folder, expression)
    if any(mark in text for mark in "*?["):
        return Source("pattern", path)
    if colon and prefix.isidentifier() and len(prefix) > 1:
        raise unknown(
            "data source or folder",
            prefix,
            sets,
            next_step=f"Sources are a folder, ROOT:ATTRIBUTE, or one of "
            f"{', '.join(f'{name}:ROOT' for name in sorted(sets)) or 'none installed'}.",
        )
    return Source("folder", path)


def open_sources(
    domains: Mapping[str, str],
    *,
    codec: Codec,
    config: TrainConfig,
    split: str = "train",
    cache: Path | None = None,
    attributes: Sequence[str] | None = None,
    data: str | None = None,
    progress: Progress | None = None,
    need: tuple[int, int | None] = (1, None),
) -> DataSet:
    """Checks sources, decodes them (once, where there is a cache) and labels them.

    Args:
        domains: SOURCE by domain's name; empty where ``data`` is given.
        codec: Reads the signals.
        config: Preprocessing and augmentation.
        split: ``train``, ``val``, ``test`` or ``all``, where a source has splits.
        cache: Folder for decoded signals; None keeps them in memory.
        attributes: Attributes to train on together; ``data`` is then in CelebA's layout.
        data: Folder with ``trainA``/``trainB``, ``train/<domain>`` or ``<domain>`` subfolders, or
            in CelebA's layout.
        progress: Told how many files are decoded.
        need: Fewest and most domains or attributes; None for no upper bound.

    Raises:
        UsageError: If the request contradicts itself or names something unknown.
        DataError: If a folder, list or file cannot be used.
    """
    if data is not None and domains:
        raise UsageError(
            "both name the data", asked="--data and --domain", hint="Give one of the two."
        )
    if data is None and attributes:
        raise UsageError(
            "they need the folder that holds the pictures and the list of attributes",
            asked=f"attributes {', '.join(attributes)}",
            hint="Add --data ROOT, or make domains: --domain NAME=ROOT:ATTRIBUTE.",
        )
    if data is not None and attributes:
        _check_count(attributes, "attribute", need)
        found, known = collect_attributes(Path(data), attributes, split, codec)
        return _open(
            {MIXED: found}, known, codec=codec, config=config, cache=cache, progress=progress
        )
    if data is not None:
        folders = domain_folders(Path(data), split)
        sources = {name: Source("folder", folder) for name, folder in folders.items()}
    else:
        from zoo_core.plugins import host

        sets = host().components("zoo_datasets") if domains else {}
        sources = {name: parse_source(text, sets) for name, text in domains.items()}
    for name in sources:
        _check_name(name)
    _check_count(list(sources), "domain", need)
    parts = {
        name: collect(source.kind, source.path, source.argument, split, codec)
        for name, source in sources.items()
    }
    return _open(
        parts,
        Domains(tuple(parts)),
        codec=codec,
        config=config,
        cache=cache,
        progress=progress,
    )


def domain_folders(root: Path, split: str) -> dict[str, Path]:
    """The folder of each domain below ``root``: ``trainA``, ``train/<domain>`` or ``<domain>``.

    Raises:
        DataError: If there is none, or none for the split.
        UsageError: If the folder is in CelebA's layout, which needs attributes.
    """
    check_folder(root)
    _refuse_celeba(root)
    below = subfolders(root)
    lettered = [p for p in below if re.fullmatch(r"(train|val|test)[A-Z]\w*", p.name)]
    if lettered:
        wanted = {p.name.removeprefix(split): p for p in lettered if p.name.startswith(split)}
        return wanted or _no_split(root, split, lettered)
    splits = [p for p in below if p.name in ("train", "val", "valid", "test")]
    if splits:
        names = ("val", "valid") if split == "val" else (split,)
        chosen = next((p for p in splits if p.name in names), None)
        if chosen is None:
            return _no_split(root, split, splits)
        root, below = chosen, subfolders(chosen)
    if not below:
        raise DataError(
            "it has no subfolder per domain",
            asked=f"data {root}",
            hint="Make one folder per domain in it, or name each with --domain NAME=FOLDER.",
        )
    return {p.name: p for p in below}


def _no_split(root: Path, split: str, there: Sequence[Path]) -> dict[str, Path]:
    raise DataError(
        f'it has no split "{split}"',
        asked=f"data {root}",
        hint=f"It holds {', '.join(p.name for p in there)}.",
    )


def _refuse_celeba(root: Path) -> None:
    from zoo_core.data.celeba import find_layout

    if find_layout(root) is not None:
        raise UsageError(
            "it is in CelebA's layout: name the attributes to translate",
            asked=f"data {root}",
            hint="Add --attributes NAME,NAME, or use --domain NAME=ROOT:ATTRIBUTE.",
        )


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise UsageError(
            "a domain's name is made of letters, digits, _ and -, and is neither "
            + " nor ".join(_RESERVED),
            asked=f'domain "{name}"',
            hint="Rename it.",
        )


def _check_count(names: Sequence[str], what: str, need: tuple[int, int | None]) -> None:
    fewest, most = need
    if len(set(names)) != len(names):
        raise UsageError(f"one {what} is named twice", asked=f"{what}s {', '.join(names)}")
    if len(names) < max(1, fewest):
        raise UsageError(
            f"at least {max(1, fewest)} are needed, {len(names)} given",
            asked=f"{what}s {', '.join(names)}" if names else f"{what}s",
            hint="Add --domain NAME=SOURCE." if what == "domain" else "Add attributes.",
        )
    if most is not None and len(names) > most:
        raise UsageError(
            f"at most {most} are possible, {len(names)} given", asked=f"{what}s {', '.join(names)}"
        )


def _open(
    parts: Mapping[str, Found],
    domains: Domains,
    *,
    codec: Codec,
    config: TrainConfig,
    cache: Path | None,
    progress: Progress | None,
) -> DataSet:
    stores: dict[str, Store] = {}
    for name, found in parts.items():
        store = codec.open(
            found.files,
            config,
            cache=cache,
            progress=None
            if progress is None
            else lambda done, total, name=name: progress(name, done, total),  # type: ignore[misc]
        )
        kept = list(store.kept)
        store.names = [found.names[i] for i in kept]
        store.labels = None if found.labels is None else found.labels[kept]
        stores[name] = store
    places = {name: found.place for name, found in parts.items()}
    return DataSet(domains, stores, places, codec.noun)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long a name, say
        return False
