"""Which signal of one domain is the same thing as which signal of another.

Domains are unpaired in training; where a ground truth exists it is only used to measure, and only
where the user or the data set says that it is one: names alike are often chance. Two signals are
references when their files have the same name (without folder and suffix, and without ``_A`` and
``_B`` where the two domains' names end so, as in CycleGAN's data sets), or, where one domain is an
indexed data set, when the file's name is the number of the other's signal (``3/00000012.png`` and
number 12).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

import torch
from torch import Tensor

ENOUGH = 0.5
"""Domains count as paired when at least this share of the smaller one has references."""


@dataclass(frozen=True)
class ReferencePairs:
    """References of one direction.

    Attributes:
        sources: (P,) positions of the source signals that have a reference, ascending.
        targets: (P,) the references' positions in the target domain.
        rule: ``name``; ``letters`` where all names end in ``_A`` and ``_B``; or ``index``.
    """

    sources: Tensor
    targets: Tensor
    rule: str

    def __len__(self) -> int:
        return len(self.sources)

    def of(self, positions: Tensor) -> Tensor:
        """(N,) references' positions of source positions (N,), each of which has a reference."""
        at = torch.searchsorted(self.sources, positions)
        return self.targets[at]


def find_references(source: Sequence[str], target: Sequence[str]) -> ReferencePairs | None:
    """Finds references by name.

    Args:
        source: Names of the source signals: file paths, or plain numbers of an indexed data set.
        target: Names of the target signals.

    Returns:
        The references, or None where fewer than half of the smaller domain have one: then single
        equal names are taken for chance.
    """
    indexed = _indexed(source), _indexed(target)
    if all(indexed):
        return None  # number 12 of one data set has nothing to do with number 12 of another
    if any(indexed):
        rule, left, right = "index", _by_number(source), _by_number(target)
    else:
        bare = _without_letters(source, target)
        rule = "name" if bare is None else "letters"
        left, right = map(_by_stem, bare or (source, target))
    shared = sorted((at, right[key]) for key, at in left.items() if key in right)
    if not shared or len(shared) < ENOUGH * min(len(source), len(target)):
        return None
    sources, targets = (torch.tensor(column) for column in zip(*shared, strict=True))
    return ReferencePairs(sources, targets, rule)


class Counterparts:
    """Which signals of the target hold the same content as each signal of the source.

    Unlike a reference, a counterpart is not aligned with its source sample by sample: another take
    of the same word, say.

    Args:
        keys: What each source signal holds.
        found: Positions in the target by what signals hold.
        rule: ``label`` or ``name``.
    """

    def __init__(
        self, keys: Sequence[object], found: Mapping[object, Sequence[int]], rule: str
    ) -> None:
        self._keys, self._found, self.rule = keys, found, rule

    def of(self, position: int) -> Sequence[int]:
        """Positions in the target of the counterparts of a source position; often none."""
        return self._found.get(self._keys[position], ())


def find_counterparts(source: Sides, target: Sides) -> Counterparts | None:
    """Finds counterparts: by class labels where both sides have them, else by name.

    Two files are counterparts by name where their names are equal without folder and suffix, once
    the name of its domain is taken out of each: ``3_jackson_0.wav`` and ``3_nicolas_0.wav``.

    Returns:
        The counterparts, or None where no signal has any.
    """
    if source.labels is not None and target.labels is not None:
        rule, keys, others = "label", source.labels.tolist(), target.labels.tolist()
    else:
        rule = "name"
        keys, others = (
            [_without(PurePosixPath(name.replace("\\", "/")).stem, side.name) for name in names]
            for side, names in ((source, source.names()), (target, target.names()))
        )
    found: dict[object, list[int]] = defaultdict(list)
    for at, key in enumerate(others):
        found[key].append(at)
    if not any(key in found for key in keys):
        return None
    return Counterparts(keys, dict(found), rule)


class Sides(Protocol):
    """What is asked of the signals of a domain."""

    @property
    def name(self) -> str:
        """Name of the domain."""
        ...

    @property
    def labels(self) -> Tensor | None:
        """(M,) class numbers, where the source has them."""
        ...

    def names(self) -> list[str]:
        """Name of each signal."""
        ...


def _without(stem: str, domain: str) -> tuple[str, ...]:
    """The parts of a name between signs, without those that are the domain's name."""
    return tuple(part for part in re.split(r"[^0-9A-Za-z]+", stem) if part != domain)


def _indexed(names: Sequence[str]) -> bool:
    """Whether the names are plain numbers, as those of an indexed data set."""
    return all(name.isdecimal() for name in names)


def _without_letters(source: Sequence[str], target: Sequence[str]) -> list[list[str]] | None:
    """The names without ``_A`` and ``_B``, where all of one domain end in one of them."""
    paths = [
        [PurePosixPath(name.replace("\\", "/")) for name in names] for names in (source, target)
    ]
    ends = [{path.stem[-2:] for path in part} for part in paths]
    if sorted(map(sorted, ends)) != [["_A"], ["_B"]]:
        return None
    return [[str(path.with_name(path.stem[:-2] + path.suffix)) for path in part] for part in paths]


def _by_stem(names: Sequence[str]) -> dict[object, int]:
    """Position by name without folder and suffix; with the folder where that is not unique."""
    paths = [PurePosixPath(name.replace("\\", "/")) for name in names]
    stems: dict[object, int] = {path.stem: at for at, path in enumerate(paths)}
    if len(stems) == len(names):
        return stems
    return {str(path.with_suffix("")): at for at, path in enumerate(paths)}


def _by_number(names: Sequence[str]) -> dict[object, int]:
    """Position by the number that a name is; names that are none have no reference."""
    stems = [PurePosixPath(name.replace("\\", "/")).stem for name in names]
    numbers: dict[object, int] = {
        int(stem): at for at, stem in enumerate(stems) if stem.isdecimal()
    }
    unique = len(numbers) == sum(stem.isdecimal() for stem in stems)
    return numbers if unique else {}
