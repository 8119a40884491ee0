"""The shallow method against a restatement of its losses in plain torch."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from zoo_core.contracts.signals import Batch, Condition, Domains, TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import UsageError
from zoo_core.train.loop import Trainer
from zoo_nn.nets.norm import InstanceNorm
from zoo_shallow.method import Options, Shallow
from zoo_shallow.nets import ShallowGenerator

DOMAINS = Domains(("photo", "drawing"))
SPEC = TensorSpec(shape=(3, 16, 16), stride=2)
TINY = {"width": 4, "depth": 3, "critic_width": 4, "critic_layers": 1, "pool": 0}
EPS = 1e-3
"""Adam's eps: large, lest rounding noise become full steps and parameters cannot be compared."""


def make(**options: object) -> Shallow:
    torch.manual_seed(0)
    method = Shallow(Options(**TINY | options), DOMAINS, SPEC)  # type: ignore[arg-type]
    with torch.no_grad():  # with the initial weights as they are all outputs are near 0
        for parameter in method.parameters():
            parameter.mul_(5)
    return method


class Sampler:
    """Gives the batch of each step's own number."""

    steps_per_epoch = 100

    def batch(self, step: int, draw: int = 0) -> Batch:
        rng = torch.Generator().manual_seed(step)
        signals = {n: torch.rand(2, 3, 16, 16, generator=rng) * 2 - 1 for n in DOMAINS.names}
        return Batch(signals, {n: Condition.of(DOMAINS, n, 2) for n in DOMAINS.names})


def trainer_of(method: Shallow) -> Trainer:
    trainer = Trainer(method, Sampler(), TrainConfig(batch=2, steps=1000))
    for player_state in trainer.player_states:
        player_state.optimiser.param_groups[0]["eps"] = EPS
    return trainer


def reference_steps(method: Shallow, count: int) -> list[dict[str, float]]:
    """The losses of the first steps, worked out without the loop, the step or the losses."""
    nets = {name: copy.deepcopy(net) for name, net in method.nets.items()}
    groups: dict[str, list[nn.Parameter]] = {"generator": [], "discriminator": []}
    for name, net in nets.items():
        groups[name.split("_")[0]] += net.parameters()
    adam = {k: torch.optim.Adam(v, lr=2e-4, betas=(0.5, 0.999), eps=EPS) for k, v in groups.items()}
    records = []
    for number in range(count):
        real = Sampler().batch(number).signals
        fake = {
            "drawing": nets["generator_drawing"].layers(real["photo"]),
            "photo": nets["generator_photo"].layers(real["drawing"]),
        }
        judge = {n: nets[f"discriminator_{n}"].layers for n in DOMAINS.names}
        adversarial = sum((judge[n](fake[n]) - 1).square().mean() for n in DOMAINS.names)
        adam["generator"].zero_grad()
        adversarial.backward()
        adam["generator"].step()
        record = {"adversarial": adversarial.item()}
        adam["discriminator"].zero_grad()
        for n in DOMAINS.names:
            on_real, on_fake = judge[n](real[n]), judge[n](fake[n].detach())
            critic = 0.5 * ((on_real - 1).square().mean() + on_fake.square().mean())
            critic.backward()
            record[f"critic_{n}"] = critic.item()
        adam["discriminator"].step()
        records.append(record)
    return records


@pytest.mark.numeric
def test_training_steps_equal_the_stated_losses() -> None:
    method = make()
    wanted = reference_steps(method, 4)
    trainer = trainer_of(method)
    for want in wanted:
        trainer.step()
        found = {name.split("/")[1]: value for name, value in trainer.take_losses().items()}
        assert found == pytest.approx(want, rel=1e-5, abs=1e-6)


def test_a_step_translates_each_batch_once_and_never_back() -> None:
    method = make()
    calls: list[str] = []
    for name in ("generator_photo", "generator_drawing"):
        method.nets[name].register_forward_hook(lambda *_, name=name: calls.append(name))
    trainer_of(method).step()
    assert sorted(calls) == ["generator_drawing", "generator_photo"]


@pytest.mark.parametrize(
    ("depth", "halvings"), [(1, 0), (2, 0), (2, 1), (3, 1), (4, 1), (4, 2), (7, 2)]
)
def test_a_generator_has_as_many_convolutions_as_its_depth_says(depth: int, halvings: int) -> None:
    net = ShallowGenerator(3, 4, depth, halvings=halvings, kernel=3)
    assert sum(isinstance(layer, nn.Conv2d) for layer in net.modules()) == depth
    x = torch.rand(2, 3, 16, 24) * 2 - 1
    condition = Condition.of(DOMAINS, "photo", 2)
    y = net(x, condition)
    assert y.shape == x.shape
    assert y.abs().max() <= 1


@pytest.mark.numeric
def test_depth_is_how_far_a_pixel_sees() -> None:
    def sees(depth: int) -> int:
        net = ShallowGenerator(3, 4, depth, halvings=1, kernel=5).double()
        body = [m for m in net.layers if not isinstance(m, InstanceNorm | nn.ReLU)]
        x = torch.rand(1, 3, 64, 64, dtype=torch.float64, requires_grad=True)
        nn.Sequential(*body[:-1])(x)[0, 0, 32, 32].backward()
        assert x.grad is not None
        seen = (x.grad.abs().sum((0, 1, 2)) > 0).nonzero()
        return int(seen.max() - seen.min()) + 1

    fields = [sees(depth) for depth in (2, 3, 4, 5)]
    assert fields == sorted(set(fields))
    assert fields[0] <= 11


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 1}, "depth=1"),
        ({"depth": 3, "halvings": 2}, "at least 4"),
        ({"kernel": 4}, "kernel=4"),
        ({"critic_layers": 3}, "critic_layers=3 at 16x16"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make(**options)


@pytest.mark.parametrize("name", list(Shallow.presets))
def test_every_preset_builds_and_keeps_the_signals_form(name: str) -> None:
    preset = Shallow.presets[name]
    with torch.device("meta"):
        method = Shallow(Options(**preset.options), DOMAINS, preset.signal)
        x = torch.zeros(1, *preset.signal.shape)
        source, target = (Condition.of(DOMAINS, n, 1) for n in DOMAINS.names)
        assert method.translate(x, source, target).shape == x.shape
    assert preset.signal.stride == 2**method.options.halvings
