"""Devices, processes and random seeds of a run; Lightning Fabric starts processes and moves data.

Random numbers are functions of (seed, step, process), so that resuming needs no state of them.
"""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment

from zoo_core.contracts.method import Method, Player
from zoo_core.contracts.signals import Batch
from zoo_core.errors import UsageError
from zoo_core.translate.engine import resolve_device, resolve_precision
from zoo_train.products import hasten

PICTURES = torch.channels_last
"""How pictures (N, C, H, W), and the weights of their convolutions, lie in memory.

In float32 on CPUs, too: measured over twelve methods at 32 pixels, a step takes 0.78 to 1.07 times
as long as with contiguous tensors (ResNets with instance normalisation lose).
"""


def launched_outside() -> bool:
    """Whether torchrun or a cluster started this process as one of several."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def make_fabric(device: str, processes: int, precision: str) -> Fabric:
    """Fabric for a device, a number of processes, and a precision, each as the user names it.

    Several processes average their gradients by hand, so nothing is wrapped: Fabric starts them
    and lets them talk (gloo on CPUs, NCCL on GPUs).

    Raises:
        UsageError: If there are fewer devices than processes.
    """
    place = resolve_device(device)
    dtype = resolve_precision(place, precision)
    kind, index = place.type, place.index
    devices: Any = processes if index is None else [index]
    if (
        kind != "cpu"
        and processes > 1
        and (index is not None or processes > torch.cuda.device_count())
    ):
        raise UsageError(
            f"{processes} processes need as many devices",
            asked=f"device {device}",
            hint="Lower --processes, or use --device cpu.",
        )
    if launched_outside():
        strategy, devices = "ddp", int(os.environ["LOCAL_WORLD_SIZE"])
    else:
        strategy = "ddp_spawn" if processes > 1 else "auto"
    nodes = int(os.environ.get("GROUP_WORLD_SIZE", "1")) if launched_outside() else 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice to people who call Fabric themselves
        return Fabric(
            accelerator=kind,
            devices=devices,
            num_nodes=nodes,
            strategy=strategy,
            precision="bf16-mixed" if dtype == torch.bfloat16 else "32-true",
            # Inside an allocation of a cluster (Slurm, LSF, MPI) Fabric would take its processes
            # for ours, and refuse to start one alone.
            plugins=None if launched_outside() else LightningEnvironment(),
        )


def prepare(method: Method[Any], players: Sequence[Player], device: torch.device) -> None:
    """Moves nets and losses to a device, images' convolutions in the format of `PICTURES`."""
    method.to(device)
    if device.type == "cpu":
        hasten(method)
    for player in players:
        for term in player.terms:
            term.loss.to(device)
    if len(method.signal.shape) == 3:
        method.to(memory_format=PICTURES)


def channels_last(batch: Batch) -> Batch:
    """The batch with pictures (N, C, H, W) in the format of `PICTURES`, as the nets are."""
    signals = {
        key: value.contiguous(memory_format=PICTURES) if value.dim() == 4 else value
        for key, value in batch.signals.items()
    }
    return Batch(signals, batch.conditions, batch.extras)


def generator_for(seed: int, step: int, draw: int = 0) -> torch.Generator:
    """The CPU generator of a step, the same in all processes."""
    return torch.Generator().manual_seed(mixed(seed, step, draw))


def seed_all(seed: int, step: int, rank: int, device: str = "cpu") -> None:
    """Seeds the global generators of torch, NumPy and Python for a step and a process.

    Args:
        seed: The run's seed.
        step: Number of the step; -1 before the first.
        rank: Number of the process.
        device: Type of the device that computes. On a CPU the generators of accelerators are left
            alone: to note a seed for devices that nobody uses takes longer than all of the rest.
    """
    number = mixed(seed, step, 1_000_003 + rank)
    if device == "cpu":
        torch.default_generator.manual_seed(number)
    else:
        torch.manual_seed(number)
    np.random.seed(number % 2**32)  # for losses of plugins that use the global one
    random.seed(number)


def mixed(*numbers: int) -> int:
    """A 63-bit number that depends on all given ones (NumPy's seed sequence)."""
    words = np.random.SeedSequence([number % 2**64 for number in numbers]).generate_state(
        1, np.uint64
    )
    return int(words[0]) >> 1
