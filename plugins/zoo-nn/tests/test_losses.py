"""The losses on a method whose translations can be worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from zoo_core.contracts.interfaces import Code, Discriminator, DiscriminatorOutput
from zoo_core.contracts.method import Method, Player
from zoo_core.contracts.signals import Batch, Condition, Domains, TensorSpec, class_key
from zoo_core.contracts.spec import Preset
from zoo_core.contracts.step import Route, Step
from zoo_core.errors import UsageError
from zoo_nn.losses.adversarial import AdversarialCritic, AdversarialGenerator, critic_terms
from zoo_nn.losses.classification import ClassLabels, DomainClassification, condition_loss
from zoo_nn.losses.consistency import Cycle, Identity, Likeness, SemanticConsistency
from zoo_nn.losses.distances import distance_of
from zoo_nn.losses.gradient import R1, GradientPenalty
from zoo_nn.losses.objectives import Hinge, deeper, objective_of
from zoo_nn.losses.regularisers import KullbackLeibler, TotalVariation, total_variation
from zoo_nn.losses.sampled import SampledCode, SampledFeatures

pytestmark = pytest.mark.numeric


@dataclass(frozen=True)
class NoOptions:
    pass


class Scale(Discriminator):
    """Answers ``factor * x`` on two scales and the signal's mean as logits."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        mean = x.flatten(1).mean(1, keepdim=True)
        scales = (self.factor * x, self.factor * x[..., ::2])
        return DiscriminatorOutput(scales, torch.cat([mean, -mean], 1), (self.factor * x,))


class Halve(nn.Module):
    """An encoder that takes half of what it sees for the code."""

    def forward(self, x: Tensor, condition: Condition) -> Code:
        return Code(x / 2)


