"""Schedules and weights: the published numbers, and runs of other lengths."""

import subprocess
import sys

import pytest

from zoo_core.contracts.method import Schedule
from zoo_core.contracts.spec import Progress
from zoo_core.errors import UsageError
from zoo_nn.schedules import LinearDecay, Ramp, Stage, StepDecay, StepwiseLinearDecay, Until


def published_cyclegan(epoch: int, n_epochs: int = 100, n_epochs_decay: int = 100) -> float:
    """The official lambda rule, for epochs counted from 1 (``epoch_count`` 1)."""
    scheduler = epoch - 1
    return 1.0 - max(0, scheduler + 1 - n_epochs) / float(n_epochs_decay + 1)


@pytest.mark.parametrize("epoch", [1, 2, 100, 101, 150, 199, 200])
def test_linear_decay_in_epochs_is_the_official_multiplier(epoch: int) -> None:
    spe = 7
    for step in ((epoch - 1) * spe, epoch * spe - 1):
        progress = Progress(step, 200 * spe, spe)
        assert LinearDecay(100, 100)(progress) == pytest.approx(
            published_cyclegan(epoch), abs=1e-12
        )


@pytest.mark.parametrize("epoch", [1, 99, 100, 150, 199, 200])
def test_a_decay_that_begins_one_epoch_early_ends_at_zero(epoch: int) -> None:
    older = 1.0 - max(0, epoch + 1 - 100) / 101  # epoch + 1 + epoch_count - niter, from 0
    found = LinearDecay(100, 100, early=1)(Progress((epoch - 1) * 7, 200 * 7, 7))
    assert found == pytest.approx(older, abs=1e-12)
    assert (found == 0.0) == (epoch == 200)


def test_linear_decay_never_reaches_zero() -> None:
    values = [LinearDecay(100, 100)(Progress(step, 300, 1000)) for step in range(301)]
    assert values[0] == 1.0
    assert values == sorted(values, reverse=True)
    assert min(values) == pytest.approx(1 / 101)


def test_linear_decay_of_a_run_in_steps_keeps_the_proportions() -> None:
    rule = LinearDecay(100, 100)
    assert rule(Progress(2999, 6000, 17)) == 1.0
    assert rule(Progress(4500, 6000, 17)) == pytest.approx(published_cyclegan(151))


def test_linear_decay_after_a_part_of_the_run() -> None:
    rule = LinearDecay.after(0.6)
    assert rule(Progress(599, 1000, 1)) == 1.0
    assert rule(Progress(800, 1000, 1)) == pytest.approx(0.5, abs=0.01)
    assert LinearDecay.after(1.0)(Progress(999, 1000, 1)) == 1.0


def test_stargan_rate_ends_at_the_published_value() -> None:
    total, lr, rate = 200_000, 1e-4, 1e-4
    rule = StepwiseLinearDecay()
    for done in range(1000, total + 1, 1000):
        if done > total - 100_000:
            rate -= lr / 100_000
        if done < total:
            assert lr * rule(Progress(done, total, 1)) == pytest.approx(rate, rel=1e-9)
    assert lr * rule(Progress(total, total, 1)) == pytest.approx(9.99e-5, rel=1e-4)


def test_step_decay_multiplies_once_per_interval() -> None:
    rule = StepDecay(100, 0.5)
    assert [rule(Progress(s, 1000, 1)) for s in (0, 99, 100, 250)] == [1.0, 1.0, 0.5, 0.25]
    early = StepDecay(100, 0.5, early=1)
    assert [early(Progress(s, 1000, 1)) for s in (98, 99, 198, 199)] == [1.0, 0.5, 0.5, 0.25]


def test_ramp_is_linear_and_then_flat() -> None:
    ramp = Ramp(0.0, 1e-4, 500_000)
    assert ramp(Progress(0, 10**6, 1)) == 0.0
    assert ramp(Progress(250_000, 10**6, 1)) == pytest.approx(5e-5)
    assert ramp(Progress(900_000, 10**6, 1)) == pytest.approx(1e-4)


