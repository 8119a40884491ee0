"""Defences: what the way back sees, for any method, recorded and reproducible."""

import dataclasses

import pytest
import torch

from zoo_core.contracts.signals import Batch, Condition, Domains, TensorSpec
from zoo_core.contracts.step import Step
from zoo_core.errors import UsageError
from zoo_nn.defences import LowPass, Noise, Quantise
from zoo_nn.losses.guess import Guess
from zoo_nn.nets.patch import PatchDiscriminator
from zoo_testing.tiny import TinyCodeMethod, TinyMethod, TinyOptions
from zoo_train.extra_losses import defend, players_with

pytestmark = pytest.mark.numeric

SIGNAL = TensorSpec(shape=(3, 16, 16), stride=2)


def a_method(cls: type = TinyMethod):  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    return cls(TinyOptions(), Domains(("a", "b")), SIGNAL)


def a_step(seed: int = 0, rank: int = 0, world: int = 1, method: object = None) -> Step:
    method = method or a_method()
    x = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    condition = Condition.of(method.domains, "a", 4)
    batch = Batch({"mixed": x}, {"mixed": condition})
    rng = torch.Generator().manual_seed(seed)
    routes = method.plan(batch, rng)
    return Step(
        method,
        batch.shard(rank, world),
        [route.shard(rank, world) for route in routes],
        rng=rng,
        rank=rank,
        world=world,
    )


def test_noise_has_the_published_strength() -> None:
    """``n * (max - min) * 0.5 * std``, with each signal's own range."""
    x = torch.rand(4, 3, 64, 64) * torch.tensor([0.5, 1, 2, 2]).view(4, 1, 1, 1)
    noise = Noise(0.1)(a_step(), x) - x
    wanted = (x.flatten(1).amax(1) - x.flatten(1).amin(1)) * 0.5 * 0.1
    assert torch.allclose(noise.flatten(1).std(1), wanted, rtol=0.05)


def test_noise_is_the_same_for_any_number_of_processes() -> None:
    x = torch.rand(4, 3, 16, 16)
    whole = Noise()(a_step(), x)
    halves = [Noise()(a_step(rank=rank, world=2), x[rank::2]) for rank in (0, 1)]
    assert torch.equal(whole, torch.stack(halves, 1).flatten(0, 1))
    assert not torch.equal(whole, Noise()(a_step(seed=1), x))


def test_quantisation_rounds_and_lets_gradients_pass() -> None:
    x = (torch.rand(2, 3, 16, 16) * 2 - 1).requires_grad_()
    seen = Quantise()(a_step(), x)
    levels = (seen.detach() + 1) * 127.5
    assert (levels - levels.round()).abs().max() < 1e-4
    assert 0 < (seen - x).abs().max() <= 1 / 255 + 1e-6
    seen.sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))


def test_quantisation_refuses_signals_without_bounds() -> None:
    method = a_method()
    method.signal = dataclasses.replace(SIGNAL, low=None)
    with pytest.raises(UsageError) as caught:
        Quantise()(a_step(method=method), torch.rand(1, 3, 16, 16))
    assert "no bounds" in caught.value.problem


def test_the_filter_takes_fine_detail_and_keeps_the_mean() -> None:
    checks = (torch.arange(16) % 2 * 2.0 - 1).expand(1, 3, 16, 16).contiguous()
    seen = LowPass(1.0)(a_step(), checks + 0.25)
    assert (seen[..., 4:-4] - 0.25).abs().max() < 0.05
    flat = torch.full((1, 3, 16, 16), 0.5)
    assert torch.allclose(LowPass(2.0)(a_step(), flat), flat, atol=1e-6)


def defended(*texts: str, cls: type = TinyMethod):  # type: ignore[no-untyped-def]
    method = a_method(cls)
    defend(method, players_with(method, []), texts)
    return method


def test_any_method_can_be_defended_and_only_its_way_back_is_disturbed() -> None:
    plain, noisy = a_step(), a_step(method=defended("noise:std=0.3"))
    assert torch.equal(plain.routes[0].translated, noisy.routes[0].translated)
    assert not torch.equal(plain.routes[0].restored, noisy.routes[0].restored)


def test_defences_act_in_their_order() -> None:
    method = defended("noise:std=0.2", "quantise:bits=4")
    assert [type(defence) for defence in method.defences] == [Noise, Quantise]
    seen = a_step(method=method).apply_defence(torch.rand(2, 3, 16, 16))
    levels = (seen + 1) * 7.5
    assert torch.allclose(levels, levels.round(), atol=1e-4)


