"""Losses of codes against sums by hand, on a method whose codes are its signals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from zoo_core.contracts.interfaces import Code, Discriminator, DiscriminatorOutput, Encoder
from zoo_core.contracts.method import Method, Player
from zoo_core.contracts.signals import MIXED, Batch, Condition, Domains, TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.contracts.step import Route, Step
from zoo_core.errors import UsageError
from zoo_nn.losses.latent import (
    CodeClassification,
    CodeConfusion,
    DomainAdversarial,
    Indistinguishable,
    class_count,
    code_shape,
    one_hot,
    reverse_gradient,
)
from zoo_nn.nets.code import CodeDiscriminator
from zoo_testing.session import RandomBatches
from zoo_testing.subject import COUNT, Subject
from zoo_testing.tiny import CODE_SPEC, SPEC, TinyCodeMethod, TinyMethod
from zoo_train.extra_losses import players_with
from zoo_train.loop import Trainer

pytestmark = pytest.mark.numeric

VENDORS = Domains(("noto", "twemoji", "openmoji"))
FACES = Domains(("Male", "Young"), "attributes")
LABELS = {
    "domains": torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 0]]),
    "attributes": torch.tensor([[1.0, 0], [0, 0], [0, 1], [1, 1]]),
}


class Times(Encoder):
    """The code is the signal times a learned number."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(2.0))

    def forward(self, x: Tensor, condition: Condition) -> Code:
        return Code(self.factor * x)


