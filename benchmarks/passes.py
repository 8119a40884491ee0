"""The nets' forward and backward passes of training steps, found out and repeated one by one.

`Passes` listens to a few steps of a real run. It notes every call of a net, with what the net was
given, and every backward pass that reached what it returned. Each such pass is then repeated alone:
the same net in the same mode, the same inputs, the same parameters requiring gradients; and all of
them in the order of the steps, a turn's backward passes after its forward passes, the last first.
Right after its own forward pass, a backward pass would find in the caches what it finds no longer
in a step, and take less time than it can take there.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from zoo_core.contracts.step import Step
from zoo_nn.nets.backbone import Backbone
from zoo_train.loop import Trainer
from zoo_train.player_state import PlayerState


@dataclass
class Call:
    """One forward pass of a net, and the backward passes through it.

    Attributes:
        name: Name of the net.
        net: The net.
        arguments: What it was given, without its graph.
        learning: Its parameters that required gradients.
        evaluating: Its layers that were in eval mode.
        graph: Whether gradients were recorded.
        turn: The player's turn in which it was made, counted over the steps.
        backward: By the player's turn in which a backward pass came: which of its outputs were
            reached, and whether that pass had a graph of its own (gradient penalties).
    """

    name: str
    net: nn.Module
    arguments: tuple[Any, ...]
    learning: tuple[nn.Parameter, ...]
    evaluating: tuple[nn.Module, ...]
    graph: bool
    turn: int
    backward: dict[int, tuple[set[int], set[bool]]] = field(default_factory=dict)
    _made: list[Tensor] = field(default_factory=list)

    @contextmanager
    def prepared(self) -> Iterator[None]:
        """Within the block, the net is as it was: who learns, and which layers are in eval mode."""
        flags = [(parameter, parameter.requires_grad) for parameter in self.net.parameters()]
        modes = [(module, module.training) for module in self.net.modules()]
        wanted = {id(parameter) for parameter in self.learning}
        still = {id(module) for module in self.evaluating}
        for parameter, _ in flags:
            parameter.requires_grad_(id(parameter) in wanted)
        for module, _ in modes:
            module.training = id(module) not in still
        try:
            yield
        finally:
            for parameter, flag in flags:
                parameter.requires_grad_(flag)
            for module, mode in modes:
                module.training = mode

    def forward(self) -> None:
        """Makes the forward pass once more, where the call is `prepared`."""
        with torch.set_grad_enabled(self.graph):
            made = list(tensors(self.net(*self.arguments)))
        self._made = made if self.backward else []

    def back(self, turn: int) -> None:
        """Makes a turn's backward pass of the last `forward`, where the call is `prepared`."""
        reached, graphs = self.backward[turn]
        given = [x for x in tensors(self.arguments) if x.requires_grad]
        outputs = [self._made[index] for index in sorted(reached)]
        ones = [torch.ones_like(x) for x in outputs]
        keep = turn != max(self.backward)
        if True in graphs:  # the slope by the input, then the gradient of that slope
            slopes = torch.autograd.grad(outputs, given, ones, create_graph=True)
            outputs, ones = list(slopes), [torch.ones_like(x) for x in slopes]
            given = []
        leaves = [*self.learning, *given]
        torch.autograd.grad(outputs, leaves, ones, retain_graph=keep, allow_unused=True)
        if not keep:
            self._made = []


