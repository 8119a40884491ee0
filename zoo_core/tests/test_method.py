"""Methods, players, terms and options."""

import dataclasses
from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from zoo_core.contracts.method import Loss, Optimiser, Player, Term, constant, freeze, make_options
from zoo_core.contracts.spec import Progress
from zoo_core.errors import UsageError
from zoo_testing.subject import Subject
from zoo_testing.tiny import CODE_SPEC, SPEC, CycleLoss, TinyCodeMethod, TinyMethod

relaxed = settings(deadline=None)  # a busy machine is no failure

DIRECT = Subject(SPEC, "domains", None, TinyMethod)
CODE = Subject(CODE_SPEC, "domains", None, TinyCodeMethod)


@dataclasses.dataclass(frozen=True)
class Options:
    width: int = 64
    weight: float = 0.5
    flip: bool = False
    mode: Literal["both", "forward"] = "both"
    name: str = "lsgan"
    sizes: tuple[int, ...] = (1, 2)
    limit: int | None = None


class NeedsCode(Loss):
    requires = ("code", "translated")

    def forward(self, step):
        return step.routes[0].code.content.mean()


class Companion(Loss):
    """Brings a net along and a player that trains it."""

    def __init__(self):
        super().__init__()
        self.player = Player("guess", ("guess",), (Term("guess", CycleLoss()),))

    def forward(self, step):
        return step.routes[0].translated.mean()

    def extra_players(self, method):
        return [({"guess": nn.Linear(2, 2)}, self.player)]


def test_options_have_their_defaults():
    assert make_options(Options, {}, asked="method") == Options()


@relaxed
@given(
    st.builds(Options, width=st.integers(), weight=st.floats(allow_nan=False), flip=st.booleans())
)
def test_options_come_back_from_their_own_values(options):
    assert make_options(Options, dataclasses.asdict(options), asked="method") == options


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("width", "32", 32),
        ("weight", "1e-3", 1e-3),
        ("flip", "true", True),
        ("flip", "0", False),
        ("mode", "forward", "forward"),
        ("name", "7", "7"),
    ],
)
def test_strings_become_the_type_of_the_option(key, text, value):
    found = getattr(make_options(Options, {key: text}, asked="method"), key)
    assert found == value
    assert type(found) is type(value)


def test_unknown_option_is_refused_with_the_near_match():
    with pytest.raises(UsageError) as caught:
        make_options(Options, {"widht": 3}, asked="cyclegan")
    assert caught.value.asked == 'option of cyclegan "widht"'
    assert '"width"' in caught.value.hint


@pytest.mark.parametrize(
    ("key", "value"),
    [("width", "wide"), ("width", 1.5), ("flip", "perhaps"), ("mode", "back"), ("weight", None)],
)
def test_value_of_a_wrong_type_is_refused_by_name(key, value):
    with pytest.raises(UsageError) as caught:
        make_options(Options, {key: value}, asked="cyclegan")
    assert caught.value.asked == "options of cyclegan"
    assert f'"{key}' in caught.value.problem
    assert repr(value) in caught.value.problem


@relaxed
@given(every=st.integers(1, 12), rounds=st.integers(1, 20))
def test_player_moves_once_in_every_so_many_steps_and_last(every, rounds):
    player = Player("p", (), (), every=every)
    moves = [step for step in range(every * rounds) if player.is_active(step)]
    assert moves == [every * (turn + 1) - 1 for turn in range(rounds)]


def test_weight_may_be_a_number_or_a_function_of_the_progress():
    halfway = Progress(50, 100, 10)
    assert Term("t", CycleLoss(), 3.0).weight_at(halfway) == 3.0
    assert Term("t", CycleLoss(), lambda p: 2 * p.fraction).weight_at(halfway) == 1.0


def test_default_optimiser_keeps_its_rate():
    assert Optimiser().schedule is constant
    assert constant(Progress(7, 10, 1)) == 1.0


def test_freeze_marks_every_parameter_and_lets_gradients_through():
    net = freeze(nn.Linear(2, 1))
    x = torch.ones(1, 2, requires_grad=True)
    net(x).sum().backward()
    assert torch.equal(x.grad, net.weight.detach())
    assert all(p.frozen and not p.requires_grad and p.grad is None for p in net.parameters())


def test_nets_that_translate_are_found_by_their_kind():
    assert DIRECT.build().inference_nets == ("generator",)
    names = CODE.build().inference_nets
    assert set(names) == {f"{k}_{n}" for k in ("encoder", "decoder") for n in CODE.domains}


def test_calling_a_method_translates():
    method, batch = DIRECT.build(), DIRECT.batch()
    (case, *_) = DIRECT.translations(method, batch)
    expected = method.translate(case.x, case.source, case.target)
    assert torch.equal(method(case.x, case.source, case.target), expected)


def test_method_with_a_code_translates_by_encoding_and_decoding():
    method, batch = CODE.build(), CODE.batch()
    for case in CODE.translations(method, batch):
        expected = method.decode(method.encode(case.x, case.source), case.target)
        assert torch.equal(method.translate(case.x, case.source, case.target), expected)


@pytest.mark.parametrize("what", ["encode", "decode", "prior"])
def test_method_without_a_code_refuses_to_code(what):
    method, batch = DIRECT.build(), DIRECT.batch()
    (condition,) = batch.conditions.values()
    with pytest.raises(UsageError) as caught:
        getattr(method, what)(None, condition)
    assert f"TinyMethod.{what}" in caught.value.asked


def test_added_loss_that_needs_what_the_method_lacks_is_refused():
    with pytest.raises(UsageError) as caught:
        DIRECT.build().add_loss(NeedsCode())
    assert caught.value.asked == "loss NeedsCode"
    assert "needs code" in caught.value.problem


def test_added_loss_that_is_provided_for_is_taken():
    assert CODE.build().add_loss(NeedsCode()) == ()


def test_companions_of_an_added_loss_join_the_nets():
    method, loss = DIRECT.build(), Companion()
    assert method.add_loss(loss) == (loss.player,)
    assert "guess" in method.nets
    assert any(name.startswith("nets.guess.") for name in method.state_dict())


def test_other_nets_are_in_eval_mode_for_players_with_a_batch_of_their_own_only():
    with pytest.raises(ValueError, match="needs own_batch=True"):
        Player("critic", (), (), other_nets_mode="eval")
    assert (
        Player("critic", (), (), other_nets_mode="eval", own_batch=True).other_nets_mode == "eval"
    )