@pytest.mark.parametrize(
    ("text", "cls", "asked", "said"),
    [
        ("nosie", TinyMethod, 'defence "nosie"', '"noise"'),
        ("noise:sdt=1", TinyMethod, 'option of --defence noise:sdt=1 "sdt"', '"std"'),
        ("noise:std=much", TinyMethod, "std of --defence noise:std=much", "'much'"),
        ("noise:std=-1", TinyMethod, "defence noise:std=-1.0", "negative"),
        ("noise", TinyCodeMethod, "--defence noise", "--loss cycle"),
    ],
)
def test_a_wrong_defence_is_named(text: str, cls: type, asked: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        defended(text, cls=cls)
    assert caught.value.asked == asked
    assert said in f"{caught.value.problem} {caught.value.hint}"


def test_a_guesser_joins_with_its_own_player_and_the_published_weight() -> None:
    method = a_method()
    players = players_with(method, ["guess:width=4,layers=1"])
    generator = next(p for p in players if p.name == "generator")
    assert generator.terms[-1].weight == 2.0
    assert players[-1].name == "guesser"
    assert players[-1].nets == ("guesser_mixed",)
    assert "guesser_mixed" not in method.inference_nets


def test_generator_and_guesser_play_for_opposite_answers() -> None:
    method = a_method()
    players = players_with(method, ["guess:width=4,layers=1"])
    fool = next(p for p in players if p.name == "generator").terms[-1].loss
    guess = players[-1].terms[0].loss
    # the same draw of the order for both: a step each, of one seed
    mine, theirs = a_step(method=method), a_step(method=method)
    for step in (mine, theirs):
        _ = step.routes[0].restored
    scores = method.nets["guesser_mixed"]
    route = theirs.routes[0]
    first = torch.Generator().manual_seed(0)
    method.plan(theirs.batch, first)
    swap = torch.rand(4, 1, 1, 1, generator=first) < 0.5
    pair = torch.cat(
        [
            torch.where(swap, route.restored, route.signal),
            torch.where(swap, route.signal, route.restored),
        ],
        1,
    )
    said = scores(pair).scores[0]
    assert torch.allclose(guess(mine), (said - swap.float()).square().mean(), atol=1e-6)
    assert torch.allclose(fool(theirs), (said - (~swap).float()).square().mean(), atol=1e-6)


def test_the_guess_reaches_just_the_guesser_in_its_own_turn() -> None:
    method = a_method()
    players = players_with(method, ["guess:width=4,layers=1"])
    step = a_step(method=method)
    with step.turn(players[-1].nets):
        players[-1].terms[0].loss(step).backward()
    assert all(p.grad is not None for p in method.nets["guesser_mixed"].parameters())
    assert all(p.grad is None for p in method.nets["generator"].parameters())


def test_guessers_are_as_published_unless_told_otherwise() -> None:
    ((nets, player),) = Guess().extra_players(a_method())
    first = next(nets["guesser_mixed"].parameters())
    assert tuple(first.shape[:2]) == (64, 2 * 3)
    assert (player.optimiser.lr, player.optimiser.betas) == (2e-4, (0.5, 0.999))


def test_a_guesser_sees_the_routes_asked_for() -> None:
    loss = Guess(width=4, routes=["left"])
    (_, player) = loss.extra_players(a_method())[0]
    assert player.terms[0].loss.routes == loss.routes == ["left"]


def test_every_origin_has_a_guesser_of_its_own() -> None:
    method = a_method()
    method.sampling = "domains"
    ((nets, player),) = Guess(width=4).extra_players(method)
    assert player.nets == tuple(nets) == ("guesser_a", "guesser_b")


@pytest.mark.parametrize(("side", "layers"), [(64, 3), (24, 3), (22, 2), (12, 2), (10, 1)])
def test_guessers_have_the_layers_that_pictures_allow(side: int, layers: int) -> None:
    signal = TensorSpec(shape=(3, side, 2 * side), stride=2)
    method = TinyMethod(TinyOptions(), Domains(("a", "b")), signal)
    ((nets, _),) = Guess(width=4).extra_players(method)  # 3 << n pixels for n layers
    wanted = PatchDiscriminator(6, 4, layers).state_dict()
    assert {key: value.shape for key, value in nets["guesser_mixed"].state_dict().items()} == {
        key: value.shape for key, value in wanted.items()
    }


def test_guessers_with_more_layers_than_pictures_allow_are_refused() -> None:
    with pytest.raises(UsageError) as caught:
        Guess(layers=3).extra_players(a_method())
    assert caught.value.asked == "loss guess:layers=3"
    assert "these have 16" in caught.value.problem


def test_guessers_of_what_is_no_picture_are_refused() -> None:
    signal = TensorSpec(shape=(7,), flexible=0)
    method = TinyMethod.__new__(TinyMethod)
    method.signal = signal
    with pytest.raises(UsageError) as caught:
        Guess().extra_players(method)
    assert caught.value.asked == "loss guess"
