"""Step parity: the real loop held, step by step, against a method's published losses.

A test of a method restates its published training in plain torch: one class with copies of the
nets, optimisers of its own, and a ``step`` that returns the losses. `TinyRun.check` trains the
method in the real loop beside it and compares losses and weights after every step.

Both compute in float64. Two ways of writing the same arithmetic then agree to about ten digits on
any CPU with any number of threads, where in float32 a sum in another order already moves the fifth
digit after a few steps through normalisation and Adam. So a wrong factor, a forgotten term or a
draw in the wrong order cannot hide behind rounding, and no tolerance depends on the machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from zoo_core.contracts.method import Method
from zoo_core.contracts.signals import Batch, Domains, TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_nn.synthetic import random_batch
from zoo_train.devices import generator_for
from zoo_train.loop import Trainer

M = TypeVar("M", bound=Method[Any])
Batches = Callable[[int], Batch]
"""Gives the batch of a seed, always the same one."""

SEED = 11
"""Seed of the runs: their plans, draws and batches."""

STEPS = 1000
"""Pretended length of the runs, which schedules and weights see."""

CHECKED = 5
"""Consecutive steps that are compared: enough for momentum, and for pools that fill."""

LOSSES = 1e-9
"""Largest relative difference of a loss. Found: 2e-15 to 2e-12."""

TENSORS = 1e-7
"""Largest difference of a weight or a statistic. Most agree to 1e-15; but a bias ahead of a
normalisation has a gradient of rounding noise alone, 1e-16 to 1e-13, which Adam divides by its
epsilon, 1e-8: with a rate of 1e-4 that is up to 1e-9 a step. Found: up to 7e-9 (DTN), and another
number for each CPU and number of threads. A gradient that is wrong moves a weight by about the
rate."""


@dataclass(frozen=True)
class Agreement:
    """How closely a method's steps agreed with their restatement.

    Attributes:
        method: Class of the method.
        batch: Signals per part of the batch.
        steps: Steps that were compared.
        losses: Largest relative difference of a loss.
        tensors: Largest difference of a weight or a statistic.
    """

    method: type[Method[Any]]
    batch: int
    steps: int
    losses: float
    tensors: float


AGREEMENTS: list[Agreement] = []
"""What `TinyRun.check` found in this process, for `zoo_testing.parity_report`."""


class Restatement(Protocol):
    """A method's training as its paper states it, sharing no code with the zoo.

    Attributes:
        nets: Its own copies of the method's nets, by their names there. It runs their layers as
            the paper says, past their ``forward`` where that holds more than layers.
    """

    nets: Mapping[str, nn.Module] | nn.ModuleDict

    def step(self, inputs: StepInputs) -> dict[str, float]:
        """Makes one step and returns its unweighted losses by ``player/term``."""


@dataclass(frozen=True)
class StepInputs:
    """What a step starts from, the same for the loop and the restatement.

    Attributes:
        number: Number of the step, from 0.
        batches: Gives the batches.
    """

    number: int
    batches: Batches

    def batch(self, draw: int = 0) -> Batch:
        """The step's batch; with ``draw`` 1 and up, those of players who ask for their own."""
        return _Sampler(self.batches).batch(self.number, draw)

    def rng(self, draw: int = 0) -> torch.Generator:
        """The generator of the draws that belong to the batch; the plan's come first."""
        return rng_of(self.number, draw)


def rng_of(number: int, draw: int = 0) -> torch.Generator:
    """The generator of the draws that belong to a batch of the step of a number."""
    return generator_for(SEED, number, draw)


@dataclass(frozen=True)
class _Sampler:
    batches: Batches
    steps_per_epoch: int = STEPS // 10

    def batch(self, step: int, draw: int = 0) -> Batch:
        return self.batches(1000 * draw + step)


