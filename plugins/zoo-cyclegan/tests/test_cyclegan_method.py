"""CycleGAN against a restatement of its published losses in plain torch."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo_core.contracts.signals import Condition, Domains, TensorSpec
from zoo_core.contracts.spec import Progress
from zoo_core.errors import UsageError
from zoo_core.translate.engine import Engine
from zoo_cyclegan.method import CycleGAN, Options
from zoo_testing.parity import StepInputs, TinyRun, build, random_batches

DOMAINS = Domains(("photo", "drawing"))
SPEC = TensorSpec(shape=(3, 16, 16))
TINY = {"width": 4, "blocks": 1, "critic_width": 4, "critic_layers": 1}
Record = dict[str, float]


def make(**options: object) -> CycleGAN:
    return build(CycleGAN, TINY | options, DOMAINS, SPEC, gain=5)


class Reference:
    """CycleGAN as its paper and official code state it, one batch at a time."""

    def __init__(
        self, method: CycleGAN, *, both: bool, pool: int, identity: float, back: float = 10
    ) -> None:
        nets = {name: copy.deepcopy(net) for name, net in method.nets.items()}
        self.g_b, self.g_a = self.run(nets["generator_drawing"]), self.run(nets["generator_photo"])
        self.d_b = self.run(nets["discriminator_drawing"])
        self.d_a = self.run(nets["discriminator_photo"]) if both else None
        self.both, self.size, self.identity, self.nets = both, pool, identity, nets
        self.weights = {"photo": 10.0, "drawing": back}  # lambda_A, lambda_B
        self.pools: dict[str, list[Tensor]] = {"photo": [], "drawing": []}
        makers, judges = [], []
        for name, net in nets.items():
            (makers if name.startswith("generator") else judges).extend(net.parameters())
        self.adam_g = torch.optim.Adam(makers, lr=2e-4, betas=(0.5, 0.999))
        self.adam_d = torch.optim.Adam(judges, lr=2e-4, betas=(0.5, 0.999))

    @staticmethod
    def run(net: nn.Module) -> Callable[[Tensor], Tensor]:
        return net.layers  # type: ignore[return-value]

    def step(self, inputs: StepInputs) -> Record:
        signals, rng = inputs.batch().signals, inputs.rng()
        a, b = signals["photo"], signals["drawing"]
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
        total = adversarial
        for name, weight in self.weights.items():
            total = total + weight * cycles.get(f"cycle_{name}", 0)
            total = total + weight * self.identity * same.get(f"identity_{name}", 0)
        total.backward()
        self.adam_g.step()

        critic_b = self.critic(self.d_b, b, self.pooled("drawing", fake_b.detach(), rng))
        record = {"discriminator/critic_drawing": critic_b.item()}
        critic = critic_b
        if self.both:
            critic_a = self.critic(self.d_a, a, self.pooled("photo", fake_a.detach(), rng))
            record["discriminator/critic_photo"] = critic_a.item()
            critic = critic + critic_a
        self.adam_d.zero_grad()
        critic.backward()
        self.adam_d.step()
        made = {"adversarial": adversarial} | cycles | (same if self.identity else {})
        return record | {f"generator/{name}": loss.item() for name, loss in made.items()}

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
@pytest.mark.parity
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("direction", ["both", "forward"])
@pytest.mark.parametrize(("pool", "identity"), [(3, 0.5), (0, 0.5), (50, 0.0)])
def test_training_steps_equal_the_published_losses(
    direction: str, pool: int, identity: float, batch: int
) -> None:
    method = make(direction=direction, pool=pool, identity=identity)
    reference = Reference(method, both=direction == "both", pool=pool, identity=identity)
    TinyRun(method, random_batches(method, batch)).check(reference)


@pytest.mark.numeric
@pytest.mark.parametrize("identity", [0.0, 0.5])
def test_the_second_domain_may_have_a_weight_of_its_own(identity: float) -> None:
    method = make(cycle_back=3.0, pool=0, identity=identity)
    reference = Reference(method, both=True, pool=0, identity=identity, back=3.0)
    TinyRun(method).check(reference)


@pytest.mark.parametrize(
    ("direction", "identity", "count"),
    [("both", 0.5, 6), ("both", 0.0, 4), ("forward", 0.5, 3)],
)
def test_a_step_translates_no_more_than_needed(direction: str, identity: float, count: int) -> None:
    calls = TinyRun(make(direction=direction, identity=identity)).count_calls(1)
    assert calls[0]["generator"] == count


@pytest.mark.parametrize("direction", ["both", "forward"])
def test_a_step_makes_one_translation_one_cycle_and_one_identity_of_each_direction(
    direction: str,
) -> None:
    method, calls = make(direction=direction), Counter()
    run = TinyRun(method)
    real = run.batches(0).signals
    names = {"generator_photo": "photo", "generator_drawing": "drawing"}
    for net, made in names.items():

        def note(_: nn.Module, given: tuple[Tensor, Condition], made: str = made) -> None:
            (origin,) = [n for n, x in real.items() if torch.equal(given[0], x)] or ["translation"]
            calls[origin, made] += 1

        method.nets[net].register_forward_pre_hook(note)
    run.train(1)
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
    TinyRun(method).train(1)
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
    routes = method.plan(random_batches(method)(0), torch.Generator())
    assert [route.name for route in routes] == ["photo->drawing"]
    with pytest.raises(UsageError, match="the cycle needs a generator into each domain"):
        method.players()
    with pytest.raises(UsageError, match="there is no generator at all"):
        make(generators=())
    with pytest.raises(UsageError, match='Did you mean "drawing"'):
        make(generators=("drawings",))
