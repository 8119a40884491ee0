"""The shallow method against a restatement of its losses in plain torch."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from zoo_core.contracts.signals import Condition, Domains, TensorSpec
from zoo_core.errors import UsageError
from zoo_nn.nets.norm import InstanceNorm
from zoo_shallow.method import Options, Shallow
from zoo_shallow.nets import ShallowGenerator
from zoo_testing.parity import StepInputs, TinyRun, build, random_batches

DOMAINS = Domains(("photo", "drawing"))
SPEC = TensorSpec(shape=(3, 16, 16), stride=2)
TINY = {"width": 4, "depth": 3, "critic_width": 4, "critic_layers": 1, "pool": 0}


def make(**options: object) -> Shallow:
    return build(Shallow, TINY | options, DOMAINS, SPEC, gain=5)


class Reference:
    """The losses in plain torch, without the loop, the step or the zoo's own losses."""

    def __init__(self, method: Shallow) -> None:
        self.nets = {name: copy.deepcopy(net) for name, net in method.nets.items()}
        groups: dict[str, list[nn.Parameter]] = {"generator": [], "discriminator": []}
        for name, net in self.nets.items():
            groups[name.split("_")[0]] += net.parameters()
        self.adam = {k: torch.optim.Adam(v, lr=2e-4, betas=(0.5, 0.999)) for k, v in groups.items()}

    def step(self, inputs: StepInputs) -> dict[str, float]:
        nets, adam, real = self.nets, self.adam, inputs.batch().signals
        fake = {
            "drawing": nets["generator_drawing"].layers(real["photo"]),
            "photo": nets["generator_photo"].layers(real["drawing"]),
        }
        judge = {n: nets[f"discriminator_{n}"].layers for n in DOMAINS.names}
        adversarial = sum((judge[n](fake[n]) - 1).square().mean() for n in DOMAINS.names)
        adam["generator"].zero_grad()
        adversarial.backward()
        adam["generator"].step()
        record = {"generator/adversarial": adversarial.item()}
        adam["discriminator"].zero_grad()
        for n in DOMAINS.names:
            on_real, on_fake = judge[n](real[n]), judge[n](fake[n].detach())
            critic = 0.5 * ((on_real - 1).square().mean() + on_fake.square().mean())
            critic.backward()
            record[f"discriminator/critic_{n}"] = critic.item()
        adam["discriminator"].step()
        return record


@pytest.mark.numeric
@pytest.mark.parity
@pytest.mark.parametrize("batch", [1, 2])
def test_training_steps_equal_the_stated_losses(batch: int) -> None:
    method = make()
    TinyRun(method, random_batches(method, batch)).check(Reference(method))


def test_a_step_translates_each_batch_once_and_never_back() -> None:
    method = make()
    calls: list[str] = []
    for name in ("generator_photo", "generator_drawing"):
        method.nets[name].register_forward_hook(lambda *_, name=name: calls.append(name))
    TinyRun(method).train(1)
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