class Passes:
    """Listens to the steps of a trainer.

    Args:
        trainer: Whose steps; its nets are listened to within `listening` alone.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.calls: list[Call] = []
        self._trainer, self._turn = trainer, 0

    def listen(self, steps: Sequence[int]) -> None:
        """Makes the steps of these numbers and notes their passes."""
        trainer = self._trainer
        handles = []
        for name, net in nets_of(trainer):
            before, after = self._listeners(name)
            handles += [
                net.register_forward_pre_hook(before),
                net.register_forward_hook(after),
            ]
        move = trainer._move

        def counted(player_state: PlayerState, steps: Sequence[Step]) -> None:
            self._turn += 1
            move(player_state, steps)

        trainer._move = counted  # type: ignore[method-assign]
        try:
            run(trainer, steps)
        finally:
            del trainer._move
            for handle in handles:
                handle.remove()

    def repeat(self) -> float:
        """Makes all passes once more, in their order; seconds of processor time that they took."""
        spent = 0.0
        for turn in range(1, self._turn + 1):
            made = [call for call in self.calls if call.turn == turn]
            asked = [call for call in reversed(self.calls) if turn in call.backward]
            spent += sum(_timed(call, call.forward) for call in made)
            spent += sum(_timed(call, partial(call.back, turn)) for call in asked)
        return spent

    def _listeners(self, name: str) -> tuple[Callable[..., None], Callable[..., None]]:
        open_calls: list[Call] = []

        def before(net: nn.Module, arguments: tuple[Any, ...]) -> None:
            learning = tuple(p for p in net.parameters() if p.requires_grad)
            still = tuple(module for module in net.modules() if not module.training)
            copies = tuple(copied(x) for x in arguments)
            graph = torch.is_grad_enabled()
            open_calls.append(Call(name, net, copies, learning, still, graph, self._turn))

        def after(net: nn.Module, arguments: tuple[Any, ...], made: Any) -> None:
            call = open_calls.pop()
            self.calls.append(call)
            for index, output in enumerate(tensors(made)):
                if output.requires_grad:
                    output.register_hook(  # type: ignore[no-untyped-call]
                        self._reached(call, index)
                    )

        return before, after

    def _reached(self, call: Call, index: int) -> Callable[[Tensor], None]:
        def note(gradient: Tensor) -> None:
            outputs, graphs = call.backward.setdefault(self._turn, (set(), set()))
            outputs.add(index)
            graphs.add(torch.is_grad_enabled())  # within a backward pass: whether it has a graph

        return note


def _timed(call: Call, act: Callable[[], object]) -> float:
    with call.prepared():
        begin = time.process_time()
        act()
        return time.process_time() - begin


def run(trainer: Trainer, steps: Sequence[int]) -> None:
    """Makes the steps of these numbers."""
    for number in steps:
        trainer.done = number
        trainer.step()


def update(trainer: Trainer, moves: Mapping[str, int]) -> None:
    """Makes as many optimiser updates of each player, of the gradients as they are, at rate 0."""
    for player_state in trainer.player_states:
        for group in player_state.optimiser.param_groups:
            group["lr"] = 0.0  # the next move sets it
        for _ in range(moves[player_state.player.name]):
            player_state.optimiser.step()


def nets_of(trainer: Trainer) -> Iterator[tuple[str, nn.Module]]:
    """The nets of the method and of the losses (frozen backbones), by name."""
    yield from trainer.method.nets.items()
    for player_state in trainer.player_states:
        for term in player_state.player.terms:
            for name, module in term.loss.named_children():
                if isinstance(module, Backbone) or any(True for _ in module.parameters()):
                    yield f"{term.name}.{name}", module


def tensors(value: Any) -> Iterator[Tensor]:
    """All tensors of signals, codes, verdicts and conditions, each once."""
    seen: set[int] = set()
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, Tensor):
            if id(item) not in seen:
                yield item
            seen.add(id(item))
        elif dataclasses.is_dataclass(item) and not isinstance(item, type):
            stack += [getattr(item, f.name) for f in reversed(dataclasses.fields(item))]
        elif isinstance(item, Mapping):
            stack += reversed(list(item.values()))
        elif isinstance(item, tuple | list):
            stack += reversed(item)


def copied(value: Any) -> Any:
    """A net's argument with its tensors as leaves, lying in memory as they do."""
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: copied(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return dataclasses.replace(value, **fields)
    if isinstance(value, Mapping):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(copied(item) for item in value)
    return value


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each value over the rounds."""
    return {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