class Shift(Method[NoOptions]):
    """Translates by adding a learned number: 1 to b, 2 to a. The code is the signal, doubled."""

    Options = NoOptions
    presets: Mapping[str, Preset] = {"tiny": Preset()}
    provides = frozenset({"translated", "restored", "identity", "code", "reencoded"})

    def build(self) -> Mapping[str, nn.Module]:
        nets: dict[str, nn.Module] = {}
        for name, shift in (("generator_b", 1.0), ("generator_a", 2.0)):
            nets[name] = nn.Module()
            nets[name].shift = nn.Parameter(torch.tensor(shift))
        nets |= {"encoder_a": Halve(), "encoder_b": Halve()}
        return nets | {"discriminator_a": Scale(2.0), "discriminator_b": Scale(3.0)}

    def plan(self, batch: Batch, rng: torch.Generator) -> Sequence[Route]:
        return [
            Route("a", Condition.of(self.domains, "b", 2)),
            Route("b", Condition.of(self.domains, "a", 2)),
        ]

    def players(self) -> Sequence[Player]:
        return ()

    def translate(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        return x + self.nets[f"generator_{target.domain}"].shift  # type: ignore[operator]

    def encode(self, x: Tensor, source: Condition) -> Code:
        return Code(2 * x)

    def prior(self, step: Step, count: int) -> Code:
        return Code(torch.ones(count, 1, 4, 4))

    def decode(self, code: Code, target: Condition) -> Tensor:
        return self.translate(code.content, target, target)


def step_of(kind: str = "domains", seed: int = 0) -> Step:
    domains = Domains(("a", "b"))
    method = Shift(NoOptions(), domains, TensorSpec(shape=(1, 4, 4)))
    draw = torch.Generator().manual_seed(7)
    signals = {name: torch.rand(2, 1, 4, 4, generator=draw) for name in "ab"}
    batch = Batch(signals, {name: Condition.of(domains, name, 2) for name in "ab"})
    rng = torch.Generator().manual_seed(seed)
    return Step(method, batch, method.plan(batch, rng), rng=rng)


def test_cycle_sums_the_routes() -> None:
    # Both ways round add 1 + 2; two routes.
    assert Cycle()(step_of()).item() == pytest.approx(6)
    assert Cycle("l2")(step_of()).item() == pytest.approx(18)
    assert Cycle("smooth_l1")(step_of()).item() == pytest.approx(5)


def test_routes_can_be_chosen() -> None:
    assert Cycle(routes=["a->b"])(step_of()).item() == pytest.approx(3)


def test_a_loss_without_routes_says_so() -> None:
    with pytest.raises(RuntimeError, match="found no route"):
        Cycle(routes=["a->c"])(step_of())


def test_identity_feeds_each_generator_its_own_domain() -> None:
    assert Identity(routes=["a->b"])(step_of()).item() == pytest.approx(1)
    assert Identity()(step_of()).item() == pytest.approx(3)


def test_semantic_consistency_compares_the_codes_of_translation_and_input() -> None:
    assert SemanticConsistency()(step_of()).item() == pytest.approx(2 * 1 + 2 * 2)


def test_detached_codes_leave_the_gradient_to_the_translation() -> None:
    step = step_of()
    step.batch.signals["a"].requires_grad_()
    SemanticConsistency("l2", detach=True, routes=["a->b"])(step).backward()
    both = step.batch.signals["a"].grad
    assert both is not None
    assert both.abs().sum() > 0
    step = step_of()
    step.batch.signals["a"].requires_grad_()
    SemanticConsistency("l2", routes=["a->b"])(step).backward()
    assert step.batch.signals["a"].grad.abs().max() == 0


@pytest.mark.parametrize("name", ["lsgan", "wgan", "nonsaturating", "bce", "hinge"])
def test_every_objective_rewards_its_side(name: str) -> None:
    objective, low, high = objective_of(name), torch.tensor([-1.0]), torch.tensor([1.0])
    assert objective.real(high) < objective.real(low)
    assert objective.fake(low) <= objective.fake(high)
    assert objective.fooled(high) < objective.fooled(low)


@pytest.mark.parametrize(
    ("name", "real", "fake", "fooled"),
    [
        ("lsgan", 0.25, 0.25, 0.25),
        ("wgan", -0.5, 0.5, -0.5),
        ("bce", 0.474077, 0.974077, 0.474077),
        ("hinge", 0.5, 1.5, -0.5),
    ],
)
def test_objectives_have_their_published_values(
    name: str, real: float, fake: float, fooled: float
) -> None:
    objective, scores = objective_of(name), torch.full((3,), 0.5)
    assert objective.real(scores).item() == pytest.approx(real)
    assert objective.fake(scores).item() == pytest.approx(fake)
    assert objective.fooled(scores).item() == pytest.approx(fooled)


def test_the_generators_side_sums_routes_and_scales() -> None:
    step = step_of()
    a, b = step.batch.signals["a"], step.batch.signals["b"]
    wanted = sum(
        ((factor * made - 1) ** 2).mean()
        for factor, whole in ((3, a + 1), (2, b + 2))
        for made in (whole, whole[..., ::2])
    )
    assert AdversarialGenerator()(step).item() == pytest.approx(wanted.item())


def test_the_critics_side_is_scaled_and_stops_at_the_translation() -> None:
    step = step_of()
    a, b = step.batch.signals["a"], step.batch.signals["b"]
    wanted = (
        -3 * b.mean() - 3 * b[..., ::2].mean() + 3 * (a + 1).mean() + 3 * (a + 1)[..., ::2].mean()
    )
    loss = AdversarialCritic("discriminator_b", "wgan", scale=0.5, routes=["a->b"])(step)
    assert loss.item() == pytest.approx(0.5 * wanted.item(), rel=1e-4)
    loss.backward()
    assert step.net("generator_b").shift.grad is None
    assert step.net("discriminator_b").factor.grad is not None


def test_a_critic_of_restored_signals_holds_them_against_the_input() -> None:
    step = step_of()
    loss = AdversarialCritic("discriminator_{source}", "wgan", made="restored", routes=["a->b"])(
        step
    )
    # The critic of a answers 2x on two scales, and what comes back is 3 more than the input.
    assert loss.item() == pytest.approx(2 * 2 * 3, rel=1e-4)


def test_every_critic_has_a_pool_of_its_own() -> None:
    step = step_of()
    loss = AdversarialCritic(pool=50)
    loss(step)
    held = {name: loss.pool[f"discriminator_{name}"] for name in "ab"}  # type: ignore[index]
    pools = {name: pool.images[: len(pool)] for name, pool in held.items()}
    for route in step.routes:
        assert torch.equal(pools[str(route.target.domain)], route.translated.detach())
    again = AdversarialCritic(pool=50)
    again.load_state_dict(loss.state_dict())
    loaded = again.pool["discriminator_a"]  # type: ignore[index]
    assert torch.equal(loaded.images[: len(loaded)], pools["a"])


def test_a_critics_scales_may_count_differently() -> None:
    step = step_of()
    share = lambda count: [0.25, 2.0][:count]  # noqa: E731
    made = next(route.translated for route in step.routes if route.name == "a->b")
    first, second = (3 * made - 1).square().mean(), (3 * made[..., ::2] - 1).square().mean()
    loss = AdversarialGenerator(routes=["a->b"], share=share)(step)
    assert loss.item() == pytest.approx((0.25 * first + 2 * second).item(), rel=1e-5)
    critic = AdversarialCritic("discriminator_b", routes=["a->b"], share=share)(step)
    parts = []
    for x, goal in ((step.real("b"), 1), (made, 0)):
        parts += [
            0.25 * (3 * x - goal).square().mean(),
            2 * (3 * x[..., ::2] - goal).square().mean(),
        ]
    assert critic.item() == pytest.approx(sum(parts).item(), rel=1e-5)  # type: ignore[union-attr]


def test_deeper_scales_count_more_the_last_one_twice_more() -> None:
    assert deeper(4) == [part / 44 for part in (1, 2, 3, 5)]
    assert deeper(1) == [1.0]


def test_gradient_penalty_measures_the_slope_between_real_and_made() -> None:
    # d/dx of 3x summed over the patches of both scales: 6 where the second scale looks, else 3.
    slope = (8 * 6**2 + 8 * 3**2) ** 0.5
    penalty = GradientPenalty("discriminator_b", routes=["a->b"])(step_of())
    assert penalty.item() == pytest.approx((slope - 1) ** 2, rel=1e-5)
    penalty.backward()


def test_r1_measures_the_slope_at_reals() -> None:
    step = step_of()
    loss = R1("discriminator_b", routes=["a->b"])(step)
    assert loss.item() == pytest.approx((8 * 6**2 + 8 * 3**2) / 2, rel=1e-5)
    loss.backward()
    assert step.net("discriminator_b").factor.grad != 0


def test_classification_asks_reals_for_their_own_and_translations_for_the_targets_domain() -> None:
    step = step_of()
    a = step.batch.signals["a"].flatten(1).mean(1)
    real = torch.nn.functional.softplus(-2 * a).mean()
    loss = DomainClassification("real", "discriminator_b", routes=["a->b"])(step)
    assert loss.item() == pytest.approx(real.item())
    made = torch.nn.functional.softplus(2 * (a + 1)).mean()
    loss = DomainClassification("translated", "discriminator_b", routes=["a->b"])(step)
    assert loss.item() == pytest.approx(made.item())


def test_attributes_are_summed_and_divided_by_the_batch() -> None:
    logits, label = torch.zeros(4, 5), torch.ones(4, 5)
    assert condition_loss(logits, label, "attributes").item() == pytest.approx(5 * 0.693147)


@pytest.mark.parametrize("kind", ["domains", "attributes"])
def test_logits_of_every_patch_count_as_signals_of_their_own(kind: str) -> None:
    logits = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    label = torch.eye(3)[[2, 0]]
    patches = logits.permute(0, 2, 3, 1).reshape(-1, 3)  # (2 * 20, 3)
    want = condition_loss(patches, label.repeat_interleave(20, 0), kind)
    torch.testing.assert_close(condition_loss(logits, label, kind), want)


def test_what_was_translated_into_its_own_domain_is_classified_as_that() -> None:
    step = step_of()
    # The critic's logits are (mean, -mean) of b + 1; the domain is b, the second.
    loss = DomainClassification("identity", "discriminator_b", routes=["a->b"])(step)
    mean = (step.batch.signals["b"] + 1).flatten(1).mean(1)
    want = torch.nn.functional.softplus(2 * mean).mean()
    assert loss.item() == pytest.approx(want.item())


def test_total_variation_of_a_ramp_is_its_slope() -> None:
    ramp = torch.arange(5.0).expand(1, 1, 5, 5)
    assert total_variation(3 * ramp).item() == pytest.approx(3)
    assert total_variation(torch.ones(1, 1, 5, 5)).item() < 1e-3


def test_total_variation_of_flat_areas_has_a_finite_gradient() -> None:
    flat = torch.ones(1, 1, 4, 4, requires_grad=True)
    total_variation(flat).backward()
    assert flat.grad is not None
    assert torch.isfinite(flat.grad).all()
    assert TotalVariation()(step_of()).item() > 0


def test_kl_is_the_mean_square_of_the_code() -> None:
    step = step_of()
    wanted = sum((2 * step.batch.signals[n]).square().mean() for n in "ab")
    assert KullbackLeibler()(step).item() == pytest.approx(wanted.item())


def test_unknown_distances_and_objectives_name_the_near_one() -> None:
    with pytest.raises(UsageError, match='Did you mean "smooth_l1"'):
        distance_of("smoothl1")
    with pytest.raises(UsageError, match='Did you mean "lsgan"'):
        objective_of("lsgn")


def test_losses_are_float32_under_autocast() -> None:
    losses = [
        Cycle(),
        Identity(),
        AdversarialGenerator(),
        AdversarialCritic(),
        R1(),
        GradientPenalty("discriminator_{target}"),
        DomainClassification("translated", "discriminator_{target}"),
        SemanticConsistency(),
        TotalVariation(),
        KullbackLeibler(),
    ]
    for loss in losses:
        step = step_of()
        for name in "ab":
            step.batch.signals[name] = step.batch.signals[name].bfloat16()  # type: ignore[index]
        with torch.autocast("cpu", torch.bfloat16):
            value = loss(step)
        assert value.dtype == torch.float32, type(loss)
        assert value.shape == ()


def test_a_verdict_is_asked_once_within_a_turn_and_anew_in_the_next() -> None:
    step = step_of()
    x = step.batch.signals["b"]
    with step.turn(["discriminator_b"]):
        assert step.judge("discriminator_b", x) is step.judge("discriminator_b", x)
        assert not step.net("discriminator_a").factor.requires_grad
    with step.turn(["generator_b"]):
        assert not step.judge("discriminator_b", x).scores[0].requires_grad
    assert step.counts["judge"] == 2
    assert step.net("discriminator_a").factor.requires_grad


def test_adversaries_judge_the_samples_of_every_domain() -> None:
    step = step_of()
    # Samples: 1 + 2 = 3 of a, 1 + 1 = 2 of b; the critics double and triple them; two scales.
    generator = AdversarialGenerator(made="sampled")
    assert generator.requires == ("sampled",)
    assert generator(step).item() == pytest.approx(2 * (5**2 + 5**2))
    assert AdversarialGenerator(made="sampled", routes=["a"])(step).item() == pytest.approx(50)
    real = sum(
        (factor * step.batch.signals[name][..., ::cut] - 1).square().mean()
        for name, factor in (("a", 2), ("b", 3))
        for cut in (1, 2)
    )
    critic = AdversarialCritic(made="sampled", scale=0.5)(step)
    assert critic.item() == pytest.approx(0.5 * (float(real) + 2 * (6**2 + 6**2)))


class Heads(Discriminator):
    """A realness for each of two domains: the signal for a, ten times the signal for b."""

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        return DiscriminatorOutput((torch.cat([x, 10 * x], 1),))  # (N, 2, 4, 4)


def test_a_signal_is_judged_by_the_head_of_the_domain_that_it_has_or_shall_have() -> None:
    step = step_of()
    step.method.nets["heads"] = Heads()
    a, b = step.batch.signals["a"], step.batch.signals["b"]
    square = lambda x: float(x.square().mean())  # noqa: E731
    fooled = AdversarialGenerator("heads", heads=True)(step)
    assert fooled.item() == pytest.approx(square(10 * (a + 1) - 1) + square(b + 2 - 1))
    told = AdversarialCritic("heads", heads=True)(step)
    reals = square(10 * b - 1) + square(a - 1)
    assert told.item() == pytest.approx(reals + square(10 * (a + 1)) + square(b + 2))
    told = AdversarialCritic("heads", heads=True, made="restored", routes=["a->b"])(step)
    assert told.item() == pytest.approx(square(a - 1) + square(a + 3))
    told = AdversarialCritic("heads", heads=True, made="identity", routes=["a->b"])(step)
    assert told.item() == pytest.approx(square(10 * b - 1) + square(10 * (b + 1)))


def test_a_gradient_penalty_is_of_the_head_of_the_domain_that_a_translation_shall_have() -> None:
    step = step_of()
    step.method.nets["heads"] = Heads()
    pixels = step.batch.signals["a"][0].numel()
    for route, slope in (("a->b", 10), ("b->a", 1)):
        penalty = GradientPenalty("heads", routes=[route], heads=True)(step)
        assert penalty.item() == pytest.approx((slope * pixels**0.5 - 1) ** 2, rel=1e-5)


def test_a_pool_is_refused_where_each_domain_has_a_head() -> None:
    with pytest.raises(UsageError, match="a pool goes with critics of one head"):
        AdversarialCritic("heads", heads=True, pool=50)


def test_features_of_corresponding_samples_are_compared_per_sample() -> None:
    step = step_of()
    # 16 features: 2 * 3 of a against 3 * 2 of b.
    assert SampledFeatures()(step).item() == pytest.approx(0)
    step.method.nets["discriminator_b"].factor.data.fill_(2.0)  # 6 against 4
    assert SampledFeatures()(step).item() == pytest.approx(16 * 2**2)


def test_samples_are_judged_once_for_both_losses_of_a_critic() -> None:
    step = step_of()
    with step.turn(["discriminator_a", "discriminator_b"]):
        loss = AdversarialCritic(made="sampled")(step) + SampledFeatures()(step)
        assert step.counts["judge"] == 4
    loss.backward()
    assert step.method.nets["generator_a"].shift.grad is None


def test_an_encoder_shall_find_the_prior_code() -> None:
    # Halves of 3 and of 2, against 1.
    assert SampledCode()(step_of()).item() == pytest.approx(0.5**2)
    assert SampledCode(distance="l1")(step_of()).item() == pytest.approx(0.5)


def test_class_labels_of_one_domain_teach_its_critic() -> None:
    step = step_of()
    step.batch.extras[class_key("a")] = torch.tensor([0, 1])  # type: ignore[index]
    mean = step.batch.signals["a"].flatten(1).mean(1)
    logits = torch.stack([mean, -mean], 1)
    wanted = torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1]))
    assert ClassLabels("a", "discriminator_a")(step).item() == pytest.approx(float(wanted))
    with pytest.raises(UsageError, match='classes of domain "b"'):
        ClassLabels("b", "discriminator_b")(step)