def test_until_changes_at_a_step_or_a_fraction() -> None:
    assert [Until(5.0, 0.0, step=10)(Progress(s, 100, 1)) for s in (9, 10)] == [5.0, 0.0]
    assert [Until(5.0, 1.0, fraction=0.5)(Progress(s, 100, 1)) for s in (49, 50)] == [5.0, 1.0]


def test_a_weight_may_change_before_the_first_step() -> None:
    assert Until(5.0, 1.0, fraction=0.0)(Progress(0, 100, 1)) == 1.0


def test_until_without_a_moment_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        Until(1.0)
    assert "exactly one" in caught.value.problem


def test_a_ramp_in_parts_grows_at_their_ends() -> None:
    ramp = Ramp(0.0, 3.0, parts=3)
    weights = [ramp(Progress(step, 30)) for step in (0, 9, 10, 19, 20, 29, 30)]
    assert weights == [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0]


def test_schedules_import_no_torch() -> None:
    code = "import sys, zoo_nn.schedules; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_ramp_without_a_length_takes_the_whole_run() -> None:
    weights = [Ramp(1.0, 3.0)(Progress(step, 200)) for step in (0, 50, 200)]
    assert weights == [1.0, 1.5, 3.0]


def test_a_stage_holds_in_its_spans_from_their_begin_to_before_their_end() -> None:
    stage = Stage(3.0, ((10, 20), (40, 50)), total=100)
    weights = [stage(Progress(step, 100)) for step in (9, 10, 19, 20, 39, 40, 49, 50)]
    assert weights == [0.0, 3.0, 3.0, 0.0, 0.0, 3.0, 3.0, 0.0]


def test_a_stage_keeps_its_part_of_a_run_of_another_length() -> None:
    stage = Stage(3.0, ((10, 20),), total=100)
    assert [stage(Progress(step, 1000)) for step in (99, 100, 199, 200)] == [0.0, 3.0, 3.0, 0.0]


def test_a_stage_rises_once_from_the_begin_of_its_first_span() -> None:
    stage = Stage(3.0, ((10, 30), (40, 50)), total=100, ramp=10)
    weights = [stage(Progress(step, 100)) for step in (10, 15, 20, 29, 40)]
    assert weights == [0.0, 1.5, 3.0, 3.0, 3.0]


def test_a_weight_that_ends_is_0_from_then_on() -> None:
    assert Until(5.0, step=10)(Progress(10, 100)) == 0.0


def test_the_published_lengths_are_the_defaults() -> None:
    linear, stepwise = LinearDecay(), StepwiseLinearDecay()
    factors = [linear(Progress(step, 200)) for step in (99, 100, 199)]
    assert factors == pytest.approx([1.0, 1 - 1 / 101, 1 / 101])
    values = [stepwise(Progress(step, 200_000)) for step in (100_999, 101_000, 101_999)]
    assert values == pytest.approx([1.0, 1 - 1e-5, 1 - 1e-5], abs=1e-9)


def test_a_rate_that_changes_in_steps_is_halved_as_published() -> None:
    assert [StepDecay(10)(Progress(step, 100)) for step in (9, 10, 20)] == [1.0, 0.5, 0.25]


def test_a_decay_after_half_of_the_run_has_a_thousand_parts() -> None:
    assert LinearDecay.after(0.3) == LinearDecay(300, 700)


@pytest.mark.parametrize(
    ("rule", "end"),
    [
        (Ramp(1.0, 3.0), 3.0),
        (Ramp(1.0, 3.0, parts=2), 3.0),
        (LinearDecay(1, 3), 0.25),
        (Stage(3.0, ((10, 20),), total=20), 0.0),
    ],
)
def test_a_run_of_one_step_goes_from_begin_to_end(rule: Schedule, end: float) -> None:
    assert rule(Progress(1, 1)) == end


def test_a_stepwise_decay_takes_its_part_of_a_run_of_few_steps() -> None:
    half = [StepwiseLinearDecay(every=1)(Progress(step, 2)) for step in (1, 2)]
    assert half == [1.0, 0.0]
    whole = [StepwiseLinearDecay(every=1, part=1.0)(Progress(step, 4)) for step in (0, 1, 3)]
    assert whole == [1.0, 0.75, 0.25]
