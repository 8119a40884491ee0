"""Losses that ``--add NAME:key=value,...`` puts beside a method's own."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from zoo_core.errors import UsageError, unknown
from zoo_core.interfaces import Loss
from zoo_core.method import Method, Player, Term
from zoo_core.plugins import host
from zoo_core.train.config import parse_value


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
        spec = host().losses().get(name)
        if spec is None:
            raise unknown("loss", name, host().losses())
        weight = _number(values.pop("weight", 1.0), text)
        target = str(values.pop("player", spec.player))
        names = [player.name for player in players]
        if target not in names:
            raise unknown("player", target, names)
        loss = _make(host().resolve(spec.target), values, text)
        companions = method.adopt(loss)
        index = names.index(target)
        players[index] = _joined(players[index], name, loss, weight)
        players.extend(companions)
    return tuple(players)


def parse_addition(text: str) -> tuple[str, dict[str, Any]]:
    """Name and values of ``NAME:key=value,...``; raises `UsageError` where it is malformed."""
    name, _, rest = text.partition(":")
    values: dict[str, Any] = {}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals or not key:
            raise UsageError(
                f'"{part}" is not of the form key=value',
                asked=f"--add {text}",
                hint="Write --add NAME:weight=1,key=value.",
            )
        values[key.strip()] = parse_value(value)
    return name, values


def _joined(player: Player, name: str, loss: Loss, weight: float) -> Player:
    taken = {term.name for term in player.terms}
    unique, number = name, 2
    while unique in taken:
        unique, number = f"{name}_{number}", number + 1
    return replace(player, terms=(*player.terms, Term(unique, loss, weight)))


def _make(cls: type[Loss], values: Mapping[str, Any], text: str) -> Loss:
    parameters = inspect.signature(cls.__init__).parameters
    known = [
        name
        for name, parameter in parameters.items()
        if name != "self"
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    try:
        hints = get_type_hints(cls.__init__)
    except NameError:  # types that are imported for the type checker alone
        hints = {}
    arguments = {}
    for key, value in values.items():
        if key not in known:
            raise unknown(f"option of --add {text}", key, ["weight", "player", *known])
        try:
            arguments[key] = TypeAdapter(hints.get(key, Any)).validate_python(value)
        except ValidationError as fault:
            raise UsageError(
                f"{fault.errors()[0]['msg'].lower()}, got {value!r}", asked=f"{key} of --add {text}"
            ) from fault
    missing = [
        name
        for name in known
        if parameters[name].default is inspect.Parameter.empty and name not in arguments
    ]
    if missing:
        raise UsageError(f"it needs {', '.join(missing)}", asked=f"--add {text}")
    return cls(**arguments)


def _number(value: Any, text: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as fault:
        raise UsageError(f"{value!r} is no number", asked=f"weight of --add {text}") from fault
