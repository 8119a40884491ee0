"""The untied auto-encoders against a restatement of their losses in plain torch."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from zoo_autoencoders.method import Autoencoders, Options
from zoo_core.contracts.signals import Batch, Condition, Domains, TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import UsageError
from zoo_core.train.loop import Trainer

DOMAINS = Domains(("photo", "drawing"))
SPEC = TensorSpec(shape=(3, 16, 16))
TINY = {
    "width": 4,
    "encoder_blocks": 1,
    "decoder_blocks": 1,
    "critic_width": 4,
    "critic_layers": 1,
    "pool": 0,
}
EPS = 1e-3
"""Adam's eps: large, lest rounding noise become full steps and parameters cannot be compared."""


def make(**options: object) -> Autoencoders:
    torch.manual_seed(0)
    method = Autoencoders(Options(**TINY | options), DOMAINS, SPEC)  # type: ignore[arg-type]
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


def trainer_of(method: Autoencoders) -> Trainer:
    trainer = Trainer(method, Sampler(), TrainConfig(batch=2, steps=1000))
    for player_state in trainer.player_states:
        player_state.optimiser.param_groups[0]["eps"] = EPS
    return trainer


def reference_steps(method: Autoencoders, count: int) -> list[dict[str, float]]:
    """The losses of the first steps, worked out without the loop, the step or the losses."""
    nets = {name: copy.deepcopy(net) for name, net in method.nets.items()}
    groups: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for name, net in nets.items():
        groups[name.startswith("discriminator")] += net.parameters()
    adam_g, adam_d = (
        torch.optim.Adam(group, lr=2e-4, betas=(0.5, 0.999), eps=EPS)
        for group in (groups[False], groups[True])
    )

    def run(name: str, x: Tensor) -> Tensor:
        return nets[name].layers(x)  # type: ignore[no-any-return]

    records = []
    for number in range(count):
        real = Sampler().batch(number).signals
        code = {n: run(f"encoder_{n}", x) for n, x in real.items()}
        own = {n: run(f"decoder_{n}", code[n]) for n in DOMAINS.names}
        fake = {
            "drawing": run("decoder_drawing", code["photo"]),
            "photo": run("decoder_photo", code["drawing"]),
        }
        rebuilt = sum((own[n] - real[n]).abs().mean() for n in DOMAINS.names)
        adversarial = sum(
            (run(f"discriminator_{n}", fake[n]) - 1).square().mean() for n in DOMAINS.names
        )
        adam_g.zero_grad()
        (10 * rebuilt + adversarial).backward()
        adam_g.step()
        record = {"reconstruction": rebuilt.item(), "adversarial": adversarial.item()}
        adam_d.zero_grad()
        for n in DOMAINS.names:
            judge = nets[f"discriminator_{n}"].layers
            on_real, on_fake = judge(real[n]), judge(fake[n].detach())
            critic = 0.5 * ((on_real - 1).square().mean() + on_fake.square().mean())
            critic.backward()
            record[f"critic_{n}"] = critic.item()
        adam_d.step()
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


def test_a_step_encodes_once_and_decodes_twice_per_domain() -> None:
    method = make()
    calls: list[str] = []
    for name in method.inference_nets:
        kind = name.split("_")[0]
        method.nets[name].register_forward_hook(lambda *_, kind=kind: calls.append(kind))
    trainer_of(method).step()
    assert {kind: calls.count(kind) for kind in calls} == {"encoder": 2, "decoder": 4}


def test_nothing_is_shared_between_the_domains() -> None:
    method = make()
    parts = [
        {id(p) for kind in ("encoder", "decoder") for p in method.nets[f"{kind}_{n}"].parameters()}
        for n in DOMAINS.names
    ]
    assert parts[0].isdisjoint(parts[1])


def test_an_encoder_and_a_decoder_are_the_generator_of_cyclegan_cut_in_two() -> None:
    preset = Autoencoders.presets["256px"]
    with torch.device("meta"):
        method = Autoencoders(Options(), DOMAINS, preset.signal)
    counts = {n: sum(p.numel() for p in net.parameters()) for n, net in method.nets.items()}
    assert counts["encoder_photo"] + counts["decoder_photo"] == 11_378_179
    assert counts["discriminator_photo"] == 2_764_737


@pytest.mark.parametrize("name", list(Autoencoders.presets))
def test_every_preset_builds_and_keeps_the_signals_form(name: str) -> None:
    preset = Autoencoders.presets[name]
    with torch.device("meta"):
        method = Autoencoders(Options(**preset.options), DOMAINS, preset.signal)
        x = torch.zeros(1, *preset.signal.shape)
        source, target = (Condition.of(DOMAINS, n, 1) for n in DOMAINS.names)
        assert method.translate(x, source, target).shape == x.shape


def test_targets_that_differ_within_a_batch_are_refused() -> None:
    method, x = make(), torch.zeros(2, 3, 16, 16)
    with pytest.raises(UsageError, match="one domain at a time"):
        method.translate(x, Condition(torch.eye(2)), Condition(torch.eye(2)))


def test_pictures_too_small_for_the_discriminator_are_refused() -> None:
    with pytest.raises(UsageError, match="critic_layers=3 at 16x16"):
        make(critic_layers=3)
