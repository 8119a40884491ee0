"""What a training step costs beside the forward and backward passes of its nets.

    python benchmarks/steps.py [METHOD ...] [--preset NAME] [--rounds 5]

For every method, at its preset for 32 pixels (or the smallest that trains in earnest): the time of
a step; that of the passes of its nets, each repeated alone; that of the losses, which make a number
of what the nets gave; that of the optimisers' updates; and the step against the sum. Passes are
repeated in the order of the step, so that each finds the caches as it finds them there. What is
over is the losses' own backward passes, the batch, the plan, norms, clipping, averages and the loop
itself. Passes made without need would count as passes here: `zoo check` refuses those.

Processor time of one thread, median over rounds in which step and passes take turns, so that other
processes disturb little. Short ones are made several times in a row, as a training does.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import click
import torch
from losses import Losses
from passes import Passes, medians, run, update
from training import Noise

from zoo_core.catalogue.description import ModelConfig
from zoo_core.contracts.signals import Domains
from zoo_core.host.plugins import host
from zoo_core.models.modeldir import build_method
from zoo_train.loop import Trainer

PRESETS = ("32px", "small")
STEPS = 1000
LIMIT = 1.10
LONG = 0.25
"""Seconds that steps in a row shall take at least."""


@dataclass(frozen=True)
class Cost:
    """Milliseconds of one step.

    Attributes:
        step: The whole step.
        passes: Forward and backward passes of its nets, each alone.
        losses: The losses, without their own backward passes.
        updates: The optimisers' updates.
    """

    step: float
    passes: float
    losses: float
    updates: float

    @property
    def ratio(self) -> float:
        """The step against the sum of the others."""
        return self.step / (self.passes + self.losses + self.updates)


def trainer_of(name: str, preset: str) -> Trainer:
    """A run of a method on random signals, as its preset says."""
    cls, spec = host().load("method", name), host().method(name)
    chosen = cls.presets[preset]
    domains = Domains(("first", "second", "third")[: spec.domains[1] or 3])
    torch.manual_seed(0)
    config = ModelConfig(name, dict(chosen.options), domains=domains, signal=chosen.signal)
    noise = Noise(cls.sampling, domains, chosen.signal, chosen.train.batch)
    return Trainer(build_method(config), noise, replace(chosen.train, steps=STEPS))


def cost(name: str, preset: str, rounds: int) -> Cost:
    """Measures one method, over a number of steps after which its players' turns repeat."""
    trainer = trainer_of(name, preset)
    every = math.lcm(*(player_state.player.every for player_state in trainer.player_states))
    begin = STEPS // 2 // every * every
    steps = range(begin, begin + every)
    moves = {m.player.name: sum(map(m.player.is_active, steps)) for m in trainer.player_states}
    passes = Passes(trainer)
    passes.listen(steps)
    times = math.ceil(LONG / seconds(lambda: run(trainer, steps)))

    def apart() -> tuple[float, float]:
        """Seconds of the passes and of the updates, one after the other as in a step."""
        return passes.repeat(), seconds(lambda: update(trainer, moves))

    def once() -> dict[str, float]:
        step = seconds(lambda: run(trainer, steps), times)
        losses = Losses(trainer)
        for _ in range(times):
            losses.run(steps)
        parts = [apart() for _ in range(times)]
        made, moved = (sum(part) / times for part in zip(*parts, strict=True))
        return {"step": step, "passes": made, "losses": losses.spent / times, "updates": moved}

    once()
    found = medians([once() for _ in range(rounds)])
    trainer.take_losses()
    return Cost(**{key: value * 1000 / every for key, value in found.items()})


def seconds(act: Callable[[], object], times: int = 1) -> float:
    """Processor time of an act that is repeated a number of times, for one of them."""
    begin = time.process_time()
    for _ in range(times):
        act()
    return (time.process_time() - begin) / times


@click.command()
@click.argument("methods", nargs=-1)
@click.option("--preset", "wanted", help="Preset of every method; else the one for 32 pixels.")
@click.option("--rounds", default=5, show_default=True)
def main(methods: tuple[str, ...], wanted: str | None, rounds: int) -> None:
    """Prints a line per method, and names those whose step costs more than 1.1 times the sum."""
    torch.set_num_threads(1)
    heads = "".join(f"{head:>9}" for head in ("step", "passes", "losses", "updates", "ratio"))
    print(f"{'method':20} {'preset':7}{heads}")
    slow = []
    for name in methods or host().methods():
        held = host().load("method", name).presets
        presets = (wanted,) if wanted else PRESETS
        preset = next((preset for preset in presets if preset in held), None)
        if preset is None:
            print(f"{name:20} has none of the presets {', '.join(presets)}")
            continue
        found = cost(name, preset, rounds)
        parts = (found.step, found.passes, found.losses, found.updates)
        values = "".join(f"{part:9.1f}" for part in parts) + f"{found.ratio:9.2f}"
        print(f"{name:20} {preset:7}{values}", flush=True)
        if found.ratio > LIMIT:
            slow.append(name)
    print("milliseconds of one thread's time a step; ratio: step / the sum of the others")
    if slow:
        print(f"more than {LIMIT}: {', '.join(slow)}")


if __name__ == "__main__":
    main()
