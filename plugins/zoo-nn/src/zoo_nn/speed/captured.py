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

import torch
from torch import nn

from zoo_nn.speed.capture_checks import held_tensors, observed
from zoo_nn.speed.captured_step import CapturedStep, StaticMeter, pattern
from zoo_train.data.sampling import PrefetchSampler
from zoo_train.step_runner import SteppedTrainer, StepRunner, Turns

WARM_UPS = 2
"""Steps of a pattern that run eagerly before it is recorded."""
MOST_PATTERNS = 24
"""Patterns that are recorded; steps of further ones run eagerly."""


class CapturedSteps(StepRunner):
    """Runs a trainer's steps from CUDA graphs, in one process on a GPU; elsewhere eagerly.

    Args:
        trainer: The trainer.
        notify: Called with the reason where steps run eagerly after all.
        record: Whether to record graphs; False runs every step as a warm-up, on any device.

    Attributes:
        refused: Why steps are no longer recorded; None while they are.
    """

    def __init__(
        self, trainer: SteppedTrainer, notify: Callable[[str], None], *, record: bool = True
    ) -> None:
        super().__init__(trainer, notify)
        self._record = record
        self._steps: dict[object, CapturedStep] = {}
        self.refused: str | None = None
        if not record:
            return
        if trainer.fabric.device.type != "cuda":
            self._refuse(f"{trainer.fabric.device.type} has no CUDA graphs")
        elif trainer.fabric.world_size > 1:
            self._refuse("CUDA graphs are not used with several processes")
        else:
            self._stream = torch.cuda.Stream(trainer.fabric.device)  # type: ignore[no-untyped-call]
            self._pool = torch.cuda.graph_pool_handle()

    @property
    def recorded(self) -> int:
        """Number of recorded patterns."""
        return sum(step.graph is not None for step in self._steps.values())

    def run(self, turns: Turns) -> None:
        """Lets the players of one step move."""
        step = self._step_of(turns)
        if step is None or not self._run(step, turns):
            self.trainer.run_turns(turns)

    def report(self) -> None:
        """Hands losses, and values that are not finite, to the trainer; waits for the device."""
        meter, faults = self.trainer.meter, []
        for step in self._steps.values():
            faults += step.report(meter)
        for number, player, what, value in sorted(faults, key=lambda fault: fault[0]):
            meter.watch(number, player, what, torch.tensor(value))

    def forget(self) -> None:
        """Drops all graphs: after loading a state, the optimisers hold other tensors."""
        self._steps.clear()

    def _step_of(self, turns: Turns) -> CapturedStep | None:
        """The static tensors for a pattern of turns; None where it has none and gets none."""
        if self.refused is not None:
            return None
        key = pattern(turns)
        if key not in self._steps and len(self._steps) < MOST_PATTERNS:
            self._steps[key] = CapturedStep.of(turns, self.trainer.fabric.device)
        return self._steps.get(key)

    def _run(self, step: CapturedStep, turns: Turns) -> bool:
        """Runs a step on its static tensors; False where it could not be recorded."""
        step.fill(turns, self.trainer.done)
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
        if isinstance(self.trainer.sampler, PrefetchSampler):
            self.trainer.sampler.wait()  # its thread must not call CUDA meanwhile
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
        trainer = self.trainer
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
        terms = [term for state in self.trainer.player_states for term in state.player.terms]
        return [*self.trainer.method.modules(), *(m for t in terms for m in t.loss.modules())]

    def _refuse(self, reason: str) -> None:
        self.refused = reason
        self.notify(f"steps run eagerly, which is slower; they cannot be recorded: {reason}")
