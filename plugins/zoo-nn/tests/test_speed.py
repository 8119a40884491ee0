"""Captured steps: equal to eager ones, or refused with a reason."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from zoo_core.contracts.method import Loss, Player, Term
from zoo_core.contracts.signals import MIXED, Batch, Condition, Domains, TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.contracts.step import Step
from zoo_core.errors import TrainingError
from zoo_nn.losses.pool import ImagePool
from zoo_nn.speed.captured import CapturedSteps
from zoo_nn.speed.compiled import CompiledSteps
from zoo_testing.tiny import CycleLoss, TinyCodeMethod, TinyMethod, TinyOptions
from zoo_train.devices import generator_for, make_fabric
from zoo_train.loop import Trainer
from zoo_train.step_runner import StepRunner

pytestmark = pytest.mark.numeric

CONFIG = TrainConfig(batch=4, steps=40, seed=3, ema=0.9, precision="float32")
SIGNAL = TensorSpec(shape=(3, 8, 8), stride=2)
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
DEVICES = ["cpu", pytest.param("cuda", marks=needs_gpu)]


class Batches:
    """Random batches, a function of the step and the draw."""

    steps_per_epoch = 10

    def __init__(self, mixed: bool = True) -> None:
        self.mixed = mixed

    def batch(self, step: int, draw: int = 0) -> Batch:
        rng = generator_for(9, step, draw)
        if self.mixed:
            signal = torch.rand(4, 3, 8, 8, generator=rng) * 2 - 1
            return Batch({MIXED: signal}, {MIXED: Condition(torch.eye(2).repeat(2, 1))})
        names = Domains(("a", "b"))
        return Batch(
            {name: torch.rand(4, 3, 8, 8, generator=rng) * 2 - 1 for name in names},
            {name: Condition.of(names, name, 4) for name in names},
        )


class Drawing(Loss):
    """Compares with noise and with a pool: both draw random numbers from the step."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = ImagePool(6)

    def forward(self, step: Step) -> Tensor:
        made = step.routes[0].translated
        noise = step.randn(len(made), *made.shape[1:])
        return (made - noise).square().mean() + (made - self.pool(made, step)).abs().mean()


class Unrepeatable(Loss):
    """Multiplies by what a function returns, which a graph would record as a constant."""

    def __init__(self, factor: Callable[[Unrepeatable, Step], float]) -> None:
        super().__init__()
        self.factor, self.calls = factor, 0

    def forward(self, step: Step) -> Tensor:
        return step.routes[0].translated.square().mean() * self.factor(self, step)


def reads_a_value(loss: Unrepeatable, step: Step) -> float:
    return 1.0 + float(step.routes[0].translated.mean() > 9)


def reads_the_progress(loss: Unrepeatable, step: Step) -> float:
    return 1.0 + step.progress.step


def draws_with_python(loss: Unrepeatable, step: Step) -> float:
    return 1.0 + random.random()


def counts_its_calls(loss: Unrepeatable, step: Step) -> float:
    loss.calls += 1
    return 1.0


def players_with_draws(method: TinyMethod, every: int) -> list[Player]:
    """The method's players; the generator has a loss that draws, and moves every so often."""
    critic, generator = method.players()
    terms = (*generator.terms, Term("drawing", Drawing()))
    return [critic, replace(generator, terms=terms, every=every)]


def trainer_of(
    device: str,
    *,
    code: bool = False,
    every: int = 2,
    speed: str = "eager",
    players: Sequence[Player] | None = None,
) -> Trainer:
    torch.manual_seed(0)
    method = (TinyCodeMethod if code else TinyMethod)(TinyOptions(), Domains(("a", "b")), SIGNAL)
    if isinstance(method, TinyMethod) and players is None:
        players = players_with_draws(method, every)
    config = replace(CONFIG, speed=speed)
    fabric = make_fabric(device, 1, "float32")
    return Trainer(method, Batches(not code), config, players=players, fabric=fabric)


def captured(trainer: Trainer) -> CapturedSteps:
    """Captures a trainer's steps; on a CPU all of them are warm-ups."""
    record = trainer.fabric.device.type == "cuda"
    trainer.runner = runner = CapturedSteps(trainer, print, record=record)
    return runner


