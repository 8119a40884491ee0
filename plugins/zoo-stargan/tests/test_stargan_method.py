"""StarGAN against a restatement of its published losses in plain torch."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo_core.contracts.signals import MIXED, Condition, Domains, TensorSpec
from zoo_core.contracts.spec import Progress
from zoo_core.errors import UsageError
from zoo_stargan.method import Options, StarGAN
from zoo_stargan.nets import ConditionalGenerator, DomainDiscriminator
from zoo_testing.parity import StepInputs, TinyRun, build, random_batches

VENDORS = Domains(("apple", "google", "twitter"))
FACES = Domains(("Blond_Hair", "Male", "Young"), "attributes")
SPEC = TensorSpec(shape=(3, 16, 16))
TINY = {"width": 4, "blocks": 1, "critic_width": 4, "critic_layers": 2}
Record = dict[str, float]


def make(domains: Domains = VENDORS, **options: object) -> StarGAN:
    return build(StarGAN, TINY | options, domains, SPEC)


def run_of(method: StarGAN, count: int = 4) -> TinyRun:
    return TinyRun(method, random_batches(method, count))


class Reference:
    """StarGAN as its paper and official code state it, one batch at a time."""

    def __init__(
        self, method: StarGAN, *, every: int, identity: float, heads: bool = False
    ) -> None:
        self.heads = heads
        self.nets = copy.deepcopy(method.nets)
        self.g, self.d = self.nets["generator"], self.nets["discriminator"]
        self.kind, self.every, self.identity = method.domains.kind, every, identity
        self.adam_g = torch.optim.Adam(self.g.parameters(), lr=1e-4, betas=(0.5, 0.999))
        self.adam_d = torch.optim.Adam(self.d.parameters(), lr=1e-4, betas=(0.5, 0.999))
        self.number = 0

    def translate(self, x: Tensor, c: Tensor) -> Tensor:
        tiled = c.view(*c.shape, 1, 1).repeat(1, 1, x.size(2), x.size(3))
        return torch.tanh(self.g.layers(torch.cat([x, tiled], 1)))  # type: ignore[operator]

    def judge(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.d.body(x)  # type: ignore[operator]
        logits = self.d.domain(hidden)  # type: ignore[operator]
        scores = self.d.source(hidden)  # type: ignore[operator]
        if self.heads:
            scores = scores[torch.arange(len(x)), c.argmax(1)]
        return scores, logits.view(len(x), -1)

    def classify(self, logits: Tensor, c: Tensor) -> Tensor:
        if self.kind == "domains":
            return -(F.log_softmax(logits, 1) * c).sum(1).mean()
        chance = torch.sigmoid(logits)
        return -(c * chance.log() + (1 - c) * (1 - chance).log()).sum() / len(c)

    def step(self, inputs: StepInputs) -> Record:
        batch, rng = inputs.batch(), inputs.rng()
        x, c = batch.signals[MIXED], batch.conditions[MIXED].label
        target = c[torch.randperm(len(c), generator=rng)]
        fake = self.translate(x, target)
        real_src, real_cls = self.judge(x, c)
        fake_src, _ = self.judge(fake.detach(), target)
        critic = -real_src.mean() + fake_src.mean()
        classify_real = self.classify(real_cls, c)
        alpha = torch.rand(len(x), 1, 1, 1, generator=rng)
        hat = (alpha * x + (1 - alpha) * fake.detach()).requires_grad_(True)
        out = self.judge(hat, target)[0]
        (slope,) = torch.autograd.grad(out, hat, torch.ones_like(out), create_graph=True)
        penalty = ((slope.view(len(x), -1).pow(2).sum(1).sqrt() - 1) ** 2).mean()
        self.adam_d.zero_grad()
        (critic + classify_real + 10 * penalty).backward()
        self.adam_d.step()
        record = {
            "discriminator/critic": critic.item(),
            "discriminator/classify_real": classify_real.item(),
            "discriminator/penalty": penalty.item(),
        }
        self.number += 1
        if self.number % self.every:
            return record

        fake = self.translate(x, target)
        fake_src, fake_cls = self.judge(fake, target)
        adversarial = -fake_src.mean()
        cycle = (x - self.translate(fake, c)).abs().mean()
        classify = self.classify(fake_cls, target)
        objective = adversarial + 10 * cycle + classify
        record |= {"generator/adversarial": adversarial.item(), "generator/cycle": cycle.item()}
        record["generator/classify"] = classify.item()
        if self.identity:
            same = (x - self.translate(x, c)).abs().mean()
            objective = objective + self.identity * same
            record["generator/identity"] = same.item()
        self.adam_g.zero_grad()
        objective.backward()
        self.adam_g.step()
        return record


@pytest.mark.numeric
@pytest.mark.parity
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("domains", [VENDORS, FACES], ids=["domains", "attributes"])
@pytest.mark.parametrize(("every", "identity"), [(1, 0.0), (2, 5.0)])
def test_training_steps_equal_the_published_losses(
    domains: Domains, every: int, identity: float, batch: int
) -> None:
    method = make(domains, n_critic=every, identity=identity)
    reference = Reference(method, every=every, identity=identity)
    run_of(method, batch).check(reference)


def test_the_generator_moves_in_every_fifth_step_on_the_critics_translation() -> None:
    calls = run_of(make()).count_calls(10)
    assert [step["generator"] for step in calls] == [1, 1, 1, 1, 2] * 2


def test_adversary_and_classifier_share_the_critics_passes() -> None:
    calls = run_of(make(n_critic=1)).count_calls(1)
    # Critic: real, translated, penalty. Generator: translated.
    assert calls[0]["discriminator"] == 4


def test_critic_only_steps_build_no_graph_of_the_generator() -> None:
    method, graphs = make(), []
    method.nets["generator"].register_forward_hook(
        lambda net, given, made: graphs.append(made.requires_grad)
    )
    run_of(method).train(5)
    assert graphs == [False] * 4 + [True] * 2


@pytest.mark.numeric
@pytest.mark.parity
def test_a_realness_for_each_domain_is_that_of_the_domain_that_is_had_or_wanted() -> None:
    method = make(n_critic=1, critic_heads=True)
    run_of(method).check(Reference(method, every=1, identity=0.0, heads=True))


def test_attributes_have_no_realness_of_their_own() -> None:
    with pytest.raises(UsageError) as error:
        make(FACES, critic_heads=True)
    assert error.value.asked == "critic_heads=true"


def test_targets_are_the_batchs_own_conditions_shuffled() -> None:
    method = make(FACES)
    batch = random_batches(method, count=16)(3)
    (route,) = method.plan(batch, torch.Generator().manual_seed(1))
    own = batch.conditions[MIXED].label
    assert sorted(route.target.label.tolist()) == sorted(own.tolist())
    assert not torch.equal(route.target.label, own)


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def test_paper_preset_has_the_published_parameter_counts() -> None:
    preset, attributes = StarGAN.presets["paper"], Domains(tuple("abcde"), "attributes")
    method = StarGAN(Options(**preset.options), attributes, preset.signal)
    assert count(method.nets["generator"]) == 8_430_528
    assert count(method.nets["discriminator"]) == 44_762_048


def test_discriminator_at_256_pixels_has_the_published_parameter_count() -> None:
    assert count(DomainDiscriminator(size=256)) == 44_884_928


@pytest.mark.parametrize("name", list(StarGAN.presets))
def test_every_preset_builds_and_keeps_the_signals_form(name: str) -> None:
    preset = StarGAN.presets[name]
    method = StarGAN(Options(**preset.options), VENDORS, preset.signal)
    x = torch.zeros(2, *preset.signal.shape)
    condition = Condition(torch.eye(3)[:2])
    with torch.inference_mode():
        assert method.translate(x, condition, condition).shape == x.shape
        assert method.nets["discriminator"](x).class_logits.shape == (2, 3)


def test_the_default_preset_is_the_paper() -> None:
    name, preset = next(iter(StarGAN.presets.items()))
    assert name == "paper"
    assert not preset.options
    assert preset.train.steps == 200_000


def test_rate_hardly_decays_as_in_the_official_code() -> None:
    published = make().players()[0].optimiser
    assert published.schedule(Progress(100_000, 200_000)) == 1.0
    assert published.lr * published.schedule(Progress(199_999, 200_000)) == pytest.approx(
        9.9901e-5, rel=1e-6
    )


def test_linear_decay_is_an_option() -> None:
    schedule = make(decay="linear").players()[0].optimiser.schedule
    assert schedule(Progress(99_999, 200_000)) == 1.0
    assert schedule(Progress(199_999, 200_000)) < 0.02


@pytest.mark.numeric
def test_inference_uses_the_instances_own_statistics() -> None:
    net = ConditionalGenerator(conditions=3, width=4, blocks=1)
    x, condition = torch.rand(2, 3, 16, 16), Condition(torch.eye(3)[:2])
    with torch.no_grad():
        torch.testing.assert_close(net.train()(x, condition), net.eval()(x, condition))


def test_the_condition_changes_the_output() -> None:
    method, x = make(), torch.rand(1, 3, 16, 16, dtype=torch.float64)
    to = [Condition(torch.eye(3)[i : i + 1]) for i in range(2)]
    with torch.no_grad():
        assert not torch.allclose(
            method.translate(x, to[0], to[0]), method.translate(x, to[0], to[1])
        )


def test_sizes_that_the_discriminator_cannot_halve_are_refused() -> None:
    with pytest.raises(UsageError, match="critic_layers=5 at 16x16"):
        make(critic_layers=5)


@pytest.mark.numeric
def test_a_skip_adds_the_input_ahead_of_the_tanh() -> None:
    torch.manual_seed(0)
    net = ConditionalGenerator(conditions=3, width=8, blocks=1, skip=0.5)
    x = torch.rand(2, 3, 16, 16) * 2 - 1
    label = torch.eye(3)[[0, 1]]
    made = net.layers(torch.cat([x, label[:, :, None, None].expand(2, 3, 16, 16)], 1))
    assert torch.allclose(net(x, Condition(label)), torch.tanh(made + 0.5 * x))