def test_likeness_compares_translation_and_input_pooled() -> None:
    # Every pixel of the translation is 1 more than the input's: Huber's function of 1 is 1/2.
    assert Likeness(routes=["a->b"])(step_of()).item() == pytest.approx(0.5)


def test_a_pooled_distance_overlooks_what_averages_out() -> None:
    x = torch.zeros(1, 1, 3, 3)
    y = x.clone()
    y[..., 0, 0], y[..., 2, 2] = 1.0, -1.0
    assert distance_of("pooled_smooth_l1")(x, y) == 0
    assert distance_of("smooth_l1")(x, y) > 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("l1_norm", (4 + 6) / 2),
        ("l2_norm", (2 + 14**0.5) / 2),
        ("l1", 10 / 8),
        ("l2", (4 + 14) / 8),
        ("smooth_l1", (4 * 0.5 + 0.5 + 1.5 + 2.5) / 8),
    ],
)
def test_distances_have_their_values_by_hand(name: str, value: float) -> None:
    a = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 5.0], [5.0, 5.0]]])
    b = torch.tensor(
        [[[2.0, 1.0], [4.0, 3.0]], [[5.0, 4.0], [7.0, 2.0]]]
    )  # off by 1; by 0, 1, 2, 3
    assert distance_of(name)(a, b).item() == pytest.approx(value)


