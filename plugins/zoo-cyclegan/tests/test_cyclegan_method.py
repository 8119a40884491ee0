"""CycleGAN against a restatement of its published losses in plain torch."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo_core.contracts.method import Method
from zoo_core.contracts.signals import Batch, Condition, Domains, TensorSpec
from zoo_core.contracts.spec import Progress, TrainConfig
from zoo_core.errors import UsageError
from zoo_core.train.loop import Trainer, generator_for
from zoo_core.translate.engine import Engine
from zoo_cyclegan.method import CycleGAN, Options

DOMAINS = Domains(("photo", "drawing"))
SPEC = TensorSpec(shape=(3, 16, 16))
TINY = {"width": 4, "blocks": 1, "critic_width": 4, "critic_layers": 1}
# Adam turns a gradient that is only rounding noise into a full step; a large eps damps it, so
# that parameters can be compared. A bias ahead of instance normalisation has no other gradient.
EPS = 1e-3
SEED = 11
BATCH = 2

Record = dict[str, float]


def make(**options: object) -> CycleGAN:
    torch.manual_seed(0)
    method = CycleGAN(Options(**TINY | options), DOMAINS, SPEC)  # type: ignore[arg-type]
    with torch.no_grad():  # published initialisation is so small that all outputs are near 0
        for parameter in method.parameters():
            parameter.mul_(5)
    return method


def batch_of(seed: int, count: int = BATCH) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    signals = {n: torch.rand(count, 3, 16, 16, generator=draw) * 2 - 1 for n in DOMAINS.names}
    return Batch(signals, {n: Condition.of(DOMAINS, n, count) for n in DOMAINS.names})


class Sampler:
    """Gives the batch of each step's own number."""

    steps_per_epoch = 100

    def batch(self, step: int, draw: int = 0) -> Batch:
        return batch_of(step)


def trainer_of(method: Method[Options]) -> Trainer:
    config = TrainConfig(batch=BATCH, steps=1000, seed=SEED)
    trainer = Trainer(method, Sampler(), config)
    for player_state in trainer.player_states:
        player_state.optimiser.param_groups[0]["eps"] = EPS
    return trainer


def train(method: Method[Options], steps: int) -> list[Record]:
    """The unweighted losses of each step, as the real loop trains."""
    trainer, records = trainer_of(method), []
    for _ in range(steps):
        trainer.step()
        records.append({name.split("/")[1]: v for name, v in trainer.take_losses().items()})
    return records


def calls_per_step(method: Method[Options], steps: int) -> list[Counter[str]]:
    """How often each kind of net is called in each step."""
    calls: Counter[str] = Counter()
    for name, net in method.nets.items():
        kind = name.split("_")[0]
        net.register_forward_hook(lambda *_, kind=kind: calls.update([kind]))
    trainer, counts = trainer_of(method), []
    for _ in range(steps):
        calls.clear()
        trainer.step()
        counts.append(calls.copy())
    return counts


