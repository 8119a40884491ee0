"""The pretrained-embedding constraint, with the backbone that the zoo ships, on tiny methods."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from zoo_core.contracts.method import Method
from zoo_core.contracts.signals import MIXED, Batch, Condition, Domains, TensorSpec
from zoo_core.contracts.spec import Progress, TrainConfig
from zoo_core.contracts.step import Route, Step
from zoo_core.errors import UsageError, WeightsError
from zoo_nn.losses.embedding import EmbeddingDistance, default_backbone
from zoo_nn.nets.backbones import open_backbone
from zoo_nn.synthetic import random_batch
from zoo_testing.tiny import TinyCodeMethod, TinyMethod, TinyOptions
from zoo_train.extra_losses import players_with
from zoo_train.loop import Trainer

pytestmark = pytest.mark.numeric

DOMAINS = Domains(("a", "b"))
SPEC = TensorSpec(shape=(3, 8, 8), stride=2)
LAYERS = ("layer1", "layer3", "embedding")


class Sampler:
    steps_per_epoch = 10

    def __init__(self, mixed: bool) -> None:
        self.mixed = mixed

    def batch(self, step: int, draw: int = 0) -> Batch:
        return random_batch(DOMAINS, SPEC, mixed=self.mixed, count=2, seed=step)


def make(cls: type[Method[Any]] = TinyMethod) -> Method[Any]:
    torch.manual_seed(0)
    return cls(TinyOptions(), DOMAINS, SPEC)


def step_of(method: Method[Any]) -> Step:
    batch = Sampler(mixed=True).batch(0)
    label = batch.conditions[MIXED].label.flip(0)
    return Step(method, batch, [Route(MIXED, Condition(label))], progress=Progress())


@pytest.mark.parametrize("distance", ["cosine", "l2", "l1"])
def test_it_is_the_mean_distance_of_both_embeddings(distance: str) -> None:
    method = make()
    step, phi = step_of(method), open_backbone("digits")
    x, y = step.routes[0].signal, step.routes[0].translated
    apart = {
        "cosine": lambda a, b: 1 - (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1)),
        "l2": lambda a, b: (a - b) ** 2,
        "l1": lambda a, b: (a - b).abs(),
    }[distance]
    one, other = phi(x, LAYERS), phi(y, LAYERS)
    wanted = sum(apart(one[layer], other[layer]).mean() for layer in LAYERS) / 3
    found = EmbeddingDistance("digits", "layer1+layer3+embedding", distance)(step)
    assert found.item() == pytest.approx(wanted.item(), rel=1e-5)
    assert found.item() > 0


def test_gradients_reach_the_generator_only_and_the_backbone_never_changes() -> None:
    method = make()
    players = players_with(method, ["embedding:weight=3,backbone=digits,layers=[embedding]"])
    loss = players[1].terms[-1].loss
    assert isinstance(loss, EmbeddingDistance)
    x = torch.rand(2, 3, 32, 32) * 2 - 1
    before = loss.phi(x)["embedding"]
    trainer = Trainer(method, Sampler(True), TrainConfig(batch=2, steps=9), players=players)
    for _ in range(4):
        trainer.step()
    assert torch.equal(loss.phi(x)["embedding"], before)
    assert not list(loss.parameters())

    method.zero_grad()
    step = step_of(method)
    with step.turn(["generator"]):
        loss(step).backward()
    reached = {n for n, net in method.nets.items() for p in net.parameters() if p.grad is not None}
    assert reached == {"generator"}
    assert step.routes[0].signal.grad is None


@pytest.mark.parametrize("cls", [TinyMethod, TinyCodeMethod])
def test_it_joins_any_method_and_can_be_lowered(cls: type[Method[Any]]) -> None:
    method = make(cls)
    players = players_with(method, ["embedding:weight=100,backbone=digits,distance=cosine"])
    player = next(player for player in players if player.name == "generator")
    assert player.terms[-1].weight == 100
    adam = torch.optim.Adam([p for n in player.nets for p in method.nets[n].parameters()], 1e-2)
    batch = Sampler(cls.sampling == "mixed").batch(0)
    values = []
    for _ in range(8):
        step = Step(method, batch, method.plan(batch, torch.Generator().manual_seed(0)))
        value = player.terms[-1].loss(step)
        adam.zero_grad()
        value.backward()
        adam.step()
        values.append(value.item())
    assert values[-1] < 0.9 * values[0]


def test_checkpoints_hold_its_hash_and_not_its_weights() -> None:
    loss = EmbeddingDistance("digits")
    state = loss.state_dict()
    assert not [key for key, value in state.items() if isinstance(value, Tensor)]
    EmbeddingDistance("digits").load_state_dict(copy.deepcopy(state))


def test_a_run_does_not_go_on_with_another_backbone() -> None:
    state = EmbeddingDistance("digits").state_dict()
    other = EmbeddingDistance("digits")
    other.sha256 = "0" * 64
    with pytest.raises(WeightsError) as caught:
        other.load_state_dict(state)
    assert "backbone digits" in caught.value.asked


@pytest.mark.parametrize("option", ["backbone=digit", "layers=layer9", "distance=cosin"])
def test_unknown_names_are_refused_with_the_near_match(option: str) -> None:
    near = {"backbone": "digits", "layers": "layer1", "distance": "cosine"}[
        option.partition("=")[0]
    ]
    given = option if option.startswith("backbone") else f"backbone=digits,{option}"
    with pytest.raises(UsageError) as caught:
        players_with(make(), [f"embedding:{given}"])
    assert near in (caught.value.hint or "")


def test_cosine_is_taken_along_the_channels() -> None:
    from zoo_nn.losses.distances import distance_of

    a, b = torch.randn(2, 5, 3, 4), torch.randn(2, 5, 3, 4)
    a_unit, b_unit = F.normalize(a, dim=1), F.normalize(b, dim=1)
    wanted = 1 - (a_unit * b_unit).sum() / (2 * 3 * 4)
    torch.testing.assert_close(distance_of("cosine")(a, b), wanted)
    torch.testing.assert_close(
        distance_of("cosine")(a, 3 * a), torch.tensor(0.0), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize(
    ("brought", "wanted"), [({"imagenet": 1}, "imagenet"), ({}, "timm:tf_efficientnet_lite0")]
)
def test_a_backbone_of_a_plugin_comes_before_timms_own(
    brought: dict[str, int], wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Host:
        def components(self, kind: str) -> dict[str, int]:
            return brought if kind == "backbone" else {}

    monkeypatch.setattr("zoo_nn.losses.embedding.host", Host)
    assert default_backbone() == wanted


def test_a_backbone_sees_pictures_of_the_size_asked_for() -> None:
    assert EmbeddingDistance("digits", size=12).phi.size == 12
    assert EmbeddingDistance("digits").phi.size == open_backbone("digits").size
