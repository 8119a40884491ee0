"""Plans that many methods share: which routes a step has."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import torch

from zoo_core.contracts.signals import MIXED, Batch, Condition, Domains
from zoo_core.contracts.step import Route


def pair_routes(batch: Batch, domains: Domains, pairs: Iterable[tuple[str, str]]) -> list[Route]:
    """A route for each (origin, target) domain, named ``a->b``."""
    return [
        Route(a, Condition.of(domains, b, len(x), x.device), f"{a}->{b}")
        for a, b in pairs
        for x in (batch.signals[a],)
    ]


def all_pairs(batch: Batch, domains: Domains) -> list[Route]:
    """A route from every domain to every other, as CycleGAN has two of them."""
    return pair_routes(batch, domains, itertools.permutations(domains.names, 2))


def ring(batch: Batch, domains: Domains, rng: torch.Generator) -> list[Route]:
    """A ring of all domains, turned at random: each is origin once, and target once."""
    names = domains.names
    shift = int(torch.randint(1, len(names), (), generator=rng))
    return pair_routes(batch, domains, zip(names, (*names[shift:], *names[:shift]), strict=True))


def random_other_domain(batch: Batch, rng: torch.Generator) -> list[Route]:
    """One route of a mixed batch: every signal to another domain."""
    label = batch.conditions[MIXED].label  # (N, K)
    count, domains = label.shape
    further = torch.randint(1, domains, (count,), generator=rng).to(label.device)  # (N,)
    wanted = (label.argmax(1) + further) % domains  # (N,)
    return [Route(MIXED, Condition(torch.eye(domains, device=label.device)[wanted]))]