def run(trainer: Trainer, steps: int) -> list[dict[str, float]]:
    """The losses of each step."""
    losses = []
    for _ in range(steps):
        trainer.step()
        losses.append(trainer.take_losses())
    return losses


def assert_equal_runs(one: Trainer, other: Trainer, steps: int) -> None:
    """Both make equal steps: exactly on a CPU, up to kernels' rounding on a GPU."""
    exact = one.fabric.device.type == "cpu"
    for mine, theirs in zip(run(one, steps), run(other, steps), strict=True):
        assert mine == pytest.approx(theirs, rel=0 if exact else 1e-3)
    for states in zip(values(one), values(other), strict=True):
        torch.testing.assert_close(*states, rtol=0, atol=0 if exact else 1e-4)


def values(trainer: Trainer) -> list[Tensor]:
    """The tensors that a run hands on from step to step."""
    state = trainer.state()
    return [*state["nets"].values(), *state["ema"].values()]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("code", [False, True])
def test_twenty_captured_steps_equal_eager_ones(device: str, code: bool) -> None:
    trainer = trainer_of(device, code=code)
    capture = captured(trainer)
    assert_equal_runs(trainer, trainer_of(device, code=code), 20)
    assert capture.refused is None
    assert capture.recorded == (0 if device == "cpu" else 1 if code else 2)


@pytest.mark.parametrize("device", DEVICES)
def test_a_resumed_run_goes_on_as_if_it_had_not_stopped(device: str) -> None:
    whole, resumed = trainer_of(device), trainer_of(device)
    captured(whole)
    captured(resumed)
    run(whole, 12)
    run(resumed, 5)
    resumed.load_state(copy.deepcopy(whole.state()))
    assert_equal_runs(resumed, whole, 6)


@pytest.mark.parametrize("device", DEVICES)
def test_a_value_that_is_not_finite_is_reported_with_its_step(device: str) -> None:
    trainer = trainer_of(device)
    captured(trainer)
    for number in range(9):
        if number == 7:
            with torch.no_grad():
                next(trainer.method.nets["critic"].parameters()).fill_(float("nan"))
        trainer.step()
    with pytest.raises(TrainingError) as caught:
        trainer.check()
    assert caught.value.asked == 'the loss "critic" of player "critic" at step 7'


@pytest.mark.parametrize("device", DEVICES)
def test_only_a_gpu_captures_and_only_unless_told_not_to(device: str) -> None:
    assert type(trainer_of(device, speed="eager").runner) is StepRunner
    by_default = type(trainer_of(device, speed="auto").runner)
    assert by_default is (CapturedSteps if device == "cuda" else StepRunner)


def test_graphs_that_are_asked_for_without_a_gpu_are_refused_and_steps_run_eagerly() -> None:
    trainer = trainer_of("cpu", speed="captured")
    assert isinstance(trainer.runner, CapturedSteps)
    assert trainer.runner.refused == "cpu has no CUDA graphs"
    assert_equal_runs(trainer, trainer_of("cpu"), 2)


def test_nets_are_compiled_in_steps_and_not_in_samples() -> None:
    trainer = trainer_of("cpu", speed="compiled")
    assert isinstance(trainer.runner, CompiledSteps)
    net = trainer.method.nets["generator"]
    assert net._compiled_call_impl is not None
    with trainer.exported():
        assert net._compiled_call_impl is None
    assert net._compiled_call_impl is not None


@needs_gpu
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch.compile's own
def test_compiled_nets_learn_although_they_are_frozen_in_the_first_steps() -> None:
    compiled = trainer_of("cuda", every=5, speed="compiled")
    assert_equal_runs(compiled, trainer_of("cuda", every=5), 20)


@needs_gpu
@pytest.mark.parametrize(
    "factor", [reads_a_value, reads_the_progress, draws_with_python, counts_its_calls]
)
def test_what_a_graph_cannot_repeat_is_refused_and_runs_eagerly(
    factor: Callable[[Unrepeatable, Step], float],
) -> None:
    terms = (Term("bad", Unrepeatable(factor)), Term("cycle", CycleLoss()))
    trainer = trainer_of("cuda", players=[Player("generator", ("generator",), terms)])
    capture = captured(trainer)
    run(trainer, 8)
    assert capture.refused is not None
    assert capture.recorded == 0
    assert trainer.done == 8
