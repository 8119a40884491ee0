"""From a data set to the directions that an evaluation measures.

For domains these are all ordered pairs. For attributes each attribute is turned on and off:
``Male->no-Male`` and ``no-Male->Male``, every other attribute kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from zoo_core.contracts.codec import Codec, SignalStore
from zoo_core.contracts.signals import MIXED, Condition, Domains, TensorSpec
from zoo_core.errors import DataError, UsageError, unknown
from zoo_core.host.plugins import host
from zoo_evaluate.context import Direction, DomainData, EvalContext
from zoo_evaluate.examples import Files
from zoo_evaluate.pairing import find_references

NOT = "no-"
"""Prefix of the side of an attribute that lacks it."""


def find_directions(
    stores: Mapping[str, SignalStore],
    domains: Domains,
    signal: TensorSpec,
    context: EvalContext,
    *,
    files: Mapping[str, Files] | None = None,
    paired: bool | None = None,
    notes: list[str] | None = None,
) -> list[Direction]:
    """The directions to measure.

    Args:
        stores: Real test signals by domain, or under `MIXED` with attribute labels.
        domains: The model's domains or attributes.
        signal: The model's form of signal.
        context: Judges, extractor and more.
        files: Where each signal of each store comes from, where that is known.
        paired: Whether signals of one name are references of each other. None: only where all
            names end in ``_A`` and ``_B``, as in data sets that were made of pairs; other equal
            names are mentioned.
        notes: Where they are mentioned.

    Raises:
        UsageError: If a domain is unknown to the model, or fewer than two are given.
        DataError: If a domain is empty or attributes have no labels.
    """
    pairs = (
        _domain_pairs(stores, domains, files or {})
        if domains.kind == "domains"
        else _attribute_pairs(stores, domains, files or {})
    )
    aligned = paired is not False and not are_excerpts(signal)
    width = 2.0 if signal.low is None or signal.high is None else signal.high - signal.low
    directions = []
    for source, target in pairs:
        references = find_references(source.names(), target.names()) if aligned else None
        direction = Direction(source, target, references, context, width)
        if references is not None and paired is None and references.rule != "letters":
            direction = replace(direction, references=None)
            if notes is not None:
                notes.append(
                    f"{direction.name}: {len(references):,} of {len(source):,} names are those of "
                    "signals of the target; if both show the same, --paired compares them"
                )
        directions.append(direction)
    return directions


def own_condition(side: DomainData, positions: Tensor, domains: Domains) -> Condition:
    """The conditions (N, K) that the signals at ``positions`` have."""
    domain = side.name if domains.kind == "domains" else None
    return Condition(side.own[positions], domain)


def target_condition(direction: Direction, positions: Tensor, domains: Domains) -> Condition:
    """The conditions (N, K) that the signals at ``positions`` shall get."""
    if domains.kind == "domains":
        return Condition.of(domains, direction.target.name, len(positions))
    name = direction.target.name
    wanted = {name: 1.0} if name in domains.names else {name.removeprefix(NOT): 0.0}
    rows = [domains.vector(wanted, row) for row in direction.source.own[positions].tolist()]
    return Condition(torch.tensor(rows))  # (N, K)


def are_excerpts(signal: TensorSpec) -> bool:
    """Whether the signals of stores are excerpts of longer ones, as their codec says.

    Excerpts of two recordings are not aligned, so that neither is the other's reference.
    """
    if signal.kind not in host().components("codec"):
        return False
    codec: type[Codec] = host().load("codec", signal.kind)
    return codec.has_full_samples


def _domain_pairs(
    stores: Mapping[str, SignalStore], domains: Domains, files: Mapping[str, Files]
) -> list[tuple[DomainData, DomainData]]:
    for name in stores:
        if name not in domains.names:
            raise unknown("domain of the model", name, domains.names)
    if len(stores) < 2:
        raise UsageError(
            f"real signals of {', '.join(stores) or 'no domain'} alone were given",
            asked="evaluation",
            hint=f"Give at least two of {', '.join(domains.names)} with --domain NAME=SOURCE.",
        )
    sides = []
    for name in domains.names:
        if name in stores:
            store = stores[name]
            if not len(store):
                raise DataError("there is no signal in it", asked=f"domain {name}")
            own = torch.tensor(domains.vector(name)).expand(len(store), -1)  # (M, K)
            sides.append(DomainData(name, store, torch.arange(len(store)), own, files.get(name)))
    return _ordered(sides)


def _attribute_pairs(
    stores: Mapping[str, SignalStore], domains: Domains, files: Mapping[str, Files]
) -> list[tuple[DomainData, DomainData]]:
    store = stores.get(MIXED)
    if store is None or store.labels is None:
        raise DataError(
            "the model edits attributes, and the data has no attribute labels",
            asked=f"attributes {', '.join(domains.names)}",
            hint="Give --data ROOT in CelebA's format.",
        )
    labels, pairs = store.labels.float(), []  # (M, K)
    for at, name in enumerate(domains.names):
        halves = []
        for side, value in ((name, 1), (f"{NOT}{name}", 0)):
            indices = torch.nonzero(labels[:, at] == value)[:, 0]  # (M',)
            halves.append(DomainData(side, store, indices, labels[indices], files.get(MIXED)))
        if all(len(half) for half in halves):
            pairs += _ordered(halves)
    if not pairs:
        raise DataError("no attribute has signals with and without it", asked="test data")
    return pairs


def _ordered(sides: Sequence[DomainData]) -> list[tuple[DomainData, DomainData]]:
    return [(a, b) for a in sides for b in sides if a is not b]
