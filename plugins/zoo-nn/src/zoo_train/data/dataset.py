"""Checked, decoded stores of a run's or a model's domains, described in plain words."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path, PurePath
from typing import Any

from zoo_core.contracts.codec import Codec, InMemorySignal, SignalStore
from zoo_core.contracts.signals import MIXED, Domains
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import UsageError, printable
from zoo_core.host.plugins import host
from zoo_train.data.collect import collect, collect_folders
from zoo_train.data.folders import Layout, SourceFiles, domain_folders, require_layout
from zoo_train.data.held_out import part_of
from zoo_train.data.sampling import BatchSampler, Sampling
from zoo_train.data.sources import check_name, parse_source
from zoo_train.data.trained_on import content_hashes, to_json

Progress = Callable[[str, int, int], None]
"""Called with (domain, files done, files in all) while files are decoded."""

_SHOWN = 5


@dataclass
class DataSet:
    """Checked and decoded data.

    Attributes:
        domains: The domains or attributes.
        stores: By domain; for attributes, one under `zoo_core.contracts.signals.MIXED` with
            labels (M, K).
        found: What each source held; the store has those of its files that could be decoded.
        noun: What a signal is called.
        files: Where each signal of each store comes from, in the store's order.
        memory: The signals of the domains that were given in memory, those held out among them.
    """

    domains: Domains
    stores: dict[str, SignalStore]
    found: dict[str, SourceFiles] = field(default_factory=dict)
    noun: str = "signal"
    files: dict[str, list[Path | InMemorySignal]] = field(default_factory=dict)
    memory: Mapping[str, SourceFiles] = field(default_factory=dict)

    @property
    def places(self) -> dict[str, str]:
        """Where each store's signals come from, in plain words."""
        return {name: found.place for name, found in self.found.items()}

    def describe(self) -> list[str]:
        """What was found, in plain words: path, count, sizes, format, and what was left out."""
        lines = []
        for name, line in zip(self.stores, self._lines(self.places), strict=True):
            store, found = self.stores[name], self.found.get(name)
            lines.append(line)
            lines += [f"  {note}" for note in getattr(store, "notes", ())]
            if found is not None:
                lines += [f"  {note}" for note in found.notes]
                lines += [f"  left out: {reason}" for reason in found.left_out.lines()]
            if store.skipped:
                lines.append(f"  warning: {len(store.skipped):,} skipped")
                lines += [f"    {printable(fault)}" for fault in store.skipped[:_SHOWN]]
                if len(store.skipped) > _SHOWN:
                    lines.append(f"    and {len(store.skipped) - _SHOWN:,} more")
        return lines

    def provenance(self) -> list[str]:
        """Each store in words that travel: counts, and of each path the last two parts."""
        return self._lines({name: ending(place) for name, place in self.places.items()})

    def _lines(self, places: Mapping[str, str]) -> list[str]:
        lines = []
        for name, store in self.stores.items():
            head = "" if name == MIXED else f"{name}: "
            count = f"{len(store):,} {self.noun}{'' if len(store) == 1 else 's'}"
            place = printable(places.get(name, "memory"))
            held = ""
            if name == MIXED and store.labels is not None:
                counts = zip(self.domains.names, store.labels.sum(0).int().tolist(), strict=True)
                held = f"; {', '.join(f'{attribute} {number:,}' for attribute, number in counts)}"
            lines.append(f"{head}{count} from {place} ({store.summary}){held}")
        return lines

    @cached_property
    def hashes(self) -> dict[str, list[str]]:
        """A hash of the content of each signal, by domain."""
        return {name: content_hashes(files) for name, files in self.files.items()}

    def fingerprint(self) -> dict[str, dict[str, Any]]:
        """By domain, ``count`` and ``digest`` of its signals: equal where the data is the same.

        Signals count by name and content, wherever they lie.
        """
        return {
            name: self._fingerprint(store, self.hashes[name]) for name, store in self.stores.items()
        }

    @staticmethod
    def _fingerprint(store: SignalStore, hashes: Sequence[str]) -> dict[str, Any]:
        digest = hashlib.blake2b(digest_size=16)
        for label, content in zip(store.names, hashes, strict=True):
            digest.update(f"{label}\0{content}\0".encode(errors="surrogateescape"))
        if store.labels is not None:
            digest.update(store.labels.numpy().tobytes())
        return {"count": len(store), "digest": digest.hexdigest()}

    def trained_on(self, *, named: bool) -> str:
        """The text of `zoo_train.data.trained_on.TRAINED_ON`, with or without names."""
        names = {
            name: [printable(each) for each in store.names] for name, store in self.stores.items()
        }
        return to_json(self.hashes, names if named else None)

    def sampler(self, batch: int, sampling: Sampling, seed: int) -> BatchSampler:
        """Draws batches; see `zoo_train.data.sampling.BatchSampler`."""
        return BatchSampler(self.stores, self.domains, batch, sampling, seed)


