"""Averages of gradients over processes, by hand, and who runs the steps."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from zoo_core.errors import UsageError
from zoo_train.averages import Ema, average, average_statistics
from zoo_train.step_runner import StepRunner, runner_for

pytestmark = pytest.mark.numeric


class Processes:
    """Stands for Fabric: the others' values are added to what this process sends."""

    def __init__(self, world: int, others: list[float] | None = None) -> None:
        self.world_size, self.others, self.sent = world, others, []

    def all_reduce(self, flat: Tensor, reduce_op: str) -> Tensor:
        assert reduce_op == "sum"
        self.sent.append(flat.tolist())
        return flat + torch.tensor(self.others)


def parameters() -> list[nn.Parameter]:
    """Of two, one and two numbers; the second has no gradient here."""
    made = [nn.Parameter(torch.zeros(*shape)) for shape in ((1, 2), (1,), (2,))]
    made[0].grad, made[2].grad = torch.tensor([[1.0, 2.0]]), torch.tensor([5.0, 6.0])
    return made


def test_gradients_are_averaged_in_one_message_that_says_who_used_what() -> None:
    fabric, own = Processes(2, [3.0, 0.0, 8.0, -5.0, 0.0, 1.0, 1.0, 0.0]), parameters()
    average(own, fabric)  # type: ignore[arg-type]
    assert fabric.sent == [[1.0, 2.0, 0.0, 5.0, 6.0, 1.0, 0.0, 1.0]]
    assert [p.grad.tolist() for p in own if p.grad is not None] == [[[2.0, 1.0]], [4.0], [0.0, 3.0]]


def test_what_no_process_used_keeps_no_gradient() -> None:
    own = parameters()
    average(own, Processes(4, [0.0] * 8))  # type: ignore[arg-type]
    assert own[1].grad is None
    assert own[0].grad is not None
    assert own[0].grad.tolist() == [[0.25, 0.5]]


def test_averaged_gradients_lie_in_memory_as_their_parameters_do() -> None:
    own = [nn.Parameter(torch.zeros(2, 3).t())]
    own[0].grad = torch.arange(6.0).view(3, 2)
    average(own, Processes(2, [0.0] * 7))  # type: ignore[arg-type]
    assert own[0].grad.stride() == own[0].stride() == (1, 3)
    assert own[0].grad.tolist() == [[0.0, 0.5], [1.0, 1.5], [2.0, 2.5]]


def test_a_single_process_and_a_player_without_parameters_send_nothing() -> None:
    alone, own = Processes(1), parameters()
    average(own, alone)  # type: ignore[arg-type]
    average_statistics(nn.BatchNorm1d(2), alone)  # type: ignore[arg-type]
    assert own[0].grad is not None
    assert own[0].grad.tolist() == [[1.0, 2.0]]
    several = Processes(2)
    average([], several)  # type: ignore[arg-type]
    average_statistics(nn.Linear(1, 1), several)  # type: ignore[arg-type]
    assert alone.sent == several.sent == []


def test_statistics_of_every_form_are_averaged() -> None:
    net = nn.Sequential(nn.BatchNorm1d(1), nn.Module())
    net[1].register_buffer("table", torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    average_statistics(net, Processes(2, [4.0, 1.0, 1.0, 0.0, 1.0, 2.0]))  # type: ignore[arg-type]
    assert (net[0].running_mean.item(), net[0].running_var.item()) == (2.0, 1.0)
    assert net[1].table.tolist() == [[1.0, 1.0], [2.0, 3.0]]


def test_a_message_that_is_no_tensor_is_a_mistake() -> None:
    fabric = SimpleNamespace(world_size=2, all_reduce=lambda flat, reduce_op: [flat])
    with pytest.raises(TypeError, match="gave list"):
        average(parameters(), fabric)  # type: ignore[arg-type]


def test_layers_that_nets_share_are_averaged_once() -> None:
    shared = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(shared.weight)
    ema = Ema({"one": shared, "two": nn.Sequential(shared)}, 0.5)
    nn.init.ones_(shared.weight)
    ema.update(100)
    assert {key: value.item() for key, value in ema.state_dict().items()} == {"one.weight": 0.5}
    with ema.applied():
        assert shared.weight.item() == 0.5
    assert shared.weight.item() == 1.0


def test_an_average_takes_over_a_state_and_names_what_is_missing() -> None:
    ema = Ema({"net": nn.Linear(1, 1, bias=False)}, 0.5)
    ema.load_state_dict({"net.weight": torch.tensor([[7.0]])})
    assert ema.state_dict()["net.weight"].item() == 7
    with pytest.raises(KeyError, match=r"net\.weight"):
        ema.load_state_dict({})


class Captured(StepRunner):
    """Stands for a runner of a plugin."""


def a_trainer(speed: str, *, device: str = "cpu", accumulate: int = 1) -> SimpleNamespace:
    return SimpleNamespace(
        config=SimpleNamespace(speed=speed, accumulate=accumulate),
        fabric=SimpleNamespace(device=SimpleNamespace(type=device)),
    )


@pytest.mark.parametrize(
    ("speed", "device", "accumulate", "installed", "wanted"),
    [
        ("auto", "cpu", 1, True, StepRunner),
        ("auto", "cuda", 1, True, Captured),
        ("auto", "cuda", 1, False, StepRunner),
        ("auto", "cuda", 2, True, StepRunner),
        ("eager", "cuda", 1, True, StepRunner),
        ("eager", "cpu", 2, True, StepRunner),
        ("captured", "cpu", 1, True, Captured),
    ],
)
def test_a_gpu_has_the_runner_that_is_installed_for_it_and_parts_run_by_operation(
    speed: str,
    device: str,
    accumulate: int,
    installed: bool,
    wanted: type,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Host:
        def components(self, kind: str) -> dict[str, object]:
            return {"captured": None} if installed and kind == "step-runner" else {}

        def load(self, kind: str, name: str) -> type:
            assert (kind, name) == ("step-runner", "captured")
            return Captured

    monkeypatch.setattr("zoo_train.step_runner.host", Host)
    trainer = a_trainer(speed, device=device, accumulate=accumulate)
    runner = runner_for(trainer, print)  # type: ignore[arg-type]
    assert type(runner) is wanted
    assert (runner.trainer, runner.notify) == (trainer, print)


@pytest.mark.parametrize("accumulate", [2, 3])
def test_a_runner_that_is_asked_for_does_not_go_with_batches_in_parts(accumulate: int) -> None:
    with pytest.raises(UsageError) as caught:
        runner_for(a_trainer("captured", accumulate=accumulate), print)  # type: ignore[arg-type]
    assert caught.value.asked == f"train.speed captured with train.accumulate {accumulate}"
