"""What ``--loss NAME:key=value,...`` and ``--defence NAME:key=value,...`` add to a method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from zoo_core.contracts.codec import SignalStore
from zoo_core.contracts.component import LossSpec
from zoo_core.contracts.method import Defence, Loss, Method, Player, Term
from zoo_core.errors import UsageError, unknown
from zoo_core.host.named import make_named, parse_named
from zoo_core.host.plugins import host
from zoo_core.schema import convert
from zoo_train.data.seen import SeesData


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
        name, values = parse_named(text, "--loss")
        spec = host().find("loss", name)
        assert isinstance(spec, LossSpec)  # what the kind's own spec asks for
        weight = convert(float, values.pop("weight", spec.weight), asked=f"weight of --loss {text}")
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


def show_data(players: Sequence[Player], stores: Mapping[str, SignalStore]) -> None:
    """Shows the data to those losses that look at it; see `zoo_train.data.seen.SeesData`."""
    for loss in (term.loss for player in players for term in player.terms):
        if isinstance(loss, SeesData):
            loss.show(stores)


def defend(method: Method[Any], players: Sequence[Player], texts: Sequence[str]) -> None:
    """Puts defences, in their order, before the way back of a method.

    Args:
        method: The method; its ``defences`` are set.
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
    method.defences = tuple(parts)


def _joined(player: Player, name: str, loss: Loss, weight: float) -> Player:
    taken = {term.name for term in player.terms}
    unique, number = name, 2
    while unique in taken:
        unique, number = f"{name}_{number}", number + 1
    return replace(player, terms=(*player.terms, Term(unique, loss, weight)))