def open_sources(
    domains: Mapping[str, str],
    *,
    codec: Codec,
    config: TrainConfig,
    memory: Mapping[str, SourceFiles] | None = None,
    split: str = "train",
    cache: Path | None = None,
    attributes: Sequence[str] | None = None,
    data: str | Layout | None = None,
    order: Sequence[str] = (),
    progress: Progress | None = None,
    need: tuple[int, int | None] = (1, None),
) -> DataSet:
    """Checks sources, decodes them (once, where there is a cache) and labels them.

    Args:
        domains: SOURCE by domain's name; empty where ``data`` is given.
        codec: Reads the signals.
        config: Preprocessing and augmentation.
        memory: Signals of those domains that were given in memory, in place of their SOURCE.
        split: ``train``, ``val``, ``test`` or ``all``, where a source has splits; where the
            configuration holds a share out, ``val`` is that share of what there is to train on.
        cache: Folder for decoded signals; None keeps them in memory.
        attributes: Attributes to train on together; ``data`` then has a list of them.
        data: Folder with ``trainA``/``trainB``, ``train/<domain>`` or ``<domain>`` subfolders, or
            with attributes (in CelebA's layout); or what a data source made of a list.
        order: Names in whose order the domains of ``data`` are taken, where it has just these.
        progress: Told how many files are decoded.
        need: Fewest and most domains or attributes; None for no upper bound.

    Raises:
        UsageError: If the request contradicts itself or names something unknown.
        DataError: If a folder, list or file cannot be used.
    """
    if config.hold_out and split in ("train", "val"):
        parted: Callable[[SourceFiles], SourceFiles] = partial(
            part_of, split=split, share=config.hold_out
        )
        split = "train"  # of which the share is taken
    else:
        parted = _whole
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
        layout = require_layout(Path(data)) if isinstance(data, str | Path) else data
        found, known = layout.label(attributes, split, codec)
        return _open(
            {MIXED: parted(found)},
            known,
            codec=codec,
            config=config,
            cache=cache,
            progress=progress,
        )
    if isinstance(data, str | Path):
        folders = domain_folders(Path(data), split)
        for name in folders:
            check_name(name)
        _check_count(list(folders), "domain", need)
        if set(order) == set(folders):
            folders = {name: folders[name] for name in order}
        parts = {name: collect_folders(each, split, codec) for name, each in folders.items()}
    else:
        given = memory or {}
        sets = host().components("source") if domains else {}
        sources = {k: parse_source(text, sets) for k, text in domains.items() if k not in given}
        for name in domains:
            check_name(name)
        _check_count(list(domains), "domain", need)
        parts = {
            name: given[name] if name in given else collect(sources[name], split, codec)
            for name in domains
        }
    dataset = _open(
        {name: parted(found) for name, found in parts.items()},
        Domains(tuple(parts)),
        codec=codec,
        config=config,
        cache=cache,
        progress=progress,
    )
    dataset.memory = memory or {}
    return dataset


def _whole(found: SourceFiles) -> SourceFiles:
    return found


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
            f"at most {most} are possible, {len(names)} given",
            asked=f"{what}s {', '.join(names)}",
            hint="Name fewer, or choose a method for many domains (zoo list --methods).",
        )


def _open(
    parts: Mapping[str, SourceFiles],
    domains: Domains,
    *,
    codec: Codec,
    config: TrainConfig,
    cache: Path | None,
    progress: Progress | None,
) -> DataSet:
    stores: dict[str, SignalStore] = {}
    files: dict[str, list[Path | InMemorySignal]] = {}
    for name, found in parts.items():
        store = codec.open(
            found.files,
            config,
            domain=None if name == MIXED else name,
            cache=cache,
            progress=None
            if progress is None
            else lambda done, total, name=name: progress(name, done, total),  # type: ignore[misc]
        )
        kept = list(store.kept)
        store.names = [found.names[i] for i in kept]
        store.labels = None if found.labels is None else found.labels[kept]
        stores[name], files[name] = store, [found.files[i] for i in kept]
    return DataSet(domains, stores, dict(parts), codec.noun, files)


def ending(place: str) -> str:
    """The last two parts of a source's path, with its prefix, as in ``mnist:data/digits``."""
    prefix, colon, path = place.rpartition(":")
    return prefix + colon + "/".join(PurePath(path).parts[-2:])