class Linear(Discriminator):
    """Logits are a learned number times the code."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        return DiscriminatorOutput((), self.factor * x)


@dataclass(frozen=True)
class NoOptions:
    pass


class Coder(Method[NoOptions]):
    Options = NoOptions
    presets: Mapping[str, object] = {}  # type: ignore[assignment]
    has_code = True
    provides = frozenset({"code"})

    def build(self) -> Mapping[str, nn.Module]:
        return {"encoder": Times(), "code_discriminator": Linear()}

    def plan(self, batch: Batch, rng: torch.Generator) -> Sequence[Route]:
        return [Route(MIXED, batch.conditions[MIXED])]

    def players(self) -> Sequence[Player]:
        return ()

    def encode(self, x: Tensor, source: Condition) -> Code:
        return self.nets["encoder"](x, source)  # type: ignore[no-any-return]


def step_of(domains: Domains) -> Step:
    method = Coder(NoOptions(), domains, TensorSpec(shape=(class_count(domains),), flexible=0))
    x = torch.randn(4, class_count(domains), generator=torch.Generator().manual_seed(0))
    batch = Batch({MIXED: x}, {MIXED: Condition(LABELS[domains.kind])})
    routes = method.plan(batch, torch.Generator())
    return Step(method, batch, routes, rng=torch.Generator().manual_seed(1))


def chances(step: Step, domains: Domains) -> list[list[list[float]]]:
    """Probabilities by signal, choice and class: the logits equal the signals."""
    groups = 1 if domains.kind == "domains" else len(domains)
    rows = step.batch.signals[MIXED].unflatten(1, (groups, -1)).tolist()
    return [
        [[math.exp(v) / sum(map(math.exp, choice)) for v in choice] for choice in row]
        for row in rows
    ]


def own(domains: Domains) -> list[list[int]]:
    label = LABELS[domains.kind]
    if domains.kind == "domains":
        return [[int(row.argmax())] for row in label]
    return label.long().tolist()


@pytest.fixture(params=[VENDORS, FACES], ids=lambda domains: domains.kind)
def domains(request: pytest.FixtureRequest) -> Domains:
    return request.param


def test_the_critic_pays_for_the_true_class_of_every_choice(domains: Domains) -> None:
    step = step_of(domains)
    found = CodeClassification()(step)
    wanted = [
        -sum(math.log(p[k]) for p, k in zip(row, classes, strict=True))
        for row, classes in zip(chances(step, domains), own(domains), strict=True)
    ]
    assert found.item() == pytest.approx(sum(wanted) / 4, rel=1e-5)


def test_the_critics_loss_does_not_reach_the_encoder(domains: Domains) -> None:
    step = step_of(domains)
    CodeClassification()(step).backward()
    assert step.method.nets["encoder"].factor.grad is None
    assert step.method.nets["code_discriminator"].factor.grad is not None


def test_the_encoder_pays_for_a_wrong_class(domains: Domains) -> None:
    step = step_of(domains)
    draws = torch.rand(4, len(own(domains)[0]), generator=torch.Generator().manual_seed(1)).tolist()
    found = CodeConfusion(goal="wrong")(step)
    wanted = 0.0
    for row, classes, draw in zip(chances(step, domains), own(domains), draws, strict=True):
        for p, k, chance in zip(row, classes, draw, strict=True):
            others = [(k + shift) % len(p) for shift in range(1, len(p))]
            wanted -= math.log(p[others[int(chance * len(others))]]) / 4
    assert found.item() == pytest.approx(wanted, rel=1e-5)


def test_the_encoder_pays_for_unequal_answers(domains: Domains) -> None:
    step = step_of(domains)
    found = CodeConfusion(goal="uniform")(step)
    rows = chances(step, domains)
    wanted = -sum(math.log(v) / len(p) for row in rows for p in row for v in p) / 4
    assert found.item() == pytest.approx(wanted, rel=1e-5)


def test_unequal_answers_cost_most_where_they_are_equal_already_least(domains: Domains) -> None:
    step = step_of(domains)
    step.batch.signals[MIXED].zero_()
    choices, classes = (1, 3) if domains.kind == "domains" else (2, 2)
    assert CodeConfusion()(step).item() == pytest.approx(choices * math.log(classes), rel=1e-6)


def test_the_reversed_goal_is_the_critics_loss_negated(domains: Domains) -> None:
    step = step_of(domains)
    assert CodeConfusion(goal="reversed")(step) == -CodeClassification()(step)


@pytest.mark.parametrize("strength", [0.5, lambda progress: 0.5], ids=["number", "schedule"])
def test_one_pass_trains_the_critic_forward_and_the_encoder_backward(strength: object) -> None:
    step, plain = step_of(VENDORS), step_of(VENDORS)
    loss = DomainAdversarial(strength=strength)(step)  # type: ignore[arg-type]
    loss.backward()
    (-CodeConfusion(goal="reversed")(plain)).backward()
    assert loss == CodeClassification()(step)
    encoder, critic = (step.method.nets[name].factor for name in ("encoder", "code_discriminator"))
    wanted = [plain.method.nets[name].factor.grad for name in ("encoder", "code_discriminator")]
    torch.testing.assert_close(encoder.grad, -0.5 * wanted[0])
    torch.testing.assert_close(critic.grad, wanted[1])


def test_gradients_are_reversed_whole_unless_told_otherwise() -> None:
    x = torch.zeros(2, requires_grad=True)
    reverse_gradient(x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [-1.0, -1.0]
    assert DomainAdversarial().strength == 1.0


def test_reversed_gradients_change_no_value() -> None:
    x = torch.randn(3, requires_grad=True)
    y = reverse_gradient(x, 2.0)
    y.sum().backward()
    assert torch.equal(x, y)
    assert torch.equal(x.grad, torch.full((3,), -2.0))


def test_an_attribute_is_two_classes() -> None:
    condition = Condition(torch.tensor([[1.0, 0.25]]))
    assert one_hot(condition, FACES).tolist() == [[[0.0, 1.0], [0.75, 0.25]]]


def test_a_critic_of_the_wrong_width_is_named() -> None:
    step = step_of(VENDORS)
    step.method.nets["code_discriminator"].forward = lambda x: DiscriminatorOutput((), x[:, :2])  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="code_discriminator must give 3 logits"):
        CodeClassification()(step)


def test_the_discriminator_of_codes_has_the_published_parameter_count() -> None:
    net = CodeDiscriminator((512, 4, 4), 2, normalise=True)
    assert sum(p.numel() for p in net.parameters()) == 8_655_362


@pytest.mark.parametrize("shape", [(7,), (4, 1, 1), (4, 3, 3), (4, 2, 6)])
def test_codes_of_any_form_are_judged(shape: tuple[int, ...]) -> None:
    net = CodeDiscriminator(shape, 3, width=8, hidden=4)
    assert net(torch.zeros(2, *shape)).class_logits.shape == (2, 3)


def test_any_method_with_a_code_can_be_given_the_loss_and_its_critic() -> None:
    subject = Subject(CODE_SPEC, "domains", known=TinyCodeMethod)
    method = subject.build()
    players = players_with(method, ["latent:goal=wrong,width=8,hidden=4,weight=0.5"])
    assert [player.name for player in players][-1] == "code_critic"
    trainer = Trainer(
        method, RandomBatches(subject, 0), TrainConfig(batch=COUNT, steps=9), players=players
    )
    before = {n: [p.clone() for p in net.parameters()] for n, net in method.nets.items()}
    for _ in range(3):
        trainer.step()
    losses = trainer.take_losses()
    assert losses["generator/latent"] > 0
    assert losses["code_critic/classify"] > 0
    critic = zip(before["code_critic"], method.nets["code_critic"].parameters(), strict=True)
    assert any(not torch.equal(old, new) for old, new in critic)


def test_the_added_loss_reaches_the_encoders_and_not_its_critic() -> None:
    step = step_of(VENDORS)
    loss = Indistinguishable(width=4, hidden=4)
    step.method.add_loss(loss)
    with step.turn(["encoder"]):
        loss(step).backward()
    assert step.method.nets["encoder"].factor.grad != 0
    assert all(p.grad is None for p in step.method.nets["code_critic"].parameters())


def test_methods_without_a_code_refuse_the_added_loss() -> None:
    method = Subject(SPEC, "domains", known=TinyMethod).build()
    with pytest.raises(UsageError) as caught:
        method.add_loss(Indistinguishable())
    assert "it needs code" in caught.value.problem


def test_the_form_of_a_code_is_found_and_modes_are_left_alone() -> None:
    method = step_of(FACES).method.train()
    method.nets["encoder"].eval()
    assert code_shape(method) == (4,)
    assert method.training
    assert not method.nets["encoder"].training


def test_the_critic_that_is_brought_along_has_the_widths_and_routes_asked_for() -> None:
    loss = Indistinguishable(width=6, hidden=5, lr=0.25, routes=["left"])
    ((nets, player),) = loss.extra_players(step_of(VENDORS).method)
    assert [tuple(p.shape) for p in nets["code_critic"].parameters() if p.dim() == 2][-1] == (3, 5)
    assert (player.optimiser.lr, player.optimiser.betas) == (0.25, (0.5, 0.999))
    assert loss.routes == player.terms[0].loss.routes == ["left"]


def test_the_critic_that_is_brought_along_has_256_channels_and_features() -> None:
    loss = Indistinguishable()
    ((nets, player),) = loss.extra_players(step_of(VENDORS).method)
    assert (loss.width, loss.hidden) == (256, 256)
    wanted = CodeDiscriminator((3,), 3, width=256, hidden=256).state_dict()
    shapes = {key: value.shape for key, value in nets["code_critic"].state_dict().items()}
    assert shapes == {key: value.shape for key, value in wanted.items()}
    assert player.optimiser.lr == 2e-4
