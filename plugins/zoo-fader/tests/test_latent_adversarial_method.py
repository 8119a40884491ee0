"""The latent-adversarial method against a restatement of its losses in plain torch."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo_core.contracts.signals import Batch, Condition, Domains, TensorSpec
from zoo_core.errors import UsageError
from zoo_fader.latent_adversarial import LatentAdversarial, Options
from zoo_testing.parity import StepInputs, TinyRun, build, random_batches

DOMAINS = Domains(("mnist", "usps", "svhn"))
SPEC = TensorSpec(shape=(3, 16, 16), stride=4)
TINY = {
    "width": 4,
    "widest": 8,
    "layers": 2,
    "hidden": 6,
    "ramp": 2,
    "critic_width": 4,
    "critic_layers": 1,
}
Record = dict[str, float]


def make(domains: Domains = DOMAINS, **options: object) -> LatentAdversarial:
    return build(LatentAdversarial, TINY | options, domains, SPEC)


class Reference:
    """The method written out: encoders, decoders, one critic of codes, critics of pictures."""

    def __init__(self, method: LatentAdversarial) -> None:
        self.nets = {name: copy.deepcopy(net).train() for name, net in method.nets.items()}
        self.options, self.names = method.options, method.domains.names

        def adam(*kinds: str) -> torch.optim.Adam:
            found = [
                p for n, net in self.nets.items() if n.startswith(kinds) for p in net.parameters()
            ]
            return torch.optim.Adam(found, lr=2e-4, betas=(0.5, 0.999))

        self.coders, self.critic = adam("encoder", "decoder"), adam("code")
        self.judges = adam("discriminator") if self.options.adversarial else None
        self.number = 0

    def judge_code(self, z: Tensor) -> Tensor:
        net = self.nets["code_discriminator"]
        return F.log_softmax(net.head(net.body(z).flatten(1)), 1)  # type: ignore[operator]

    def decode(self, z: Tensor, name: str) -> Tensor:
        return nn.Sequential(*self.nets[f"decoder_{name}"].stages)(z)  # type: ignore[arg-type]

    def step(self, inputs: StepInputs) -> Record:
        o, names, x, rng = self.options, self.names, inputs.batch().signals, inputs.rng()
        codes = {n: self.nets[f"encoder_{n}"].layers(x[n]) for n in names}  # type: ignore[operator]
        classify = sum(
            -self.judge_code(codes[n].detach())[:, i].mean() for i, n in enumerate(names)
        )
        record = {"code_discriminator/classify": classify.item()}  # type: ignore[union-attr]
        self.minimise(classify, self.critic)  # type: ignore[arg-type]

        target = dict(zip(names, (*names[1:], names[0]), strict=True))
        made = {}
        if self.judges is not None:
            made = {target[n]: self.decode(codes[n], target[n]) for n in names}
            critic = torch.zeros(())
            for n in names:
                real, fake = (
                    self.nets[f"discriminator_{n}"].layers(v) for v in (x[n], made[n].detach())
                )  # type: ignore[operator]
                critic = critic + 0.5 * ((real - 1) ** 2).mean() + 0.5 * (fake**2).mean()
            record["discriminator/critic"] = critic.item()
            self.minimise(critic, self.judges)

        power = 1 if o.distance == "l1" else 2
        gaps = [(self.decode(codes[n], n) - x[n]).abs() ** power for n in names]
        reconstruction = sum(gap.mean() for gap in gaps)
        record["generator/reconstruction"] = reconstruction.item()  # type: ignore[union-attr]
        objective = o.reconstruction * reconstruction
        if self.number:
            confusion = torch.zeros(())
            for i, n in enumerate(names):
                logs = self.judge_code(codes[n])
                if o.goal == "uniform":
                    confusion = confusion - logs.mean()
                elif o.goal == "reversed":
                    confusion = confusion + logs[:, i].mean()
                else:
                    shift = 1 + (torch.rand(len(logs), 1, generator=rng)[:, 0] * 2).long()
                    confusion = confusion - logs.gather(1, ((i + shift) % 3)[:, None]).mean()
            record["generator/confusion"] = confusion.item()
            objective = objective + o.latent * min(self.number, 2) / 2 * confusion
        if self.judges is not None:
            patches = [self.nets[f"discriminator_{n}"].layers(made[n]) for n in names]  # type: ignore[operator]
            adversarial = sum(((p - 1) ** 2).mean() for p in patches)
            record["generator/adversarial"] = adversarial.item()
            objective = objective + o.adversarial * adversarial
        self.minimise(objective, self.coders)
        self.number += 1
        return record

    @staticmethod
    def minimise(loss: Tensor, adam: torch.optim.Adam) -> None:
        adam.zero_grad()
        loss.backward(inputs=adam.param_groups[0]["params"], retain_graph=True)
        adam.step()


@pytest.mark.numeric
@pytest.mark.parity
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("goal", ["uniform", "wrong", "reversed"])
@pytest.mark.parametrize(("adversarial", "distance"), [(0.0, "l1"), (0.5, "l2")])
def test_training_steps_equal_the_losses_written_out(
    goal: str, adversarial: float, distance: str, batch: int
) -> None:
    method = make(goal=goal, adversarial=adversarial, distance=distance)
    reference = Reference(method)
    TinyRun(method, random_batches(method, batch)).check(reference)


def test_every_domain_is_encoded_once_per_step() -> None:
    method, calls = make(adversarial=1.0), []
    for name, net in method.nets.items():
        net.register_forward_hook(lambda *_, name=name: calls.append(name))
    TinyRun(method).train(1)
    assert [calls.count(f"encoder_{name}") for name in DOMAINS] == [1, 1, 1]
    assert [calls.count(f"decoder_{name}") for name in DOMAINS] == [2, 2, 2]


@pytest.mark.numeric
def test_codes_become_hard_to_tell_apart() -> None:
    """Two domains that differ by brightness: without the tie the critic knows them at once."""

    pair = Domains(("dark", "light"))

    def bright(seed: int) -> Batch:
        rng = torch.Generator().manual_seed(seed)
        dark, light = (
            base + 0.2 * torch.rand(6, 3, 16, 16, generator=rng, dtype=torch.float64)
            for base in (-0.8, 0.5)
        )
        return Batch({"dark": dark, "light": light}, {n: Condition.of(pair, n, 6) for n in pair})

    def final(latent: float) -> float:
        run = TinyRun(make(pair, latent=latent, ramp=1, lr=4e-3), bright, steps=40)
        last = run.train(40)[30:]
        return sum(losses["code_discriminator/classify"] for losses in last) / len(last)

    assert final(latent=0.0) < 0.2
    assert final(latent=1.0) > 0.8 * 2 * math.log(2)


@pytest.mark.parametrize("name", list(LatentAdversarial.presets))
def test_every_preset_builds_and_keeps_the_signals_form(name: str) -> None:
    preset = LatentAdversarial.presets[name]
    options = Options(**preset.options)
    with torch.inference_mode(), torch.device("meta"):  # shapes alone
        method = LatentAdversarial(options, DOMAINS, preset.signal).eval()
        x = torch.zeros(1, *preset.signal.shape)
        source, target = (Condition.of(DOMAINS, n, 1) for n in ("mnist", "svhn"))
        assert method.translate(x, source, target).shape == x.shape


def test_an_unknown_domain_is_refused() -> None:
    method, x = make(), torch.zeros(2, 3, 16, 16, dtype=torch.float64)
    known, mixed = Condition.of(DOMAINS, "usps", 2), Condition(torch.eye(3)[:2])
    with pytest.raises(UsageError, match="a domain that is unknown"):
        method.translate(x, mixed, known)
    with pytest.raises(UsageError, match="a domain that is unknown"):
        method.translate(x, known, mixed)


def test_pictures_too_small_for_the_critics_are_refused() -> None:
    with pytest.raises(UsageError, match="critic_layers=3 at 16x16"):
        make(adversarial=1.0, critic_layers=3)
