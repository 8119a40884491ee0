"""Plans that many methods share: which legs a step has, and which net a target asks for."""

from __future__ import annotations

import itertools

from zoo_core.errors import UsageError
from zoo_core.signals import Batch, Condition, Domains
from zoo_core.step import Leg


def every_way(batch: Batch, domains: Domains) -> list[Leg]:
    """A leg from every domain to every other, named ``a->b``, as CycleGAN has two of them."""
    return [
        Leg(a, Condition.of(domains, b, len(x), x.device), f"{a}->{b}")
        for a, b in itertools.permutations(domains.names, 2)
        for x in (batch.signals[a],)
    ]


def the_domain(condition: Condition, domains: Domains) -> str:
    """The one domain that a whole batch shares, for methods that have a net per domain.

    Raises:
        UsageError: If it differs within the batch.
    """
    if condition.domain is None:
        raise UsageError(
            "this method has a net per domain, so a batch is of one domain",
            asked="a domain that differs within the batch",
            hint=f"Choose one of {', '.join(domains.names)}.",
        )
    return condition.domain
