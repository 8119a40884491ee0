"""How fast a GPU trains and translates: CUDA graphs and compiled nets against plain float32.

    python benchmarks/gpu.py train [METHOD ...] [--preset paper] [--batch N] [--variants A,B]
    python benchmarks/gpu.py translate MODEL [--batch 128]
    python benchmarks/gpu.py equal [METHOD ...] [--preset 32px] [--steps 20]

Prints one line of JSON per variant. The baseline is what one would write first: float32 (on a GPU
torch's convolutions then use TF32), contiguous tensors, unfused Adam, operation by operation.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import click
import torch
from training import NAMES, Noise

import zoo
from zoo_core.catalogue.description import ModelConfig
from zoo_core.contracts.signals import Domains
from zoo_core.host.plugins import host
from zoo_core.models.modeldir import build_method
from zoo_train import devices
from zoo_train.devices import make_fabric
from zoo_train.loop import Trainer

SECONDS = 2.0
"""How long each variant is timed, about."""


@dataclass(frozen=True)
class Variant:
    """One way to make a step.

    Attributes:
        precision: As a run names it.
        speed: As a run names it.
        layout: How pictures lie in memory.
        fused: Whether the optimiser is the loop's own.
        search: Whether cuDNN tries its algorithms and keeps the fastest.
    """

    precision: str = "auto"
    speed: str = "auto"
    layout: torch.memory_format = torch.channels_last
    fused: bool = True
    search: bool = False


PLAIN = Variant("float32", "eager", torch.contiguous_format, fused=False)
VARIANTS = {
    "plain": PLAIN,
    "eager": Variant(speed="eager"),
    "captured": Variant(),
    "captured-searched": Variant(search=True),
    "captured-float32": Variant("float32"),
    "captured-contiguous": Variant(layout=torch.contiguous_format),
    "captured-contiguous-float32": Variant("float32", layout=torch.contiguous_format),
    "compiled": Variant(speed="compiled"),
    "compiled-searched": Variant(speed="compiled", search=True),
}


def trainer_of(method: str, preset: str, batch: int | None, variant: Variant) -> Trainer:
    """A run of a method on random signals."""
    cls = host().load("method", method)
    chosen = cls.presets[preset]
    domains = Domains(NAMES[: host().method(method).domains[1]])
    torch.manual_seed(0)
    model = ModelConfig(method, dict(chosen.options), domains=domains, signal=chosen.signal)
    config = replace(chosen.train, steps=10_000, speed=variant.speed)
    config = config if batch is None else replace(config, batch=batch)
    noise = Noise(cls.sampling, domains, chosen.signal, config.batch)
    fabric = make_fabric("auto", 1, variant.precision)
    trainer = Trainer(build_method(model), noise, config, fabric=fabric, notify=print)
    if not variant.fused:
        for state in trainer.player_states:
            for group in state.optimiser.param_groups:
                group.update(fused=False, capturable=False, lr=float(group["lr"]))
    return trainer


@contextmanager
def chosen(variant: Variant) -> Iterator[None]:
    """Within the block, what holds for the whole process."""
    before = devices.PICTURES, torch.backends.cudnn.benchmark
    devices.PICTURES, torch.backends.cudnn.benchmark = variant.layout, variant.search
    try:
        yield
    finally:
        devices.PICTURES, torch.backends.cudnn.benchmark = before


def train_rate(trainer: Trainer) -> dict[str, Any]:
    """Steps and images per second, once all that is prepared is prepared."""
    every = math.lcm(*(state.player.every for state in trainer.player_states))
    begin = time.perf_counter()
    for _ in range(3 * every + 1):
        trainer.step()
    trainer.check()
    prepared = time.perf_counter() - begin
    once = _steps(trainer, every)
    rounds = max(2, min(400, round(SECONDS / once)))
    seen, spent = trainer.seen, _steps(trainer, every * rounds)
    runner = trainer.runner
    return {
        "steps_per_second": round(every * rounds / spent, 2),
        "images_per_second": round((trainer.seen - seen) / spent, 1),
        "prepared_in_seconds": round(prepared, 1),
        "captured": getattr(runner, "recorded", 0),
        "refused": getattr(runner, "refused", None),
    }


def _steps(trainer: Trainer, count: int) -> float:
    """Seconds of so many steps; the losses are read at their end, which waits for the device."""
    begin = time.perf_counter()
    for _ in range(count):
        trainer.step()
    trainer.take_losses()
    return time.perf_counter() - begin


def timed(act: Callable[[], object], repeats: int) -> float:
    """Median seconds of an act that waits for the device itself."""
    spent = []
    for _ in range(repeats):
        begin = time.perf_counter()
        act()
        spent.append(time.perf_counter() - begin)
    return sorted(spent)[repeats // 2]


def say(**values: Any) -> None:
    """One line of JSON."""
    click.echo(json.dumps({"device": _device(), **values}))


def _device() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


@click.group()
def main() -> None:
    """Speed on a GPU."""


@main.command()
@click.argument("methods", nargs=-1)
@click.option("--preset", default="paper", show_default=True)
@click.option("--batch", type=int)
@click.option("--variants", default="plain,eager,captured", show_default=True)
def train(methods: Sequence[str], preset: str, batch: int | None, variants: str) -> None:
    """Training, in images per second, and the ratio to the first variant."""
    for method in methods or ("stargan", "cyclegan", "unit"):
        base = None
        for name in variants.split(","):
            variant = VARIANTS[name]
            about: dict[str, Any] = {"method": method, "preset": preset, "variant": name}
            try:
                with chosen(variant):
                    trainer = trainer_of(method, preset, batch, variant)
                    found = train_rate(trainer)
                    about["batch"] = trainer.config.batch
                    del trainer
            except Exception as fault:  # one variant must not end the table
                say(**about, failed=f"{type(fault).__name__}: {fault}"[:400])
                continue
            base = base or found["images_per_second"]
            say(**about, **found, ratio=round(found["images_per_second"] / base, 2))
            torch.cuda.empty_cache()


@main.command()
@click.argument("methods", nargs=-1)
@click.option("--preset", default="32px", show_default=True)
@click.option("--steps", default=20, show_default=True)
def equal(methods: Sequence[str], preset: str, steps: int) -> None:
    """How far CUDA graphs are from eager steps, and two eager runs from each other, in float32."""
    for method in methods or ("stargan", "cyclegan", "unit"):
        try:
            eager, again, captured = (
                _state_after(steps, trainer_of(method, preset, None, Variant("float32", speed)))
                for speed in ("eager", "eager", "auto")
            )
        except Exception as fault:  # one method must not end the table
            say(method=method, preset=preset, failed=f"{type(fault).__name__}: {fault}"[:400])
            continue
        say(
            method=method,
            preset=preset,
            steps=steps,
            eager_twice=_farthest(eager, again),
            captured=_farthest(eager, captured),
        )


def _state_after(steps: int, trainer: Trainer) -> dict[str, torch.Tensor]:
    """Every step's losses, and the parameters at the end, on the CPU."""
    found: dict[str, torch.Tensor] = {}
    for step in range(steps):
        trainer.step()
        found |= {f"{step} {n}": torch.tensor(v) for n, v in trainer.take_losses().items()}
    for name, net in trainer.method.nets.items():
        found |= {f"{name}.{n}": p.detach().float().cpu() for n, p in net.named_parameters()}
    return found


