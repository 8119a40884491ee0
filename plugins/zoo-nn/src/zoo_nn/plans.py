"""Plans that many methods share: which legs a step has."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import torch

from zoo_core.contracts.signals import MIXED, Batch, Condition, Domains
from zoo_core.contracts.step import Leg


def routes(batch: Batch, domains: Domains, pairs: Iterable[tuple[str, str]]) -> list[Leg]:
    """A leg for each (origin, target) domain, named ``a->b``."""
    return [
        Leg(a, Condition.of(domains, b, len(x), x.device), f"{a}->{b}")
        for a, b in pairs
        for x in (batch.signals[a],)
    ]


def every_way(batch: Batch, domains: Domains) -> list[Leg]:
    """A leg from every domain to every other, as CycleGAN has two of them."""
    return routes(batch, domains, itertools.permutations(domains.names, 2))


def ring(batch: Batch, domains: Domains, rng: torch.Generator) -> list[Leg]:
    """A ring of all domains, turned at random: each is origin once, and target once."""
    names = domains.names
    shift = int(torch.randint(1, len(names), (), generator=rng))
    return routes(batch, domains, zip(names, (*names[shift:], *names[:shift]), strict=True))


def elsewhere(batch: Batch, rng: torch.Generator) -> list[Leg]:
    """One leg of a mixed batch: every signal to a domain, drawn at random, that is not its own."""
    label = batch.conditions[MIXED].label  # (N, K)
    count, domains = label.shape
    further = torch.randint(1, domains, (count,), generator=rng).to(label.device)  # (N,)
    wanted = (label.argmax(1) + further) % domains  # (N,)
    return [Leg(MIXED, Condition(torch.eye(domains, device=label.device)[wanted]))]
