"""How fast a training step is: the default precision against plain float32 eager.

    python benchmarks/training.py [--method stargan] [--preset 64px] [--batch 16] [--steps 10]

The baseline is what one would write first: float32, contiguous tensors, unfused Adam. Prints
images per second of both, their ratio, and the peak memory of the process.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import click
import torch

from zoo_core.catalogue.description import ModelConfig
from zoo_core.contracts.signals import MIXED, Batch, Condition, Domains, TensorSpec
from zoo_core.host.plugins import host
from zoo_core.models.modeldir import build_method
from zoo_core.translate.engine import resolve_device, resolve_precision
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


def rate(method: str, preset: str, batch: int, steps: int, *, device: str, plain: bool) -> float:
    """Images per second, after two steps of warm-up."""
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
    for _ in range(2):
        trainer.step()
    trainer.check()
    seen, begin = trainer.seen, time.perf_counter()
    for _ in range(steps):
        trainer.step()
    trainer.check()  # waits for the device
    return (trainer.seen - seen) / (time.perf_counter() - begin)


def undo(trainer: Trainer) -> None:
    """Takes back what makes training fast: memory format and fused optimisers."""
    trainer.method.to(memory_format=torch.contiguous_format)
    loop.channels_last = lambda batch: batch
    for player_state in trainer.player_states:
        for group in player_state.optimiser.param_groups:
            group["fused"] = False


@click.command()
@click.option("--method", default="stargan")
@click.option("--preset", default="64px")
@click.option("--batch", default=16)
@click.option("--steps", default=10)
@click.option("--device", default="auto")
def main(method: str, preset: str, batch: int, steps: int, device: str) -> None:
    """Prints images per second in the default precision and in plain float32."""
    place = resolve_device(device)
    dtype = str(resolve_precision(place)).removeprefix("torch.")
    fast = rate(method, preset, batch, steps, device=device, plain=False)
    peak = peak_memory() / 2**30
    slow = rate(method, preset, batch, steps, device=device, plain=True)
    print(f"{method} {preset} batch {batch} on {place} with {torch.get_num_threads()} threads")
    print(f"default ({dtype}, channels-last, fused): {fast:.1f} images/s, peak {peak:.2f} GiB")
    print(f"float32 eager, contiguous, unfused:      {slow:.1f} images/s")
    print(f"ratio: {fast / slow:.2f}")
    if dtype == "float32":
        print("this device lacks fast bfloat16, so the default is float32 too", file=sys.stderr)


if __name__ == "__main__":
    main()