def test_a_pooled_distance_averages_windows_of_3_pixels_two_apart() -> None:
    a, b = torch.zeros(1, 1, 5, 7), torch.zeros(1, 1, 5, 7)
    a[..., 2, 2] = 9.0  # in four of 2 x 3 windows, whose mean it raises by 1
    b[..., 2, 2] = -4.5  # and lowers by 1/2
    distance = distance_of("pooled_smooth_l1")
    assert distance(a, torch.zeros_like(a)).item() == pytest.approx(4 * 0.5 / 6)
    assert distance(torch.zeros_like(b), b).item() == pytest.approx(4 * 0.125 / 6)


class Doubtful(Discriminator):
    """A realness only: twice the square of what it sees, and thrice that."""

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        return DiscriminatorOutput((torch.cat([2 * x.square(), 3 * x.square()], 1),))


def test_all_of_a_realness_counts_where_domains_have_no_heads() -> None:
    step = step_of()
    step.method.nets["critic"] = Doubtful()
    made = step.batch.signals["a"] + 1
    wanted = (2 * made.square() - 1).square().mean() + (3 * made.square() - 1).square().mean()
    loss = AdversarialGenerator("critic", routes=["a->b"])(step)
    assert loss.item() == pytest.approx(wanted.item() / 2)


def test_a_gradient_penalty_looks_at_one_point_of_the_line_per_signal() -> None:
    step, draws = step_of(seed=3), torch.Generator().manual_seed(3)
    step.method.nets["critic"] = Doubtful()
    alpha = torch.rand(2, 1, 1, 1, generator=draws)
    real, made = step.batch.signals["b"], step.batch.signals["a"] + 1
    point = alpha * real + (1 - alpha) * made  # where 5 x^2 has the slope 10 x
    wanted = ((10 * point).flatten(1).norm(dim=1) - 1).square().mean()
    loss = GradientPenalty("critic", routes=["a->b"])(step)
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)


