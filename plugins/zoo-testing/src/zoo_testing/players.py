"""Checks on players: who owns a parameter, whom a loss reaches, what gets a gradient."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from zoo_core.contracts.method import Player
from zoo_testing.error import ConformanceError
from zoo_testing.session import Session
from zoo_testing.subject import Subject

MORE = 16
"""Further steps for what only some plans do, such as a pair of domains drawn at random."""


def one_optimiser(subject: Subject) -> None:
    """Every parameter is in exactly one optimiser; a frozen one is in none."""
    session = Session(subject)
    owners: dict[int, list[str]] = {}
    for player_state in session.player_states:
        for group in player_state.optimiser.param_groups:
            for parameter in group["params"]:
                owners.setdefault(id(parameter), []).append(player_state.player.name)
    for name, parameter in _parameters(session):
        held = owners.get(id(parameter), [])
        if getattr(parameter, "frozen", False):
            if held:
                raise ConformanceError(
                    "one-optimiser",
                    f"frozen parameter {name} is in the optimiser of {held[0]}",
                    "Leave frozen nets out of `Player.nets`.",
                )
        elif len(held) != 1:
            where = f"in those of {' and '.join(held)}" if held else "in none"
            raise ConformanceError(
                "one-optimiser",
                f"parameter {name} shall be in one optimiser, it is {where}",
                "Name its net in the `nets` of exactly one player, or freeze it for good with "
                "`zoo_core.contracts.method.freeze`.",
            )


def reach(subject: Subject) -> None:
    """A player's loss reaches its own nets and no others, and its move changes no others.

    It need not reach every net in every step: a plan may leave some domains out.
    """
    held: dict[str, Tensor] = {}

    def before(player: Player, total: Tensor) -> None:
        unreached.difference_update(_reached(session, player, total))

    def after(player: Player) -> None:
        own = _own(session, player)
        for name, parameter in session.method.named_parameters():
            if id(parameter) not in own and not torch.equal(parameter, held[name]):
                raise ConformanceError(
                    "reach",
                    f"the move of player {player.name} changes {name}, which is another's",
                    "A player updates its own nets alone, through its optimiser.",
                )
        held.update(_copies(session))

    session = Session(subject, before=before, after=after)
    held.update(_copies(session))
    unreached = {(player.name, net) for player in session.players for net in player.nets}
    unreached -= {(player, net) for player, net in unreached if _is_frozen(session, net)}
    try:
        _run_while(session, unreached)
    except RuntimeError as error:
        raise ConformanceError(
            "reach",
            f"the moves of a step fail: {str(error).splitlines()[0]}",
            "Players of one step share its translations: a critic's loss reads them with "
            "`.detach()`, and no loss calls backward itself.",
        ) from error
    for name, net in sorted(unreached):
        raise ConformanceError(
            "reach",
            f"the loss of player {name} does not reach its net {net}",
            "Give the player a loss that depends on the net, or take the net from the player.",
        )


def gradients(subject: Subject) -> None:
    """Every parameter gets a gradient other than 0 within a few steps."""

    def after(player: Player) -> None:
        for name, parameter in list(silent.items()):
            if parameter.grad is not None and bool(parameter.grad.any()):
                del silent[name]

    session = Session(subject, after=after)
    silent = {
        name: parameter
        for name, parameter in _parameters(session)
        if not getattr(parameter, "frozen", False)
    }
    _run_while(session, silent)
    if silent:
        raise ConformanceError(
            "gradients",
            f"no loss gives a gradient to {', '.join(sorted(silent)[:5])}"
            + (f" and {len(silent) - 5} more" if len(silent) > 5 else ""),
            "Remove the parameter, or use it in a translation that a loss reads.",
        )


def _run_while(session: Session, waiting: Collection[object]) -> None:
    """Runs the steps that show every player, and some more while anything is waited for."""
    session.run(session.showing())
    for number in range(MORE):
        if not waiting:
            break
        session.run([number])


def _reached(session: Session, player: Player, total: Tensor) -> Iterator[tuple[str, str]]:
    """The player's nets that its loss reaches; raises where it reaches any other net.

    Yields:
        Names of player and net.
    """
    own = _own(session, player)
    names = {id(parameter): name for name, parameter in _parameters(session)}
    reached = {id(leaf) for leaf in _leaves(total)}
    for leaf in reached - own:
        if leaf in names:
            raise ConformanceError(
                "reach",
                f"the loss of player {player.name} reaches {names[leaf]}, which is another's",
                "Detach what another player made: `route.translated.detach()`.",
            )
    for net in player.nets:
        if any(id(p) in reached for p in session.method.nets[net].parameters()):
            yield player.name, net


def _is_frozen(session: Session, net: str) -> bool:
    """Whether a net has nothing to train."""
    return all(getattr(p, "frozen", False) for p in session.method.nets[net].parameters())


def _own(session: Session, player: Player) -> set[int]:
    return {id(p) for name in player.nets for p in session.method.nets[name].parameters()}


def _copies(session: Session) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in session.method.named_parameters()}


def _parameters(session: Session) -> Iterator[tuple[str, nn.Parameter]]:
    """All parameters of the method and of its losses, each once."""
    modules: list[tuple[str, nn.Module]] = [("", session.method)]
    for player in session.players:
        modules += [(f"loss {term.name} ", term.loss) for term in player.terms]
    seen: set[int] = set()
    for prefix, module in modules:
        for name, parameter in module.named_parameters():
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield prefix + name.removeprefix("nets."), parameter


def _leaves(loss: Tensor) -> Iterator[Tensor]:
    """The leaf tensors that a backward pass from ``loss`` would reach."""
    seen: set[Any] = set()
    stack: list[Any] = [loss.grad_fn] if loss.grad_fn is not None else []
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            yield node.variable
        stack += [parent for parent, _ in node.next_functions if parent is not None]
