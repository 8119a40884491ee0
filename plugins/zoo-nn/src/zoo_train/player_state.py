"""A player with its optimiser, and what it moves on: the input of its turn, in parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zoo_core.contracts.method import Method, Player
from zoo_core.contracts.signals import Batch
from zoo_core.contracts.spec import Progress
from zoo_core.contracts.step import Route, Step

_MOMENTS = ("exp_avg", "exp_avg_sq")
"""What Adam keeps of each parameter, in the parameter's own form."""


class PlayerState:
    """A player with what it needs to move.

    Args:
        player: The player.
        optimiser: Its optimiser, with one parameter group.
        parameters: What it trains.

    Attributes:
        rate: The learning rate, as last set.
    """

    def __init__(
        self, player: Player, optimiser: torch.optim.Optimizer, parameters: list[nn.Parameter]
    ) -> None:
        self.player, self.optimiser, self.parameters = player, optimiser, parameters
        self.rate = player.optimiser.lr

    @classmethod
    def of(cls, player: Player, method: Method[Any], device: torch.device) -> PlayerState:
        """A player with an optimiser of its nets' parameters, without those that are frozen."""
        parameters: dict[int, nn.Parameter] = {}
        for name in player.nets:
            for parameter in method.nets[name].parameters():
                if not getattr(parameter, "frozen", False):
                    parameters[id(parameter)] = parameter  # nets may share layers
        wanted, owned = player.optimiser, list(parameters.values())
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[wanted.name]
        cuda = device.type == "cuda"
        optimiser = kind(
            owned,
            # A CUDA graph reads the rate from a tensor; a number would be recorded as a constant.
            lr=torch.tensor(wanted.lr, device=device) if cuda else wanted.lr,
            betas=wanted.betas,
            weight_decay=wanted.weight_decay,
            fused=cuda or device.type == "cpu",
            capturable=cuda,
        )
        return cls(player, optimiser, owned)

    def schedule_rate(self, progress: Progress) -> None:
        """Sets the learning rate for a point of the training."""
        self._set_rate(self.player.optimiser.lr * self.player.optimiser.schedule(progress))

    def load_optimiser(self, state: dict[str, Any]) -> None:
        """Takes over an optimiser's moments, each in the form of its parameter, and its rate.

        Settings stay as they are here. The fused optimisers of torch trust the shapes and strides
        of moments: with others they would write past the end of them.

        Raises:
            Exception: Anything, where the state is of other parameters.
        """
        rates = [group["lr"] for group in self.optimiser.param_groups]
        own = self.optimiser.state_dict()["param_groups"]
        numbers = [number for group in own for number in group["params"]]
        parameters = dict(zip(numbers, self.parameters, strict=True))
        moments = {
            number: {
                "step": torch.tensor(float(held["step"])),
                **{key: _in_form(held[key], parameters[number]) for key in _MOMENTS},
            }
            for number, held in state["state"].items()
        }
        self.optimiser.load_state_dict({"state": moments, "param_groups": own})
        for group, rate in zip(self.optimiser.param_groups, rates, strict=True):
            group["lr"] = rate  # the very tensor, where it is one
        self._set_rate(float(state["param_groups"][0]["lr"]))

    def _set_rate(self, rate: float) -> None:
        for group in self.optimiser.param_groups:
            if not isinstance(group["lr"], Tensor):
                group["lr"] = rate
            elif rate != self.rate:
                group["lr"].fill_(rate)
        self.rate = rate


def _in_form(moment: Tensor, parameter: Tensor) -> Tensor:
    """A moment with the shape, type and strides of its parameter."""
    if moment.shape != parameter.shape:
        raise ValueError(f"a moment of shape {tuple(moment.shape)}, not {tuple(parameter.shape)}")
    return torch.empty_like(parameter, device="cpu", requires_grad=False).copy_(moment)


@dataclass
class StepInput:
    """What a step is made from: a batch, a plan, and random numbers.

    Attributes:
        batch: Real signals of this process.
        routes: What to translate.
        rng: Generator of the step's random numbers; the plan has drawn from it already.
        progress: How far training is.
    """

    batch: Batch
    routes: list[Route]
    rng: torch.Generator
    progress: Progress

    def to(self, device: torch.device) -> StepInput:
        """The same on a device; on a GPU random numbers are drawn there, from the same seed."""
        if device.type in ("cpu", self.rng.device.type):
            return self
        moved = self.mapped(lambda tensor: tensor.to(device, non_blocking=True))
        if device.type == "cuda":  # on other devices numbers are drawn on the CPU and copied
            moved.rng = torch.Generator(device).manual_seed(self.rng.initial_seed())
        return moved

    def parts(self, count: int) -> list[StepInput]:
        """Every ``count``-th signal each; each part draws the random numbers of all of them."""
        if count == 1:
            return [self]
        return [
            StepInput(
                self.batch.shard(number, count),
                [route.shard(number, count) for route in self.routes],
                self.rng.clone_state(),
                self.progress,
            )
            for number in range(count)
        ]

    def mapped(self, change: Callable[[Tensor], Tensor]) -> StepInput:
        """The same with every tensor changed; a tensor that occurs twice is changed once."""
        made: dict[int, Tensor] = {}

        def once(tensor: Tensor) -> Tensor:
            if id(tensor) not in made:
                made[id(tensor)] = change(tensor)
            return made[id(tensor)]

        routes = [
            Route(route.source, route.target.mapped(once), route.name, route.transform)
            for route in self.routes
        ]
        return StepInput(self.batch.mapped(once), routes, self.rng, self.progress)


class PartialStep(Step):
    """The step of a part of a batch, with the random numbers that its signals have in the whole.

    Args:
        given: As for `Step`.
        part: Number of the part, and how many there are.
        more: As for `Step`.
    """

    def __init__(self, *given: Any, part: tuple[int, int] = (0, 1), **more: Any) -> None:
        super().__init__(*given, **more)
        self._part, self._parts = part

    def _draw(self, draw: Callable[..., Tensor], count: int, shape: Sequence[int]) -> Tensor:
        numbers = super()._draw(draw, count * self._parts, shape)  # (count * parts, *shape)
        return numbers[self._part :: self._parts]  # (count, *shape)
