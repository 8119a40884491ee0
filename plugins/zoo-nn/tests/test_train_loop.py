"""The loop: who moves when, with which weights, and what stops it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from zoo_core.contracts.method import Loss, Optimiser, Player, Term
from zoo_core.contracts.signals import MIXED, Batch, Condition, Domains, TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.contracts.step import Step
from zoo_core.errors import TrainingError
from zoo_nn.schedules import Ramp, StepDecay, Until
from zoo_testing.tiny import CriticLoss, CycleLoss, TinyMethod, TinyOptions
from zoo_train.averages import Ema, average_statistics
from zoo_train.data.sampling import PrefetchSampler
from zoo_train.devices import generator_for, mixed, seed_all
from zoo_train.loop import Trainer

pytestmark = pytest.mark.numeric

CONFIG = TrainConfig(batch=4, steps=20, seed=3)


class Random:
    """Random batches, a function of the step and the draw; ``asked`` remembers which."""

    steps_per_epoch = 5

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def batch(self, step: int, draw: int = 0) -> Batch:
        self.asked.append((step, draw))
        rng = generator_for(9, step, draw)
        signal = torch.rand(4, 3, 8, 8, generator=rng) * 2 - 1
        return Batch({MIXED: signal}, {MIXED: Condition(torch.eye(2).repeat(2, 1))})


def method() -> TinyMethod:
    torch.manual_seed(0)
    return TinyMethod(TinyOptions(), Domains(("a", "b")), TensorSpec(shape=(3, 8, 8), stride=2))


def trainer(players: Sequence[Player] | None = None, config: TrainConfig = CONFIG) -> Trainer:
    return Trainer(method(), Random(), config, players=players)


def weights(run: Trainer, net: str) -> Tensor:
    return torch.cat([p.detach().flatten() for p in run.method.nets[net].parameters()])


def run_steps(run: Trainer, count: int) -> Trainer:
    for _ in range(count):
        run.step()
    return run


class Constant(Loss):
    """A loss of a given value; counts how often it is asked."""

    def __init__(self, value: float = 1.0) -> None:
        super().__init__()
        self.value, self.calls = value, 0

    def forward(self, step: Step) -> Tensor:
        self.calls += 1
        return step.routes[0].translated.mean() * 0 + self.value


class Huge(Loss):
    """A finite loss whose gradient is not."""

    def forward(self, step: Step) -> Tensor:
        return torch.sqrt((step.routes[0].translated * 0).abs()).sum()


def generator_player(*terms: Term, **more: Any) -> Player:
    return Player("generator", ("generator",), terms, **more)


def test_a_player_moves_in_every_so_many_th_step() -> None:
    run = trainer([generator_player(Term("cycle", CycleLoss()), every=3)])
    moved = []
    for _ in range(6):
        before = weights(run, "generator")
        run.step()
        moved.append(not torch.equal(before, weights(run, "generator")))
    assert moved == [False, False, True, False, False, True]


def test_only_the_players_own_nets_move() -> None:
    run = trainer([generator_player(Term("cycle", CycleLoss()))])
    before = weights(run, "critic")
    run_steps(run, 2)
    assert torch.equal(before, weights(run, "critic"))


def test_players_of_one_step_share_the_batch_and_fresh_ones_draw_their_own() -> None:
    players = [
        Player("critic", ("critic",), (Term("critic", CriticLoss()),), own_batch=True),
        generator_player(Term("cycle", CycleLoss())),
    ]
    run = run_steps(trainer(players), 2)
    assert isinstance(run.sampler, Random)
    assert sorted(run.sampler.asked) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    shared = run_steps(trainer(), 2)
    assert isinstance(shared.sampler, Random)
    assert shared.sampler.asked == [(0, 0), (1, 0)]


def test_the_rate_follows_the_schedule() -> None:
    optimiser = Optimiser(lr=0.1, schedule=StepDecay(2, 0.5))
    run = trainer([generator_player(Term("cycle", CycleLoss()), optimiser=optimiser)])
    rates = []
    for _ in range(4):
        run.step()
        rates.append(run.rates()["generator"])
    assert rates == [0.1, 0.1, 0.05, 0.05]


def test_a_weight_is_a_function_of_the_progress_and_zero_is_not_computed() -> None:
    loss = Constant()
    ends = Term("ends", loss, Until(1.0, 0.0, step=2))
    run = trainer([generator_player(ends, Term("cycle", CycleLoss(), Ramp(0.0, 1.0, 10)))])
    run_steps(run, 5)
    assert loss.calls == 2


def test_losses_are_reported_unweighted_as_means_since_the_last_report() -> None:
    run = trainer([generator_player(Term("one", Constant(0.25), 100.0))])
    run_steps(run, 3)
    assert run.take_losses() == {"generator/one": 0.25}
    assert run.take_losses() == {}


def test_clipping_bounds_the_gradient() -> None:
    run = trainer([generator_player(Term("cycle", CycleLoss(), 1e4), clip=0.5)])
    run.step()
    gradients = [p.grad for p in run.method.nets["generator"].parameters()]
    norm = torch.cat([g.flatten() for g in gradients if g is not None]).norm()
    assert norm.item() == pytest.approx(0.5, rel=1e-3)


def test_the_runs_clip_applies_where_the_player_has_none() -> None:
    run = trainer([generator_player(Term("cycle", CycleLoss(), 1e4))], replace(CONFIG, clip=0.25))
    run.step()
    gradients = [p.grad for p in run.method.nets["generator"].parameters()]
    norm = torch.cat([g.flatten() for g in gradients if g is not None]).norm()
    assert norm.item() == pytest.approx(0.25, rel=1e-3)


def test_a_loss_that_is_not_finite_names_itself() -> None:
    run = trainer([generator_player(Term("wild", Constant(float("nan"))))])
    before = weights(run, "generator")
    with pytest.raises(TrainingError) as caught:
        run.step()
    assert caught.value.asked == 'the loss "wild" of player "generator" at step 0'
    assert torch.equal(before, weights(run, "generator"))


def test_a_gradient_that_is_not_finite_names_its_player() -> None:
    run = trainer([generator_player(Term("huge", Huge()))])
    before = weights(run, "generator")
    with pytest.raises(TrainingError) as caught:
        run.step()
    assert caught.value.asked == 'the gradient of player "generator" at step 0'
    assert torch.equal(before, weights(run, "generator"))


def test_weights_that_are_not_finite_are_never_in_a_state() -> None:
    run = run_steps(trainer(), 1)
    with torch.no_grad():
        next(run.method.nets["critic"].parameters()).fill_(float("inf"))
    with pytest.raises(TrainingError) as caught:
        run.state()
    assert caught.value.asked == 'net "critic" at step 1'


def test_a_loss_that_is_no_scalar_is_named() -> None:
    class Vector(Loss):
        def forward(self, step: Step) -> Tensor:
            return step.routes[0].translated.mean((1, 2, 3))

    with pytest.raises(TrainingError) as caught:
        trainer([generator_player(Term("vector", Vector()))]).step()
    assert caught.value.asked == 'loss "vector" of player "generator"'


def test_the_average_lags_behind_and_is_used_for_export() -> None:
    run = trainer(config=replace(CONFIG, ema=0.9))
    start = weights(run, "generator")
    run_steps(run, 8)
    live = weights(run, "generator")
    with run.exported() as exported:
        mean = torch.cat([p.detach().flatten() for p in exported.nets["generator"].parameters()])
        assert not exported.training
    assert torch.equal(weights(run, "generator"), live)
    assert 0 < (mean - start).norm() < (live - start).norm()
    assert (mean - live).norm() > 0


@pytest.mark.parametrize("ema", [None, 0.9])
def test_a_restored_state_goes_on_to_the_same_bits(ema: float | None) -> None:
    config = replace(CONFIG, ema=ema)
    straight = run_steps(trainer(config=config), 7)
    half = run_steps(trainer(config=config), 4)
    resumed = trainer(config=config)
    resumed.load_state(half.state())
    torch.rand(3)  # whatever else draws must not matter
    run_steps(resumed, 3)
    mine, theirs = straight.state(), resumed.state()
    assert resumed.done == 7
    for name, value in mine["nets"].items():
        assert torch.equal(value, theirs["nets"][name]), name
    for name, value in (mine["ema"] or {}).items():
        assert torch.equal(value, theirs["ema"][name]), name
    loss = mine["losses"][0]["generator/fool"]
    assert torch.equal(loss["mean"], theirs["losses"][0]["generator/fool"]["mean"])


def test_gradients_lie_in_memory_as_their_parameters_do() -> None:
    run = run_steps(trainer(), 2)  # fused optimisers would silently mix up elements otherwise
    looked_at = 0
    for player_state in run.player_states:
        for parameter in player_state.parameters:
            assert parameter.grad is not None
            assert parameter.grad.stride() == parameter.stride()
            looked_at += not parameter.is_contiguous()
    assert looked_at > 0


def test_the_fused_optimiser_moves_as_the_plain_one() -> None:
    fused, plain = trainer(), trainer()
    for player_state in plain.player_states:
        for group in player_state.optimiser.param_groups:
            group["fused"] = False
    for run in (fused, plain):
        run_steps(run, 4)
    for net in ("generator", "critic"):
        assert torch.allclose(weights(fused, net), weights(plain, net), atol=1e-6)


def test_a_state_of_other_nets_is_refused() -> None:
    state = run_steps(trainer(), 1).state()
    torch.manual_seed(0)
    wider = TinyMethod(
        TinyOptions(width=6), Domains(("a", "b")), TensorSpec(shape=(3, 8, 8), stride=2)
    )
    with pytest.raises(TrainingError) as caught:
        Trainer(wider, Random(), CONFIG).load_state(state)
    assert caught.value.asked == "--resume"
    assert "does not fit" in caught.value.problem


def test_epochs_give_the_length() -> None:
    assert trainer(config=replace(CONFIG, steps=None, epochs=4)).steps == 20
    with pytest.raises(TrainingError) as caught:
        trainer(config=replace(CONFIG, steps=None))
    assert caught.value.hint == "Give --steps."


def test_seeds_of_steps_differ() -> None:
    seeds = {
        mixed(seed, step, draw) for seed in range(5) for step in range(50) for draw in range(3)
    }
    assert len(seeds) == 5 * 50 * 3


def test_a_seed_gives_the_same_numbers_whatever_computes() -> None:
    seed_all(3, 5, 0)
    on_cpu = torch.rand(4)
    seed_all(3, 5, 0, "cuda")
    assert torch.equal(torch.rand(4), on_cpu)


def test_a_run_that_was_left_in_eval_mode_trains_in_train_mode() -> None:
    run = trainer()
    run.method.eval()
    run.step()
    assert all(module.training for module in run.method.modules())


def test_batches_drawn_ahead_are_the_same_batches() -> None:
    plain, ahead = Random(), PrefetchSampler(Random())
    for step, draw in ((0, 0), (0, 1), (1, 0), (2, 0), (2, 1), (7, 0), (8, 0)):
        mine, theirs = plain.batch(step, draw), ahead.batch(step, draw)
        assert torch.equal(mine.signals[MIXED], theirs.signals[MIXED]), (step, draw)
    assert ahead.steps_per_epoch == 5


def test_a_fault_of_a_batch_drawn_ahead_reaches_the_loop() -> None:
    class Broken(Random):
        def batch(self, step: int, draw: int = 0) -> Batch:
            if step == 1:
                raise ValueError("no such picture")
            return super().batch(step, draw)

    ahead = PrefetchSampler(Broken())
    ahead.batch(0)
    with pytest.raises(ValueError, match="no such picture"):
        ahead.batch(1)


def test_the_average_holds_statistics_that_fit_its_weights_and_the_newest_counters() -> None:
    net = torch.nn.BatchNorm1d(1)
    ema = Ema({"net": net}, 0.9)
    with torch.no_grad():
        net.weight.fill_(3.0)
        net.running_mean.fill_(2.0)
        net.num_batches_tracked.fill_(7)
    ema.update(10_000)
    with ema.applied():
        assert net.weight.item() == pytest.approx(0.9 * 1 + 0.1 * 3)
        assert net.running_mean.item() == pytest.approx(0.1 * 2)
        assert net.num_batches_tracked == 7
    assert net.running_mean == 2


def test_the_average_soon_forgets_the_initialisation() -> None:
    net = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(net.weight)
    ema = Ema({"net": net}, 0.999)
    torch.nn.init.ones_(net.weight)
    for step, share in ((0, 0.1), (1, 0.1 * 2 / 11)):  # what is left of the weights at the start
        ema.update(step)
        assert ema.state_dict()["net.weight"].item() == pytest.approx(1 - share)


def test_processes_agree_on_running_statistics() -> None:
    class TwoProcesses:
        """The other process holds twice of everything."""

        world_size = 2

        def all_reduce(self, flat: Tensor, reduce_op: str) -> Tensor:
            return 3 * flat

    net = torch.nn.BatchNorm1d(2)
    net.running_mean.copy_(torch.tensor([2.0, 4.0]))
    average_statistics(net, TwoProcesses())  # type: ignore[arg-type]
    assert net.running_mean.tolist() == [3.0, 6.0]
    assert net.running_var.tolist() == [1.5, 1.5]
    assert net.num_batches_tracked == 0
