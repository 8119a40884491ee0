"""Defences that ``--defence NAME:key=value,...`` puts before a method's way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from zoo_core.contracts.method import Defence, Method, Player
from zoo_core.contracts.step import Step
from zoo_core.errors import UsageError
from zoo_core.host.named import make_named, parse_named
from zoo_core.host.plugins import host


class Chain(Defence):
    """Several defences, one after the other.

    Args:
        parts: The defences in their order.
    """

    def __init__(self, parts: Sequence[Defence]) -> None:
        self.parts = tuple(parts)

    def __call__(self, step: Step, x: Tensor) -> Tensor:
        """(N, *S) ``x`` through all of them."""
        for part in self.parts:
            x = part(step, x)  # (N, *S)
        return x


def defend(method: Method[Any], players: Sequence[Player], texts: Sequence[str]) -> None:
    """Puts defences, in their order, before the way back of a method.

    Args:
        method: The method; its ``defence`` is set.
        players: Its players with all losses, own and added.
        texts: Each ``NAME:key=value,...``.

    Raises:
        UsageError: For an unknown defence or option, a value of the wrong type, or a run in which
            no loss asks for what comes back, so that a defence would do nothing.
    """
    parts: list[Defence] = []
    for text in texts:
        name, values = parse_named(text, "--defence")
        cls = host().load("defence", name)
        parts.append(make_named(cls, values, asked=f"--defence {text}"))
    if not parts:
        return
    if not any("restored" in term.loss.requires for p in players for term in p.terms):
        raise UsageError(
            f"no loss of {type(method).__name__} translates back, so there is nothing to defend",
            asked=f"--defence {texts[0]}",
            hint="Add --loss cycle:weight=10, or leave the defence away.",
        )
    method.defence = parts[0] if len(parts) == 1 else Chain(parts)
