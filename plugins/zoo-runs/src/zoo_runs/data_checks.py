"""Warnings ahead of a training: what its data holds twice, and domains that are small or uneven."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

from zoo_core.errors import printable
from zoo_core.finding import names as shown
from zoo_train.data.dataset import DataSet
from zoo_train.data.trained_on import content_hashes
from zoo_train.events import RunEvents

FEWEST = 10
"""Signals of a domain below which a warning says how few they are."""
UNEVEN = 100
"""Times that a domain may be larger than another without a warning."""


class DataChecks(RunEvents):
    """Looks at the data of every run before it starts."""

    def opened(self, directory: Path, data: DataSet) -> list[str]:
        """One sentence per doubt, with its count."""
        names = {domain: store.names for domain, store in data.stores.items()}
        return doubts(data.hashes, names, data.noun) + leaks(data)


def doubts(
    hashes: Mapping[str, Sequence[str]], names: Mapping[str, Sequence[str]], noun: str
) -> list[str]:
    """What is doubtful of some domains, a sentence each.

    Args:
        hashes: Hash of the content of each signal, by domain.
        names: Name of each signal, by domain.
        noun: What a signal is called.
    """
    found = []
    for domain, each in hashes.items():
        if len(each) < FEWEST:
            found.append(
                f"{domain} has {_count(len(each), noun)}; fewer than {FEWEST} teach little"
            )
        repeated = _repeated(each)
        if repeated:
            found.append(
                f"{_count(len(repeated), noun)} of {domain} repeat another of it byte for byte, "
                f"such as {printable(names[domain][repeated[0]])}"
            )
    for one, other in combinations(hashes, 2):
        there = set(hashes[other])
        shared = [at for at, content in enumerate(hashes[one]) if content in there]
        if shared:
            found.append(
                f"{len(shared):,} of {_count(len(hashes[one]), noun)} of {one} are in {other}, "
                f"too, byte for byte, such as {printable(names[one][shared[0]])}"
            )
    sizes = sorted((len(each), domain) for domain, each in hashes.items())
    (least, small), (most, large) = sizes[0], sizes[-1]
    if most >= UNEVEN * least:
        found.append(
            f"{large} has {most:,} {noun}s and {small} {least:,}: each of {small} is seen "
            f"{most / least:,.0f} times as often"
        )
    return found


def leaks(data: DataSet) -> list[str]:
    """What of the splits that are held out is trained on all the same, a sentence each."""
    trained = {content for hashes in data.hashes.values() for content in hashes}
    found = []
    for domain, source in data.found.items():
        for split in ("val", "test"):
            held_out = source.left_out.reasons.get(f"of the split {split}", [])
            contents = zip(held_out, content_hashes(held_out), strict=True)
            leaked = [path for path, content in contents if content in trained]
            if leaked:
                found.append(
                    f"{len(leaked):,} of {_count(len(held_out), data.noun)} of the split {split} "
                    f"of {domain} are trained on under another name: {shown(leaked)}"
                )
    return found


def _repeated(hashes: Sequence[str]) -> list[int]:
    """Positions of signals that an earlier one equals."""
    first: dict[str, int] = {}
    return [at for at, content in enumerate(hashes) if first.setdefault(content, at) != at]


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
