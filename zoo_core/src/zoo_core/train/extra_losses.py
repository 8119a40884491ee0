"""Losses that ``--loss NAME:key=value,...`` puts beside a method's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from zoo_core.contracts.method import Loss, Method, Player, Term
from zoo_core.contracts.spec import LossSpec
from zoo_core.errors import UsageError, unknown
from zoo_core.host.named import make_named, parse_named
from zoo_core.host.plugins import host


def players_with(method: Method[Any], additions: Sequence[str]) -> tuple[Player, ...]:
    """The method's players with added losses, and the players that these bring along.

    Args:
        method: The method; it takes in the nets that a loss brings along.
        additions: Each ``NAME:key=value,...``; ``weight`` and ``player`` say how it joins, all
            other keys are the loss's own.

    Raises:
        UsageError: For an unknown loss, key or player, a value of the wrong type, or a loss that
            needs what this method does not provide.
    """
    players = list(method.players())
    for text in additions:
        name, values = parse_addition(text)
        spec = host().find("loss", name)
        assert isinstance(spec, LossSpec)  # what the kind's own spec asks for
        weight = _number(values.pop("weight", spec.weight), text)
        target = str(values.pop("player", spec.player))
        names = [player.name for player in players]
        if target not in names:
            raise unknown("player", target, names)
        cls: type[Loss] = host().load("loss", name)
        loss = make_named(cls, values, asked=f"--loss {text}", beside=("weight", "player"))
        extra_players = method.add_loss(loss)
        index = names.index(target)
        players[index] = _joined(players[index], name, loss, weight)
        players.extend(extra_players)
    return tuple(players)


def parse_addition(text: str) -> tuple[str, dict[str, Any]]:
    """Name and values of ``NAME:key=value,...``; raises `UsageError` where it is malformed."""
    return parse_named(text, "--loss")


def _joined(player: Player, name: str, loss: Loss, weight: float) -> Player:
    taken = {term.name for term in player.terms}
    unique, number = name, 2
    while unique in taken:
        unique, number = f"{name}_{number}", number + 1
    return replace(player, terms=(*player.terms, Term(unique, loss, weight)))


def _number(value: Any, text: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as fault:
        raise UsageError(f"{value!r} is no number", asked=f"weight of --loss {text}") from fault
