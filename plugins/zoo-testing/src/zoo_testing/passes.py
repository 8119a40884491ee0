"""A check on forward passes: what a step made once is not made again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from zoo_core.contracts.method import Player
from zoo_testing.error import ConformanceError
from zoo_testing.session import Session
from zoo_testing.subject import Subject

MORE = 8
"""Further steps where something seems to be repeated."""

NetInputs = list[Tensor]


def passes_once(subject: Subject) -> None:
    """No net is run twice on the same input: critics in one player's move, all others in a step.

    Counted is what happens whenever the same players move: a target may by chance be an input's
    own condition, and then a translation equals an identity.
    """
    given: dict[str, list[NetInputs]] = {}
    least: dict[tuple[str, str], int] = {}
    moved: list[str] = []

    def after(player: Player) -> None:
        moved.append(player.name)
        count(f"move of {player.name}", [net for net in given if net not in makers])

    def count(when: str, nets: Iterable[str]) -> None:
        for net in nets:
            found = _repeats(given[net])
            least[when, net] = min(found, least.get((when, net), found))
            given[net].clear()

    def step(number: int) -> None:
        moved.clear()
        session.run([number])
        count(f"step of {' and '.join(moved)}", makers)

    session = Session(subject, after=after)
    makers = session.method.inference_nets
    hooks = [_listen(net, given.setdefault(name, [])) for name, net in _nets(session)]
    try:
        for number in session.showing():
            step(number)
        for number in range(MORE):
            if not any(least.values()):
                break
            step(number)
    finally:
        for hook in hooks:
            hook.remove()
    for (when, net), found in sorted(least.items()):
        if found:
            raise ConformanceError(
                "passes-once",
                f"each {when} runs net {net} twice on the same input",
                "Ask the step, which keeps what was made: `route.translated`, `step.encode`, "
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


def _listen(net: nn.Module, inputs: list[NetInputs]) -> Any:
    """Notes what a net is given, until the handle is removed."""
    return net.register_forward_pre_hook(lambda net, args: inputs.append(list(_tensors(args))))


def _repeats(inputs: list[NetInputs]) -> int:
    """How many of the inputs equal an earlier one."""
    return sum(
        any(_same(one, other) for other in inputs[:number]) for number, one in enumerate(inputs)
    )


def _same(one: NetInputs, other: NetInputs) -> bool:
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
