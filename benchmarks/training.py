"""How fast a training step is: the default precision against plain float32 eager.

    python benchmarks/training.py [METHOD ...] [--preset 64px] [--batch 16] [--rounds 5]

The baseline is what one would write first: float32, contiguous tensors, torch's own layers and
unfused Adam. The two take turns, each of as many steps as it takes until every player has moved.
With one thread of a CPU (the default) it is the CPU time of the process; with more, or on a GPU,
it is wall-clock time: measure that on a quiet machine. Prints images per second of both and their
ratio, medians, for the methods that are named or all picture methods that have the preset.
"""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from statistics import median
from unittest import mock

import click
import torch
from benchmarking import in_turn
from torch import Tensor
from torch.nn import functional

from zoo_core.catalogue.description import ModelConfig
from zoo_core.contracts.signals import MIXED, Batch, Condition, Domains, TensorSpec
from zoo_core.host.plugins import host
from zoo_core.models.modeldir import build_method
from zoo_core.translate.engine import resolve_device, resolve_precision
from zoo_nn.nets import norm
from zoo_testing.memory import peak_memory
from zoo_train import devices, loop
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


def trainer_of(method: str, preset: str, batch: int | None, *, device: str, plain: bool) -> Trainer:
    """A run that has made no step yet; ``batch`` None: as large as the preset's."""
    cls = host().load("method", method)
    chosen = cls.presets[preset]
    names = NAMES[: host().method(method).domains[1]]
    domains = Domains(names)
    torch.manual_seed(0)
    built = build_method(
        ModelConfig(method, dict(chosen.options), domains=domains, signal=chosen.signal)
    )
    batch = batch or chosen.train.batch
    config = replace(chosen.train, batch=batch, steps=10_000)
    noise = Noise(cls.sampling, domains, chosen.signal, batch)
    fabric = make_fabric(device, 1, "float32" if plain else "auto")
    if not plain:
        return Trainer(built, noise, config, fabric=fabric)
    with mock.patch.object(devices, "hasten"):
        trainer = Trainer(built, noise, config, fabric=fabric)
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
    """While the block lasts, batches stay contiguous and layers are torch's."""
    with (
        mock.patch.object(norm, "instance_norm", torchs_instance_norm),
        mock.patch.object(loop, "channels_last", lambda batch: batch),
    ):
        yield


def torchs_instance_norm(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    """What `torch.nn.InstanceNorm2d` makes of ``x`` (N, C, H, W)."""
    return functional.instance_norm(x, weight=weight, bias=bias, eps=eps)  # (N, C, H, W)


def steps_of(trainer: Trainer) -> int:
    """Steps after which the players' turns repeat."""
    return math.lcm(*(state.player.every for state in trainer.player_states))


@dataclass(frozen=True)
class Figures:
    """What a method's steps took, in the default precision and plainly.

    Attributes:
        method: Its name.
        batch: Signals per part of a batch.
        default: Signals per second in the default precision.
        plain: Signals per second in plain float32.
        ratio: Median over the pairs of turns of how many times as long the plain one took.
    """

    method: str
    batch: int
    default: float
    plain: float
    ratio: float

    def __str__(self) -> str:
        return (
            f"{self.method:20}{self.batch:6}{self.default:10.1f}{self.plain:10.1f}{self.ratio:8.2f}"
        )


def measure(
    method: str,
    preset: str,
    batch: int | None,
    rounds: int,
    *,
    device: str,
    clock: Callable[[], float],
) -> Figures:
    """Figures of a method at a preset."""
    arms = {
        name: trainer_of(method, preset, batch, device=device, plain=name == "plain")
        for name in ("default", "plain")
    }
    turns = {name: turn_of(trainer, plain=name == "plain") for name, trainer in arms.items()}
    spent = in_turn(turns, rounds, clock)
    trainer = arms["default"]
    signals = trainer.seen / trainer.done * steps_of(trainer)
    ratios = [plain / fast for fast, plain in zip(spent["default"], spent["plain"], strict=True)]
    speeds = {name: signals / median(seconds) for name, seconds in spent.items()}
    return Figures(method, trainer.config.batch, speeds["default"], speeds["plain"], median(ratios))


def methods_at(preset: str) -> list[str]:
    """The picture methods that have a preset, by name."""
    return [
        name
        for name in sorted(host().methods())
        if preset in (presets := host().load("method", name).presets)
        and len(presets[preset].signal.shape) == 3
    ]


@click.command()
@click.argument("methods", nargs=-1)
@click.option("--preset", default="64px")
@click.option("--batch", type=int, help="Signals per part of a batch.  [default: the preset's]")
@click.option("--rounds", default=5, help="Turns of each.")
@click.option("--threads", default=1)
@click.option("--device", default="auto")
def main(
    *,
    methods: tuple[str, ...],
    preset: str,
    batch: int | None,
    rounds: int,
    threads: int,
    device: str,
) -> None:
    """Prints images per second in the default precision and in plain float32."""
    torch.set_num_threads(threads)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    place = resolve_device(device)
    dtype = str(resolve_precision(place)).removeprefix("torch.")
    alone = place.type == "cpu" and threads == 1
    clock = time.process_time if alone else time.perf_counter
    print(f"{preset} on {place}, threads: {threads}, torch {torch.__version__}")
    print(f"images per second of {'CPU' if alone else 'wall-clock'} time, median of {rounds} turns")
    print(f"{'method':20}{'batch':>6}{dtype:>10}{'plain':>10}{'ratio':>8}")
    for method in methods or methods_at(preset):
        print(measure(method, preset, batch, rounds, device=device, clock=clock), flush=True)
    print(f"peak of all: {peak_memory() / 2**30:.2f} GiB")
    if dtype == "float32":
        print("this device lacks fast bfloat16, so the default is float32 too", file=sys.stderr)


if __name__ == "__main__":
    main()
