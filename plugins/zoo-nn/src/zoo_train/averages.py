"""Averages: of gradients and statistics over processes, and of the nets' weights over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


def average(parameters: Sequence[nn.Parameter], fabric: Fabric) -> None:
    """Averages gradients over all processes, in one message.

    A parameter that this process did not use counts as zeros; one that no process used keeps no
    gradient at all, exactly as in a run of one process.

    Args:
        parameters: The player's parameters, in the same order in every process.
        fabric: How the processes talk.
    """
    world = fabric.world_size
    if world == 1 or not parameters:
        return
    first = parameters[0]
    used = first.new_tensor([p.grad is not None for p in parameters])  # (P,)
    parts = [(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parameters]
    flat = torch.cat([*parts, used])  # (sum of sizes + P,)
    flat = _summed(flat, fabric)
    shared = flat[-len(parameters) :].tolist()
    position = 0
    for parameter, users in zip(parameters, shared, strict=True):
        part = flat[position : position + parameter.numel()].view(parameter.shape)
        position += parameter.numel()
        # Fused optimisers read memory in order: the gradient must lie as its parameter does.
        parameter.grad = torch.empty_like(parameter).copy_(part / world) if users else None


def average_statistics(nets: nn.Module, fabric: Fabric) -> None:
    """Averages what nets note of the batches (running means and variances) over all processes.

    Args:
        nets: The nets; buffers of whole numbers are counters, which agree already.
        fabric: How the processes talk.
    """
    if fabric.world_size == 1:
        return
    buffers = [buffer for buffer in nets.buffers() if buffer.is_floating_point()]
    if not buffers:
        return
    flat = _summed(torch.cat([buffer.flatten() for buffer in buffers]), fabric)
    parts = torch.split(flat / fabric.world_size, [buffer.numel() for buffer in buffers])
    for buffer, part in zip(buffers, parts, strict=True):
        buffer.copy_(part.view(buffer.shape))


class Ema:
    """An exponential moving average of some nets' parameters and statistics; counters are copied.

    Running means and variances are averaged as the weights are: those of the newest weights do not
    fit the averaged ones.

    Early in training the decay is ``(1 + step) / (10 + step)`` where that is smaller, so that the
    average does not remember the initialisation.

    Args:
        nets: The nets, by name.
        decay: Decay per step, 0 to 1.
    """

    def __init__(self, nets: Mapping[str, nn.Module], decay: float) -> None:
        self.decay = decay
        live: dict[str, Tensor] = {}
        seen: set[int] = set()
        for name, net in nets.items():
            for key, value in (*net.named_parameters(), *net.named_buffers()):
                if id(value) not in seen:  # nets may share layers
                    live[f"{name}.{key}"] = value
                seen.add(id(value))
        self._mean = {key: value.detach().clone() for key, value in live.items()}
        pairs = list(zip(self._mean.values(), live.values(), strict=True))
        self._pairs = pairs
        self._counters = [pair for pair in pairs if not pair[0].is_floating_point()]
        averaged = [pair for pair in pairs if pair[0].is_floating_point()]
        self._averaged = [mean for mean, _ in averaged], [value for _, value in averaged]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Takes in the nets as they are after the step of this number, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        average(*self._averaged, step)
        for mean, value in self._counters:
            mean.copy_(value)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within the block, the nets hold the average."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def state_dict(self) -> dict[str, Tensor]:
        """The averages by ``net.parameter``."""
        return dict(self._mean)

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over averages; raises `KeyError` where one is missing."""
        for key, value in self._mean.items():
            value.copy_(state[key])

    def _swap(self) -> None:
        for mean, value in self._pairs:
            value.data, mean.data = mean.data, value.data


def _summed(flat: Tensor, fabric: Fabric) -> Tensor:
    result = fabric.all_reduce(flat, reduce_op="sum")
    if not isinstance(result, Tensor):
        raise TypeError(f"all_reduce gave {type(result).__name__}")
    return result
