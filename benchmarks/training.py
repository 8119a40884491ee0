"""How fast a training step is: the default precision against plain float32 eager.

    python benchmarks/training.py [--method stargan] [--preset 64px] [--batch 16] [--rounds 5]

The baseline is what one would write first: float32, contiguous tensors, torch's own layers and
unfused Adam. The two take
turns, each of as many steps as it takes until every player has moved; the fastest of each counts,
so that other programs disturb little. With one thread of a CPU (the default) it is the CPU time of
the process; with more, or on a GPU, it is wall-clock time: measure that on a quiet machine. Prints
images per second of both, their ratio, and the peak memory of the process.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from unittest import mock

import click
import torch
from benchmarking import fastest
from torch import nn

from zoo_core.catalogue.description import ModelConfig
from zoo_core.contracts.signals import MIXED, Batch, Condition, Domains, TensorSpec
from zoo_core.host.plugins import host
from zoo_core.models.modeldir import build_method
from zoo_core.translate.engine import resolve_device, resolve_precision
from zoo_stargan.nets import DeepConv2d
from zoo_testing.memory import peak_memory
from zoo_train import loop
from zoo_train.devices import generator_for, make_fabric
from zoo_train.loop import Trainer

NAMES = ("apple", "google", "twitter")


class Noise:
    """Random batches, drawn beforehand."""

    steps_per_epoch = 1000

    def __init__(self, sampling: str, domains: Domains, signal: TensorSpec, batch: int) -> None:
        rng = generator_for(0, 0)
        keys = (MIXED,) if sampling == "mixed" else domains.names
        signals = {k: torch.rand(batch, *signal.shape, generator=rng) * 2 - 1 for k in keys}
        labels = torch.eye(len(domains)).repeat(batch, 1)[:batch]
        self._batch = Batch(
            signals,
            {k: Condition(labels) if k == MIXED else Condition.of(domains, k, batch) for k in keys},
        )

    def batch(self, step: int, draw: int = 0) -> Batch:
        """The same batch every time."""
        return self._batch


def trainer_of(method: str, preset: str, batch: int, *, device: str, plain: bool) -> Trainer:
    """A run that has made no step yet."""
    cls = host().load("method", method)
    chosen = cls.presets[preset]
    names = NAMES[: host().method(method).domains[1]]
    domains = Domains(names)
    torch.manual_seed(0)
    built = build_method(
        ModelConfig(method, dict(chosen.options), domains=domains, signal=chosen.signal)
    )
    config = replace(chosen.train, batch=batch, steps=10_000)
    noise = Noise(cls.sampling, domains, chosen.signal, batch)
    fabric = make_fabric(device, 1, "float32" if plain else "auto")
    trainer = Trainer(built, noise, config, fabric=fabric)
    if plain:
        undo(trainer)
    return trainer


def undo(trainer: Trainer) -> None:
    """Takes back what makes training fast: memory format and fused optimisers."""
    trainer.method.to(memory_format=torch.contiguous_format)
    for player_state in trainer.player_states:
        for group in player_state.optimiser.param_groups:
            group["fused"] = False


def turn_of(trainer: Trainer, *, plain: bool) -> Callable[[], None]:
    """Makes as many steps as it takes until every player has moved, and waits for the device."""
    every = steps_of(trainer)

    def turn() -> None:
        with as_torch_does() if plain else nullcontext():
            for _ in range(every):
                trainer.step()
            trainer.check()

    return turn


@contextmanager
def as_torch_does() -> Iterator[None]:
    """While the block lasts, batches stay contiguous and convolutions are torch's."""
    with (
        mock.patch.object(loop, "channels_last", lambda batch: batch),
        mock.patch.object(DeepConv2d, "forward", nn.Conv2d.forward),
    ):
        yield


def steps_of(trainer: Trainer) -> int:
    """Steps after which the players' turns repeat."""
    return math.lcm(*(state.player.every for state in trainer.player_states))


@click.command()
@click.option("--method", default="stargan")
@click.option("--preset", default="64px")
@click.option("--batch", default=16)
@click.option("--rounds", default=5, help="Turns of each.")
@click.option("--threads", default=1)
@click.option("--device", default="auto")
def main(*, method: str, preset: str, batch: int, rounds: int, threads: int, device: str) -> None:
    """Prints images per second in the default precision and in plain float32."""
    torch.set_num_threads(threads)
    place = resolve_device(device)
    dtype = str(resolve_precision(place)).removeprefix("torch.")
    arms = {
        name: trainer_of(method, preset, batch, device=device, plain=name == "plain")
        for name in ("default", "plain")
    }
    turns = {name: turn_of(trainer, plain=name == "plain") for name, trainer in arms.items()}
    alone = place.type == "cpu" and threads == 1
    spent = fastest(turns, rounds, time.process_time if alone else time.perf_counter)
    trainer = arms["default"]
    images = trainer.seen / trainer.done * steps_of(trainer)
    fast, slow = images / spent["default"], images / spent["plain"]
    clock = "CPU time" if alone else "wall-clock time"
    print(
        f"{method} {preset} batch {batch} on {place}, threads: {threads}, torch {torch.__version__}"
    )
    print(f"default ({dtype}, channels-last, fused): {fast:.1f} images/s of {clock}")
    print(f"float32 eager, contiguous, unfused:      {slow:.1f} images/s")
    print(f"ratio: {fast / slow:.2f}; peak of both together {peak_memory() / 2**30:.2f} GiB")
    if dtype == "float32":
        print("this device lacks fast bfloat16, so the default is float32 too", file=sys.stderr)


if __name__ == "__main__":
    main()