def _farthest(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> dict[str, Any]:
    """The largest difference, and of what."""
    if one.keys() != other.keys():
        raise ValueError(f"the runs have other losses: {sorted(one.keys() ^ other.keys())[:4]}")
    name = max(one, key=lambda n: float((one[n] - other[n]).abs().max()))
    return {"difference": float((one[name] - other[name]).abs().max()), "of": name}


@main.command()
@click.argument("model")
@click.option("--batch", default=128, show_default=True)
@click.option("--repeats", default=20, show_default=True)
def translate(model: str, batch: int, repeats: int) -> None:
    """Translation, in images per second, from and to tensors of the CPU, and nets alone."""
    base: dict[str, float] = {}
    for name, precision in {"plain": "float32", "default": "auto", "compiled": "auto"}.items():
        translator = zoo.load(model, engine="torch", precision=precision)
        engine, shape = translator.engine, translator.config.signal.shape
        x = torch.rand(batch, *shape) * 2 - 1  # (N, *S)
        source = translator.domains.names[0]
        target = engine.vector(translator.domains.names[-1])
        label = engine.label(source)
        if name == "compiled":
            for net in engine.method.nets.values():
                net.compile()
        begin = time.perf_counter()
        engine.translate(x, label, target)
        prepared = time.perf_counter() - begin
        ready = engine.ready(x)
        conditions = engine.condition(label, batch), engine.condition(target, batch)

        def nets() -> None:
            with engine.computing():  # noqa: B023
                engine.method.translate(ready, *conditions)  # noqa: B023
            torch.cuda.synchronize() if engine.device.type == "cuda" else None  # noqa: B023

        nets()
        spent = {
            "whole": timed(lambda: engine.translate(x, label, target), repeats),  # noqa: B023
            "nets": timed(nets, repeats),
        }
        base = base or spent
        say(
            model=model,
            batch=batch,
            variant=name,
            prepared_in_seconds=round(prepared, 1),
            **{f"{key}_images_per_second": round(batch / value, 1) for key, value in spent.items()},
            **{f"{key}_ratio": round(base[key] / value, 2) for key, value in spent.items()},
        )


if __name__ == "__main__":
    main()
