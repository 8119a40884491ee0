"""The losses that a method's players minimise."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, cast

import torch

from zoo_core.contracts.method import Method, make_options
from zoo_core.contracts.signals import Domains
from zoo_core.contracts.spec import Preset
from zoo_core.host.plugins import host
from zoo_runs.options.explain import summary


@dataclass(frozen=True)
class Joined:
    """A loss of a player.

    Attributes:
        player: Who minimises it.
        name: Its name in logs.
        weight: Its weight; None where that is a function of the step.
        meaning: What it is.
    """

    player: str
    name: str
    weight: float | None
    meaning: str


def losses_of(cls: type[Method[Any]], name: str, preset: str | None) -> list[Joined]:
    """The losses of a method by one preset, for as few domains as it takes.

    The nets are built without memory.
    """
    chosen = cls.presets[preset] if preset else Preset()
    spec = host().method(name)
    domains = Domains(tuple("abcdefgh"[: spec.domains[0]]), cast(Any, spec.conditions[0]))
    with warnings.catch_warnings(), torch.device("meta"):
        warnings.filterwarnings("ignore", ".*to a meta parameter")  # trained nets that it names
        made = cls(make_options(cls.Options, chosen.options, asked=name), domains, chosen.signal)
        players = made.players()
    return [
        Joined(
            player.name,
            term.name,
            None if callable(term.weight) else float(term.weight),
            summary(type(term.loss)),
        )
        for player in players
        for term in player.terms
    ]
