"""The latent-adversarial method against a restatement of its losses in plain torch."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo_core.contracts.method import Method
from zoo_core.contracts.signals import Batch, Condition, Domains, TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import UsageError
from zoo_core.train.loop import Trainer, generator_for
from zoo_fader.latent_adversarial import LatentAdversarial, Options

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
EPS = 1e-3  # see the test of CycleGAN: Adam makes full steps of rounding noise
SEED = 11
BATCH = 3

Record = dict[str, float]


def make(domains: Domains = DOMAINS, **options: object) -> LatentAdversarial:
    torch.manual_seed(0)
    return LatentAdversarial(Options(**TINY | options), domains, SPEC)  # type: ignore[arg-type]


def batch_of(seed: int) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    signals = {n: torch.rand(BATCH, 3, 16, 16, generator=draw) * 2 - 1 for n in DOMAINS}
    return Batch(signals, {n: Condition.of(DOMAINS, n, BATCH) for n in DOMAINS})


class Sampler:
    """Gives the batch of each step's own number."""

    steps_per_epoch = 100

    def batch(self, step: int, draw: int = 0) -> Batch:
        return batch_of(step)


def train(method: Method[Options], steps: int) -> list[Record]:
    """The unweighted losses of each step, as the real loop trains."""
    trainer = Trainer(method, Sampler(), TrainConfig(batch=BATCH, steps=1000, seed=SEED))
    for player_state in trainer.player_states:
        player_state.optimiser.param_groups[0]["eps"] = EPS
    records = []
    for _ in range(steps):
        trainer.step()
        records.append({name.split("/")[1]: v for name, v in trainer.take_losses().items()})
    return records


class Reference:
    """The method written out: encoders, decoders, one critic of codes, critics of pictures."""

    def __init__(self, method: LatentAdversarial) -> None:
        self.nets = {name: copy.deepcopy(net).train() for name, net in method.nets.items()}
        self.options, self.names = method.options, method.domains.names

        def adam(*kinds: str) -> torch.optim.Adam:
            found = [
                p for n, net in self.nets.items() if n.startswith(kinds) for p in net.parameters()
            ]
            return torch.optim.Adam(found, lr=2e-4, betas=(0.5, 0.999), eps=EPS)

        self.coders, self.critic = adam("encoder", "decoder"), adam("code")
        self.judges = adam("discriminator") if self.options.adversarial else None
        self.number = 0

    def judge_code(self, z: Tensor) -> Tensor:
        net = self.nets["code_discriminator"]
        return F.log_softmax(net.head(net.body(z).flatten(1)), 1)  # type: ignore[operator]

    def decode(self, z: Tensor, name: str) -> Tensor:
        return nn.Sequential(*self.nets[f"decoder_{name}"].stages)(z)  # type: ignore[arg-type]

    def step(self, batch: Batch, rng: torch.Generator) -> Record:
        o, names, x = self.options, self.names, batch.signals
        codes = {n: self.nets[f"encoder_{n}"].layers(x[n]) for n in names}  # type: ignore[operator]
        classify = sum(
            -self.judge_code(codes[n].detach())[:, i].mean() for i, n in enumerate(names)
        )
        record = {"classify": classify.item()}  # type: ignore[union-attr]
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
            record["critic"] = critic.item()
            self.minimise(critic, self.judges)

        power = 1 if o.distance == "l1" else 2
        gaps = [(self.decode(codes[n], n) - x[n]).abs() ** power for n in names]
        reconstruction = sum(gap.mean() for gap in gaps)
        record["reconstruction"] = reconstruction.item()  # type: ignore[union-attr]
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
            record["confusion"] = confusion.item()
            objective = objective + o.latent * min(self.number, 2) / 2 * confusion
        if self.judges is not None:
            patches = [self.nets[f"discriminator_{n}"].layers(made[n]) for n in names]  # type: ignore[operator]
            adversarial = sum(((p - 1) ** 2).mean() for p in patches)
            record["adversarial"] = adversarial.item()
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
@pytest.mark.parametrize("goal", ["uniform", "wrong", "reversed"])
@pytest.mark.parametrize(("adversarial", "distance"), [(0.0, "l1"), (0.5, "l2")])
def test_training_steps_equal_the_losses_written_out(
    goal: str, adversarial: float, distance: str
) -> None:
    method = make(goal=goal, adversarial=adversarial, distance=distance)
    reference = Reference(method)
    wanted = [reference.step(batch_of(n), generator_for(SEED, n)) for n in range(3)]

    records = train(method, 3)

    assert [sorted(r) for r in records] == [sorted(w) for w in wanted]
    for record, want in zip(records, wanted, strict=True):
        assert record == pytest.approx(want, rel=1e-5, abs=1e-5)
    for name, net in method.nets.items():
        others = dict(reference.nets[name].named_parameters())
        for key, value in net.named_parameters():
            torch.testing.assert_close(value, others[key], rtol=1e-5, atol=1e-5)


def test_every_domain_is_encoded_once_per_step() -> None:
    method, calls = make(adversarial=1.0), []
    for name, net in method.nets.items():
        net.register_forward_hook(lambda *_, name=name: calls.append(name))
    train(method, 1)
    assert [calls.count(f"encoder_{name}") for name in DOMAINS] == [1, 1, 1]
    assert [calls.count(f"decoder_{name}") for name in DOMAINS] == [2, 2, 2]


@pytest.mark.numeric
def test_codes_become_hard_to_tell_apart() -> None:
    """Two domains that differ by brightness: without the tie the critic knows them at once."""

    class Bright:
        steps_per_epoch = 100

        def batch(self, step: int, draw: int = 0) -> Batch:
            rng = generator_for(5, step)
            dark, light = (
                base + 0.2 * torch.rand(6, 3, 16, 16, generator=rng) for base in (-0.8, 0.5)
            )
            pair = Domains(("dark", "light"))
            conditions = {n: Condition.of(pair, n, 6) for n in pair}
            return Batch({"dark": dark, "light": light}, conditions)

    def final(latent: float) -> float:
        method = make(Domains(("dark", "light")), latent=latent, ramp=1, lr=4e-3)
        trainer = Trainer(method, Bright(), TrainConfig(batch=6, steps=40))
        for _ in range(30):
            trainer.step()
        trainer.take_losses()
        for _ in range(10):
            trainer.step()
        return trainer.take_losses()["code_discriminator/classify"]

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
    method, x = make(), torch.zeros(2, 3, 16, 16)
    known, mixed = Condition.of(DOMAINS, "usps", 2), Condition(torch.eye(3)[:2])
    with pytest.raises(UsageError, match="a domain that is unknown"):
        method.translate(x, mixed, known)
    with pytest.raises(UsageError, match="a domain that is unknown"):
        method.translate(x, known, mixed)


def test_pictures_too_small_for_the_critics_are_refused() -> None:
    with pytest.raises(UsageError, match="critic_layers=3 at 16x16"):
        make(adversarial=1.0, critic_layers=3)