@contextmanager
def float64() -> Iterator[None]:
    """Within the block, new tensors are float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def build(
    method: type[M],
    options: Mapping[str, Any],
    domains: Domains,
    signal: TensorSpec,
    *,
    seed: int = 0,
    gain: float = 1.0,
) -> M:
    """A method in float64 with weights that depend on the seed alone.

    Args:
        method: Its class.
        options: Its options.
        domains: Its domains.
        signal: Form of its signals.
        seed: Seed of the weights.
        gain: Factor of all weights. Published initialisations can be so small that all outputs
            are near 0, where any loss looks right; 5 spreads them.
    """
    with float64(), torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        built = method(method.Options(**options), domains, signal)
        for parameter in {id(p): p for p in built.parameters()}.values():  # shared ones once
            parameter.mul_(gain)
    return built


def random_batches(method: Method[Any], count: int = 2) -> Batches:
    """Random float64 batches of ``count`` signals per part, as the method samples them."""
    mixed = method.sampling == "mixed" or method.domains.kind == "attributes"

    def batch(seed: int) -> Batch:
        with float64():
            return random_batch(method.domains, method.signal, mixed=mixed, count=count, seed=seed)

    return batch


class TinyRun:
    """A few steps of the real loop over a float64 method, on this process's CPU.

    Args:
        method: The method, as `build` makes it.
        batches: Gives the batches; None: `random_batches`.
        steps: Pretended length of the run, which schedules and weights see.
        clip: Largest gradient norm, as a run would set it.

    Attributes:
        trainer: The loop.
        batches: What gives the batches.
    """

    def __init__(
        self,
        method: Method[Any],
        batches: Batches | None = None,
        *,
        steps: int = STEPS,
        clip: float | None = None,
    ) -> None:
        self.batches = batches or random_batches(method)
        config = TrainConfig(batch=2, steps=steps, seed=SEED, clip=clip)
        with float64():  # losses may bring nets of their own
            self.trainer = Trainer(method, _Sampler(self.batches), config)

    def train(self, steps: int) -> list[dict[str, float]]:
        """Makes some steps; the unweighted losses of each, by ``player/term``."""
        records = []
        with float64(), torch.random.fork_rng(devices=[]):
            for _ in range(steps):
                self.trainer.step()
                records.append(self.trainer.take_losses())
        return records

    def count_calls(self, steps: int) -> list[Counter[str]]:
        """How often each kind of net is called in each step; ``decoder_b`` is a ``decoder``."""
        calls: Counter[str] = Counter()
        for name, net in self.trainer.method.nets.items():
            kind = name.split("_")[0]
            net.register_forward_hook(lambda *_, kind=kind: calls.update([kind]))
        counts = []
        for _ in range(steps):
            calls.clear()
            self.train(1)
            counts.append(calls.copy())
        return counts

    def check(
        self,
        restatement: Restatement,
        steps: int = CHECKED,
        *,
        read: Callable[[dict[str, float]], dict[str, float]] = dict,
    ) -> list[dict[str, float]]:
        """Trains both and compares all losses and all the nets' tensors after every step.

        The loop may lay its nets out otherwise in memory. The restatement computes on plain
        contiguous tensors, so that a kernel which is wrong in one layout is found.

        Args:
            restatement: The same training in plain torch, from the same weights.
            steps: How many steps.
            read: What the restatement calls the loop's losses, where it sums them otherwise.

        Returns:
            The losses of each step, for tests that every term has come to bear.

        Raises:
            AssertionError: Where the two differ; it names the step and the loss or tensor.
        """
        nets, records = self.trainer.method.nets, []
        for net in restatement.nets.values():
            net.to(memory_format=torch.contiguous_format)
        losses = tensors = 0.0
        for number in range(steps):
            with float64():
                wanted = restatement.step(StepInputs(number, self.batches))
            found = read(self.train(1)[0])
            names = f"step {number}: {sorted(found)}, restated {sorted(wanted)}"
            assert found.keys() == wanted.keys(), names
            for name, value in found.items():
                apart = abs(value - wanted[name]) / max(abs(wanted[name]), 1e-3)
                what = f"step {number}: {name} is {value!r}, restated {wanted[name]!r}"
                assert apart <= LOSSES, what
                losses = max(losses, apart)
            for name, net in restatement.nets.items():
                other = net.state_dict()
                for key, tensor in nets[name].state_dict().items():
                    apart = _differ(tensor, other[key])
                    assert apart <= TENSORS, f"step {number}: {name}.{key} is off by {apart:.2g}"
                    tensors = max(tensors, apart)
            records.append(found)
        AGREEMENTS.append(self._agreement(steps, losses, tensors))
        return records

    def _agreement(self, steps: int, losses: float, tensors: float) -> Agreement:
        size = max(len(signal) for signal in self.batches(0).signals.values())
        return Agreement(type(self.trainer.method), size, steps, losses, tensors)


def _differ(found: Tensor, wanted: Tensor) -> float:
    """The largest difference; infinite where the shapes differ."""
    if found.shape != wanted.shape:
        return float("inf")
    return float((found.double() - wanted.double()).abs().max()) if found.numel() else 0.0