class Reference:
    """CycleGAN as its paper and official code state it, one batch at a time."""

    def __init__(self, method: CycleGAN, *, both: bool, pool: int, identity: float) -> None:
        nets = {name: copy.deepcopy(net) for name, net in method.nets.items()}
        self.g_b, self.g_a = self.run(nets["generator_drawing"]), self.run(nets["generator_photo"])
        self.d_b = self.run(nets["discriminator_drawing"])
        self.d_a = self.run(nets["discriminator_photo"]) if both else None
        self.both, self.size, self.identity, self.nets = both, pool, identity, nets
        self.pools: dict[str, list[Tensor]] = {"photo": [], "drawing": []}
        makers, judges = [], []
        for name, net in nets.items():
            (makers if name.startswith("generator") else judges).extend(net.parameters())
        self.adam_g = torch.optim.Adam(makers, lr=2e-4, betas=(0.5, 0.999), eps=EPS)
        self.adam_d = torch.optim.Adam(judges, lr=2e-4, betas=(0.5, 0.999), eps=EPS)

    @staticmethod
    def run(net: nn.Module) -> Callable[[Tensor], Tensor]:
        return net.layers  # type: ignore[return-value]

    def step(self, a: Tensor, b: Tensor, rng: torch.Generator) -> Record:
        fake_b = self.g_b(a)
        patches = self.d_b(fake_b)
        adversarial = F.mse_loss(patches, torch.ones_like(patches))
        cycles = {"cycle_photo": (self.g_a(fake_b) - a).abs().mean()}
        same = {"identity_drawing": (self.g_b(b) - b).abs().mean()}
        if self.both:
            fake_a = self.g_a(b)
            patches = self.d_a(fake_a)
            adversarial = adversarial + F.mse_loss(patches, torch.ones_like(patches))
            cycles["cycle_drawing"] = (self.g_b(fake_a) - b).abs().mean()
            same["identity_photo"] = (self.g_a(a) - a).abs().mean()
        self.adam_g.zero_grad()
        cycle, idem = sum(cycles.values()), sum(same.values())
        (adversarial + 10 * cycle + 10 * self.identity * idem).backward()
        self.adam_g.step()

        critic_b = self.critic(self.d_b, b, self.pooled("drawing", fake_b.detach(), rng))
        record = {"critic_drawing": critic_b.item()}
        critic = critic_b
        if self.both:
            critic_a = self.critic(self.d_a, a, self.pooled("photo", fake_a.detach(), rng))
            record["critic_photo"] = critic_a.item()
            critic = critic + critic_a
        self.adam_d.zero_grad()
        critic.backward()
        self.adam_d.step()
        record |= {"adversarial": adversarial.item()}
        record |= {name: loss.item() for name, loss in cycles.items()}
        return record | ({k: v.item() for k, v in same.items()} if self.identity else {})

    @staticmethod
    def critic(judge: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
        on_real, on_fake = judge(real), judge(fake)
        return 0.5 * (
            F.mse_loss(on_real, torch.ones_like(on_real))
            + F.mse_loss(on_fake, torch.zeros_like(on_fake))
        )

    def pooled(self, name: str, fakes: Tensor, rng: torch.Generator) -> Tensor:
        if self.size == 0:
            return fakes
        pool, shown = self.pools[name], []
        draws = torch.rand(len(fakes), 2, generator=rng)
        for fake, (chance, where) in zip(fakes, draws, strict=True):
            if len(pool) < self.size:
                pool.append(fake)
                shown.append(fake)
            elif chance > 0.5:
                place = int(where * self.size)
                shown.append(pool[place])
                pool[place] = fake
            else:
                shown.append(fake)
        return torch.stack(shown)


@pytest.mark.numeric
@pytest.mark.parametrize("direction", ["both", "forward"])
@pytest.mark.parametrize(("pool", "identity"), [(3, 0.5), (0, 0.5), (50, 0.0)])
def test_training_steps_equal_the_published_losses(
    direction: str, pool: int, identity: float
) -> None:
    method = make(direction=direction, pool=pool, identity=identity)
    reference = Reference(method, both=direction == "both", pool=pool, identity=identity)
    wanted = []
    for number in range(4):
        signals = batch_of(number).signals
        rng = generator_for(SEED, number)
        wanted.append(reference.step(signals["photo"], signals["drawing"], rng))

    records = train(method, 4)

    assert [sorted(r) for r in records] == [sorted(w) for w in wanted]
    for record, want in zip(records, wanted, strict=True):
        assert record == pytest.approx(want, rel=1e-5, abs=1e-6)
    for name, net in method.nets.items():
        others = dict(reference.nets[name].named_parameters())
        for key, value in net.named_parameters():
            torch.testing.assert_close(value, others[key], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("direction", "identity", "count"),
    [("both", 0.5, 6), ("both", 0.0, 4), ("forward", 0.5, 3)],
)
def test_a_step_translates_no_more_than_needed(direction: str, identity: float, count: int) -> None:
    calls = calls_per_step(make(direction=direction, identity=identity), 1)
    assert calls[0]["generator"] == count


@pytest.mark.parametrize("direction", ["both", "forward"])
def test_a_step_makes_one_translation_one_cycle_and_one_identity_of_each_direction(
    direction: str,
) -> None:
    method, calls, real = make(direction=direction), Counter(), batch_of(0).signals
    names = {"generator_photo": "photo", "generator_drawing": "drawing"}
    for net, made in names.items():

        def note(_: nn.Module, given: tuple[Tensor, Condition], made: str = made) -> None:
            (origin,) = [n for n, x in real.items() if torch.equal(given[0], x)] or ["translation"]
            calls[origin, made] += 1

        method.nets[net].register_forward_pre_hook(note)
    train(method, 1)
    forward = {("photo", "drawing"): 1, ("translation", "photo"): 1, ("drawing", "drawing"): 1}
    back = {("drawing", "photo"): 1, ("translation", "drawing"): 1, ("photo", "photo"): 1}
    assert calls == (forward | back if direction == "both" else forward)


def test_paper_preset_has_the_published_parameter_counts() -> None:
    preset = CycleGAN.presets["paper"]
    method = CycleGAN(Options(**preset.options), DOMAINS, preset.signal)
    counts = {n: sum(p.numel() for p in net.parameters()) for n, net in method.nets.items()}
    assert counts == {
        "generator_photo": 11_378_179,
        "generator_drawing": 11_378_179,
        "discriminator_photo": 2_764_737,
        "discriminator_drawing": 2_764_737,
    }


@pytest.mark.parametrize("name", list(CycleGAN.presets))
def test_every_preset_builds_and_keeps_the_signals_form(name: str) -> None:
    preset = CycleGAN.presets[name]
    method = CycleGAN(Options(**preset.options), DOMAINS, preset.signal)
    x = torch.zeros(1, *preset.signal.shape)
    source, target = (Condition.of(DOMAINS, n, 1) for n in DOMAINS.names)
    with torch.inference_mode():
        assert method.translate(x, source, target).shape == x.shape


def test_the_default_preset_is_the_paper() -> None:
    name, preset = next(iter(CycleGAN.presets.items()))
    assert name == "paper"
    assert not preset.options
    assert preset.train.epochs == Options().constant_epochs + Options().decay_epochs


def test_rate_follows_the_official_multiplier() -> None:
    schedule = make().players()[0].optimiser.schedule
    at = lambda epoch: schedule(Progress((epoch - 1) * 10, 2000, 10))  # noqa: E731
    assert at(1) == at(100) == 1.0
    assert at(101) == pytest.approx(1 - 1 / 101)
    assert at(200) == pytest.approx(1 - 100 / 101)


def test_one_way_trains_no_discriminator_of_the_origin() -> None:
    method = make(direction="forward")
    assert set(method.nets) == {"generator_photo", "generator_drawing", "discriminator_drawing"}


@pytest.mark.numeric
def test_the_way_back_learns_from_the_cycle_alone_in_one_way_training() -> None:
    method = make(direction="forward", cycle=0.0)
    before = copy.deepcopy(method.nets["generator_photo"].state_dict())
    train(method, 1)
    after = method.nets["generator_photo"].state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_one_way_does_not_answer_for_the_way_back() -> None:
    method = make(direction="forward")
    assert method.targets == ("drawing",)
    assert method.inference_nets == ("generator_drawing",)
    with pytest.raises(UsageError, match="translates to drawing only"):
        method.require_target("photo")
    engine = Engine(method, device="cpu", precision="float32")
    with pytest.raises(UsageError, match="translates to drawing only"):
        engine.targets("photo", "drawing")
    assert set(method.nets) == {"generator_drawing"}


def test_pictures_too_small_for_the_discriminator_are_refused() -> None:
    with pytest.raises(UsageError, match="critic_layers=3 at 16x16"):
        make(critic_layers=3)


def test_targets_that_differ_within_a_batch_are_refused() -> None:
    method, x = make(), torch.zeros(2, 3, 16, 16)
    with pytest.raises(UsageError, match="one domain at a time"):
        method.translate(x, Condition(torch.eye(2)), Condition(torch.eye(2)))


def test_with_one_generator_it_translates_one_way_and_cannot_be_trained() -> None:
    method = make(generators=("drawing",))
    assert method.inference_nets == ("generator_drawing",)
    assert method.targets == ("drawing",)
    routes = method.plan(batch_of(0), torch.Generator())
    assert [route.name for route in routes] == ["photo->drawing"]
    with pytest.raises(UsageError, match="the cycle needs a generator into each domain"):
        method.players()
    with pytest.raises(UsageError, match="there is no generator at all"):
        make(generators=())
    with pytest.raises(UsageError, match='Did you mean "drawing"'):
        make(generators=("drawings",))
