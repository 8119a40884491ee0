"""Training steps as CUDA graphs: each pattern of turns is recorded once, then replayed.

A step of a small net consists of hundreds of short kernels, and launching them from Python takes
longer than running them. A replay launches them all at once. It reads its input from static
tensors, which are filled before each step; random numbers come from generators on the device, which
are seeded for each step as in eager training.

The first steps of a pattern run eagerly on the same static tensors, and are checked: what a graph
could not repeat (reading a value on the CPU, random numbers of Python, a counter in a loss) is
named, and the run goes on eagerly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from zoo_core.contracts.method import Method
from zoo_core.contracts.spec import TrainConfig
from zoo_core.train.capture_checks import held_tensors, observed
from zoo_core.train.captured_step import CapturedStep, StaticMeter, Turns, pattern
from zoo_core.train.data.sampling import BatchSource, PrefetchSampler
from zoo_core.train.guard import LossMeter
from zoo_core.train.player_state import PlayerState

WARM_UPS = 2
"""Steps of a pattern that run eagerly before it is recorded."""
MOST_PATTERNS = 24
"""Patterns that are recorded; steps of further ones run eagerly."""


class EagerTrainer(Protocol):
    """What `StepCapture` needs of `zoo_core.train.loop.Trainer`."""

    fabric: Fabric
    config: TrainConfig
    method: Method[Any]
    player_states: list[PlayerState]
    sampler: BatchSource
    meter: LossMeter
    weights: dict[int, Tensor | float]
    done: int

    def run_turns(self, turns: Turns) -> None:
        """Lets players move, operation by operation."""


class StepCapture:
    """Runs a trainer's steps from CUDA graphs.

    Args:
        trainer: The trainer.
        notify: Called with the reason where steps run eagerly after all.
        record: Whether to record graphs; False runs every step as a warm-up, on any device.

    Attributes:
        refused: Why steps are no longer recorded; None while they are.
    """

    def __init__(
        self, trainer: EagerTrainer, notify: Callable[[str], None], *, record: bool = True
    ) -> None:
        self._trainer, self._notify, self._record = trainer, notify, record
        self._steps: dict[object, CapturedStep] = {}
        self.refused: str | None = None
        if record:
            self._stream = torch.cuda.Stream(trainer.fabric.device)  # type: ignore[no-untyped-call]
            self._pool = torch.cuda.graph_pool_handle()

    @classmethod
    def wanted(cls, trainer: EagerTrainer, notify: Callable[[str], None]) -> StepCapture | None:
        """For a run in one process on a GPU, unless its configuration asks for eager steps."""
        place = trainer.fabric.device.type
        if trainer.config.speed == "eager" or place != "cuda":
            return None
        if trainer.fabric.world_size > 1:
            notify("steps run eagerly: CUDA graphs are not used with several processes")
            return None
        return cls(trainer, notify)

    @property
    def recorded(self) -> int:
        """Number of recorded patterns."""
        return sum(step.graph is not None for step in self._steps.values())

    def run(self, turns: Turns) -> bool:
        """Runs a step; False where the caller has to run it eagerly."""
        if self.refused is not None:
            return False
        key = pattern(turns)
        step = self._steps.get(key)
        if step is None:
            if len(self._steps) == MOST_PATTERNS:
                return False
            step = self._steps[key] = CapturedStep.of(turns, self._trainer.fabric.device)
        step.fill(turns, self._trainer.done)
        if step.graph is not None:
            step.graph.replay()
        elif not self._record or step.warm_ups < WARM_UPS:
            self._warm_up(step)
        else:
            graph = self._recorded(step)
            if graph is None:
                return False
            graph.replay()  # recording does not run anything
            step.graph = graph
        step.count += 1
        if self.refused is not None:
            self.report()
            self._steps.clear()
        return True

    def report(self) -> None:
        """Hands losses, and values that are not finite, to the trainer; waits for the device."""
        meter, faults = self._trainer.meter, []
        for step in self._steps.values():
            faults += step.report(meter)
        for number, player, what, value in sorted(faults, key=lambda fault: fault[0]):
            meter.watch(number, player, what, torch.tensor(value))

    def forget(self) -> None:
        """Drops all graphs: after loading a state, the optimisers hold other tensors."""
        self._steps.clear()

    def _warm_up(self, step: CapturedStep) -> None:
        step.warm_ups += 1
        if not self._record:
            self._run_eagerly(step)
            return
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            if step.warm_ups < WARM_UPS:
                self._run_eagerly(step)
            else:
                with observed(self._modules()) as reasons:
                    self._run_eagerly(step)
                if step.reads_progress:
                    reasons.append("a loss asks how far training is")
                if reasons:
                    self._refuse(reasons[0])
        torch.cuda.current_stream().wait_stream(self._stream)

    def _recorded(self, step: CapturedStep) -> torch.cuda.CUDAGraph | None:
        """Records a step without running it; None where that fails."""
        if isinstance(self._trainer.sampler, PrefetchSampler):
            self._trainer.sampler.wait()  # its thread must not call CUDA meanwhile
        graph = torch.cuda.CUDAGraph()
        for rng in step.generators():
            graph.register_generator_state(rng)
        held = held_tensors(self._modules())
        before = torch.cuda.current_stream()
        try:
            with torch.cuda.graph(
                graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
            ):
                self._run_eagerly(step)
        except Exception as fault:  # whatever CUDA, torch or a loss raises
            torch.cuda.set_stream(before)  # torch does not, where the end of a recording fails
            for holder, name, tensor in held:
                holder[name] = tensor
            self._refuse(str(fault).splitlines()[0])
            return None
        return graph

    def _run_eagerly(self, step: CapturedStep) -> None:
        """The step itself, on static tensors; this is what is recorded."""
        trainer = self._trainer
        meter, ordinary = StaticMeter(), trainer.meter
        held = held_tensors(self._modules())
        trainer.weights, trainer.meter = step.weights, meter
        try:
            trainer.run_turns(step.turns)
        finally:
            trainer.weights, trainer.meter = {}, ordinary
        for holder, name, tensor in held:
            now = holder.get(name, tensor)
            # A replay reads the old tensor, so a new one in its place would never be read.
            if now is not tensor and now.shape == tensor.shape:
                with torch.no_grad():
                    tensor.copy_(now)
                holder[name] = tensor
        step.accumulate(meter)

    def _modules(self) -> list[nn.Module]:
        terms = [term for state in self._trainer.player_states for term in state.player.terms]
        return [*self._trainer.method.modules(), *(m for t in terms for m in t.loss.modules())]

    def _refuse(self, reason: str) -> None:
        self.refused = reason
        self._notify(f"steps run eagerly, which is slower; they cannot be recorded: {reason}")