def test_a_critic_of_samples_may_be_named_by_their_domain_as_a_source() -> None:
    named = AdversarialGenerator("discriminator_{source}", made="sampled")(step_of())
    assert named == AdversarialGenerator(made="sampled")(step_of())


def test_an_objective_may_be_an_object() -> None:
    named = AdversarialCritic("discriminator_{target}", "hinge")(step_of())
    assert AdversarialCritic("discriminator_{target}", Hinge())(step_of()) == named


def test_every_scale_needs_a_share() -> None:
    with pytest.raises(ValueError, match="longer than argument"):
        AdversarialGenerator(share=lambda count: [1.0])(step_of())


def test_critics_of_a_cycle_pay_half_for_their_own_direction() -> None:
    terms = critic_terms([("a", "b"), ("b", "a")], "wgan", pool=3)
    assert [term.name for term in terms] == ["critic_b", "critic_a"]
    step = step_of()
    a, b = step.batch.signals["a"], step.batch.signals["b"]
    apart = [part[..., ::cut].mean() for part in (a + 1, b) for cut in (1, 2)]
    wanted = 0.5 * 3 * (apart[0] + apart[1] - apart[2] - apart[3])
    assert terms[0].loss(step).item() == pytest.approx(wanted.item(), rel=1e-4)
    assert terms[0].loss.pool.size == 3  # type: ignore[union-attr]
    assert critic_terms([("a", "b")])[0].loss.pool.size == 0  # type: ignore[union-attr]


def test_a_classification_needs_what_it_looks_at() -> None:
    needs = [DomainClassification(of).requires for of in ("real", "translated", "identity")]
    assert needs == [(), ("translated",), ("identity",)]


def test_a_critic_without_logits_cannot_classify() -> None:
    step = step_of()
    step.method.nets["critic"] = Doubtful()
    with pytest.raises(RuntimeError, match="critic gives no condition logits"):
        DomainClassification("real", "critic")(step)
    with pytest.raises(RuntimeError, match="critic gives no class logits"):
        ClassLabels("a", "critic")(step)


def test_total_variation_is_the_mean_length_of_both_differences() -> None:
    x = torch.tensor([[0.0, 4.0, 4.0], [3.0, 4.0, 7.0], [3.0, 9.0, 8.0]])[None, None]
    # right and down: (4, 3) is 5 long, (0, 0) 0; (1, 0) is 1 long, (3, 5) the root of 34.
    assert total_variation(x).item() == pytest.approx((5 + 0 + 1 + 34**0.5) / 4, abs=1e-4)
    assert total_variation(torch.ones(1, 1, 2, 2)).item() == pytest.approx(1e-4)
