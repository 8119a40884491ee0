"""Gradients of one player (averaged by hand, measured, clipped) and statistics of the nets."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn


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


def _summed(flat: Tensor, fabric: Fabric) -> Tensor:
    result = fabric.all_reduce(flat, reduce_op="sum")
    if not isinstance(result, Tensor):
        raise TypeError(f"all_reduce gave {type(result).__name__}")
    return result


def norm_and_clip(parameters: Sequence[nn.Parameter], limit: float | None) -> Tensor:
    """The gradients' norm () before clipping; clips them in place where a limit is given."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients, error_if_nonfinite=False)
    if limit is not None and not _is_within(norm, limit):
        torch.nn.utils.clip_grads_with_norm_(parameters, limit, norm)
    return norm


def _is_within(norm: Tensor, limit: float) -> bool:
    """Whether to clip would be to multiply by exactly 1, where that is known without waiting.

    Torch multiplies by ``min(1, limit / (norm + 1e-6))`` in any case, and of nets of few
    parameters this is a noticeable part of a step. Other devices would have to be waited for.
    """
    return norm.device.type == "cpu" and bool(limit / (norm + 1e-6) >= 1)
