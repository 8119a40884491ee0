"""The untied auto-encoders against a restatement of their losses in plain torch."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from zoo_autoencoders.method import Autoencoders, Options
from zoo_core.contracts.signals import Condition, Domains, TensorSpec
from zoo_core.errors import UsageError
from zoo_testing.parity import StepInputs, TinyRun, build, random_batches

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


def make(**options: object) -> Autoencoders:
    return build(Autoencoders, TINY | options, DOMAINS, SPEC, gain=5)


class Reference:
    """The losses in plain torch, without the loop, the step or the zoo's own losses."""

    def __init__(self, method: Autoencoders) -> None:
        self.nets = {name: copy.deepcopy(net) for name, net in method.nets.items()}
        groups: dict[bool, list[nn.Parameter]] = {True: [], False: []}
        for name, net in self.nets.items():
            groups[name.startswith("discriminator")] += net.parameters()
        self.adam_g, self.adam_d = (
            torch.optim.Adam(groups[judges], lr=2e-4, betas=(0.5, 0.999))
            for judges in (False, True)
        )

    def run(self, name: str, x: Tensor) -> Tensor:
        return self.nets[name].layers(x)  # type: ignore[no-any-return]

    def step(self, inputs: StepInputs) -> dict[str, float]:
        run, real = self.run, inputs.batch().signals
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
        self.adam_g.zero_grad()
        (10 * rebuilt + adversarial).backward()
        self.adam_g.step()
        record = {
            "generator/reconstruction": rebuilt.item(),
            "generator/adversarial": adversarial.item(),
        }
        self.adam_d.zero_grad()
        for n in DOMAINS.names:
            judge = self.nets[f"discriminator_{n}"].layers
            on_real, on_fake = judge(real[n]), judge(fake[n].detach())
            critic = 0.5 * ((on_real - 1).square().mean() + on_fake.square().mean())
            critic.backward()
            record[f"discriminator/critic_{n}"] = critic.item()
        self.adam_d.step()
        return record


@pytest.mark.numeric
@pytest.mark.parity
@pytest.mark.parametrize("batch", [1, 2])
def test_training_steps_equal_the_stated_losses(batch: int) -> None:
    method = make()
    TinyRun(method, random_batches(method, batch)).check(Reference(method))


def test_a_step_encodes_once_and_decodes_twice_per_domain() -> None:
    (calls,) = TinyRun(make()).count_calls(1)
    assert (calls["encoder"], calls["decoder"]) == (2, 4)


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
