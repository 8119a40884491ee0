"""``--loss``: losses that join a method's own, with their options, nets and players."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zoo_core.contracts.component import LossSpec
from zoo_core.contracts.method import Loss, Method, Player, Term
from zoo_core.contracts.signals import Domains, TensorSpec
from zoo_core.contracts.step import Step
from zoo_core.errors import UsageError, unknown
from zoo_core.host.named import parse_named
from zoo_testing.tiny import CriticLoss, TinyMethod, TinyOptions
from zoo_train import extra_losses
from zoo_train.extra_losses import players_with


class Bright(Loss):
    """The translation should have a given brightness."""

    requires = ("translated",)

    def __init__(self, level: float = 0.0, power: int = 1, layers: Sequence[int] = ()) -> None:
        super().__init__()
        self.level, self.power, self.layers = level, power, tuple(layers)

    def forward(self, step: Step) -> Tensor:
        return (step.routes[0].translated.mean() - self.level).abs() ** self.power


class Plain(Loss):
    """A loss whose author annotated nothing."""

    def __init__(self, power=1, level=0.0, soft=False, name="x"):  # type: ignore[no-untyped-def]
        super().__init__()
        self.given = {"power": power, "level": level, "soft": soft, "name": name}

    def forward(self, step: Step) -> Tensor:
        return torch.zeros(())


class NeedsCode(Loss):
    requires = ("code",)

    def forward(self, step: Step) -> Tensor:
        return torch.zeros(())


class WithCompany(Bright):
    def extra_players(
        self, method: Method[Any]
    ) -> Sequence[tuple[Mapping[str, nn.Module], Player]]:
        player = Player("guesser", ("guess",), (Term("guess", CriticLoss()),))
        return (({"guess": nn.Conv2d(3, 1, 1)}, player),)


class Needy(Loss):
    def __init__(self, backbone: str) -> None:
        super().__init__()

    def forward(self, step: Step) -> Tensor:
        return torch.zeros(())


LOSSES = {
    name: LossSpec(name, f"{__name__}:{cls.__name__}", "a loss")
    for name, cls in (
        ("bright", Bright),
        ("plain", Plain),
        ("code", NeedsCode),
        ("company", WithCompany),
        ("needy", Needy),
    )
}


class Host:
    def find(self, kind: str, name: str) -> LossSpec:
        if name not in LOSSES:
            raise unknown(kind, name, LOSSES)
        return LOSSES[name]

    def load(self, kind: str, name: str) -> object:
        return globals()[self.find(kind, name).target.partition(":")[2]]


@pytest.fixture(autouse=True)
def own_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extra_losses, "host", Host)


def method() -> TinyMethod:
    return TinyMethod(TinyOptions(), Domains(("a", "b")), TensorSpec(shape=(3, 8, 8), stride=2))


def generator(*texts: str) -> Player:
    return next(p for p in players_with(method(), texts) if p.name == "generator")


def test_an_added_loss_joins_the_generator_with_its_weight_and_options() -> None:
    term = generator("bright:weight=2.5,level=-0.5,power=2").terms[-1]
    assert (term.name, term.weight) == ("bright", 2.5)
    assert isinstance(term.loss, Bright)
    assert (term.loss.level, term.loss.power) == (-0.5, 2)


def test_options_without_an_annotation_are_numbers_and_truth_values_where_they_look_so() -> None:
    loss = generator("plain:power=2,level=1e-3,soft=true,name=x1").terms[-1].loss
    assert isinstance(loss, Plain)
    assert loss.given == {"power": 2, "level": 1e-3, "soft": True, "name": "x1"}


def test_the_same_loss_twice_has_two_names() -> None:
    names = [term.name for term in generator("bright", "bright:level=1").terms]
    assert names[-2:] == ["bright", "bright_2"]


def test_a_loss_may_join_another_player() -> None:
    players = players_with(method(), ["bright:player=critic"])
    assert [p.name for p in players if "bright" in [t.name for t in p.terms]] == ["critic"]


def test_a_loss_brings_its_nets_and_player_along() -> None:
    tiny = method()
    players = players_with(tiny, ["company"])
    assert players[-1].name == "guesser"
    assert "guess" in tiny.nets
    assert "guess" not in tiny.inference_nets


def test_without_additions_the_players_are_the_methods_own() -> None:
    assert [p.name for p in players_with(method(), [])] == ["critic", "generator"]


@pytest.mark.parametrize(
    ("text", "asked", "problem"),
    [
        ("bright:power=much", "power of --loss bright:power=much", "'much'"),
        ("bright:weight=much", "weight of --loss bright:weight=much", "'much'"),
        ("bright:level", "--loss bright:level", "key=value"),
        ("needy", "--loss needy", "it needs backbone"),
        ("code", "loss NeedsCode", "it needs code"),
    ],
)
def test_a_wrong_addition_is_named(text: str, asked: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        players_with(method(), [text])
    assert caught.value.asked == asked
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("text", "asked", "near"),
    [
        ("brihgt", 'loss "brihgt"', '"bright"'),
        ("bright:levle=1", 'option of --loss bright:levle=1 "levle"', '"level"'),
        ("bright:player=judge", 'player "judge"', "critic, generator"),
    ],
)
def test_an_unknown_name_in_an_addition_has_what_there_is(text: str, asked: str, near: str) -> None:
    with pytest.raises(UsageError) as caught:
        players_with(method(), [text])
    assert caught.value.asked == asked
    assert near in (caught.value.hint or "")


def test_an_addition_is_taken_apart() -> None:
    assert parse_named("embedding:weight=1,backbone=resnet18", "--loss") == (
        "embedding",
        {"weight": "1", "backbone": "resnet18"},
    )
