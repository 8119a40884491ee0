"""A check on forward passes: what a step made once is not made again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from zoo_core.method import Player
from zoo_core.testing.error import ConformanceError
from zoo_core.testing.session import Session
from zoo_core.testing.subject import Subject

MORE = 8
"""Further steps where something seems to be repeated."""

Given = list[Tensor]


def passes_once(subject: Subject) -> None:
    """In one player's move no net is run twice on the same input.

    Counted is what happens in every move of the player: a target may by chance be an input's own
    condition, and then a translation equals an identity.
    """
    given: dict[str, list[Given]] = {}
    least: dict[tuple[str, str], int] = {}

    def after(player: Player) -> None:
        for net, inputs in given.items():
            count = _repeats(inputs)
            least[player.name, net] = min(count, least.get((player.name, net), count))
            inputs.clear()

    session = Session(subject, after=after)
    hooks = [_listen(net, given.setdefault(name, [])) for name, net in _nets(session)]
    try:
        session.run(session.showing())
        for number in range(MORE):
            if not any(least.values()):
                break
            session.run([number])
    finally:
        for hook in hooks:
            hook.remove()
    for (player, net), count in sorted(least.items()):
        if count:
            raise ConformanceError(
                "passes-once",
                f"each move of player {player} runs net {net} twice on the same input",
                "Ask the step, which keeps what was made: `leg.translated`, `step.encode`, "
                "`step.judge(critic, x)`.",
            )


def _nets(session: Session) -> Iterator[tuple[str, nn.Module]]:
    """The method's nets, and those that losses hold, such as frozen backbones."""
    yield from session.method.nets.items()
    for player in session.players:
        for term in player.terms:
            for name, module in term.loss.named_children():
                if any(True for _ in module.parameters()):
                    yield f"{name} of loss {term.name}", module


def _listen(net: nn.Module, inputs: list[Given]) -> Any:
    """Notes what a net is given, until the handle is removed."""
    return net.register_forward_pre_hook(lambda net, args: inputs.append(list(_tensors(args))))


def _repeats(inputs: list[Given]) -> int:
    """How many of the inputs equal an earlier one."""
    return sum(
        any(_same(one, other) for other in inputs[:number]) for number, one in enumerate(inputs)
    )


def _same(one: Given, other: Given) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))


def _tensors(value: Any) -> Iterator[Tensor]:
    """Copies of all tensors in what a net is given: signals, codes and conditions."""
    if isinstance(value, Tensor):
        yield value.detach().clone()
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from _tensors(getattr(value, field.name))
    elif isinstance(value, Mapping):
        yield from _tensors(value.values())
    elif isinstance(value, Iterable) and not isinstance(value, str):
        for part in value:
            yield from _tensors(part)
