"""A critic that has won, and translations that ignore their target, are told of once."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from zoo_core.cli import run
from zoo_core.contracts.signals import MIXED
from zoo_core.contracts.spec import Progress
from zoo_runs.lasting import SAMPLINGS, STEPS, LastingAlarms
from zoo_train.events import Listeners

INPUTS = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
OTHER = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1


def told(values, *, every=50, name="discriminator/critic_b", tmp_path=None):
    """What the alarms say of the values of one loss, logged every so many steps."""
    alarms = LastingAlarms()
    said = []
    for number, value in enumerate(values, 1):
        progress = Progress(number * every, 10_000, 100)
        said += alarms.step_done(tmp_path, progress, {name: value})
    return said


def test_a_critic_whose_loss_stays_near_zero_has_won():
    (text,) = told([1.0, 0.9, 0.8] + [0.004] * 40)
    assert "discriminator/critic_b" in text
    assert text.startswith(f"step {150 + 50 + STEPS}")
    assert "0.004" in text


def test_it_is_told_again_after_the_generator_came_back():
    assert len(told([1.0] * 3 + [0.004] * 20 + [0.3] + [0.004] * 20)) == 2


@pytest.mark.parametrize(
    "values",
    [
        [1.0] * 3 + [0.25, 0.4, 0.1] * 20,
        [1.0] * 3 + ([0.004] * 9 + [0.1]) * 6,
        [1.0] * 3 + [0.05] * 60,
        [0.2, -3.0, -5.0] + [-40.0, -0.001, 0.001] * 20,
        [1.0] * 3 + [0.004] * 10,
    ],
    ids=["healthy", "for-moments", "low", "wasserstein", "not-yet"],
)
def test_a_critic_that_still_errs_has_not_won(values):
    assert told(values) == []


def test_losses_that_are_no_critic_s_are_passed_over():
    assert told([1.0] * 3 + [0.001] * 60, name="discriminator/penalty") == []
    assert told([1.0] * 3 + [0.001] * 60, name="generator/adversarial") == []


def test_few_logged_values_do_not_count_however_many_steps_lie_between():
    assert told([1.0] * 3 + [0.001] * 5, every=1000) == []


def grids(outputs, times=SAMPLINGS, *, key=MIXED, fraction=0.5):
    """What the alarms say of the same grid, so many times."""
    sampled = SimpleNamespace(
        samples=SimpleNamespace(batch=SimpleNamespace(signals={key: INPUTS})),
        outputs={key: outputs},
    )
    alarms = LastingAlarms()
    progress = Progress(int(1000 * fraction), 1000, 100)
    return [text for _ in range(times) for text in alarms.sampled(None, progress, sampled)]


def test_translations_that_ignore_the_target_are_told_of_once():
    (text,) = grids({"red": OTHER, "blue": OTHER + 0.001}, 2 * SAMPLINGS)
    assert text.startswith("step 500")
    assert "ignore the target" in text
    assert "red, blue" in text


def test_translations_that_are_their_inputs_are_told_of():
    (text,) = grids({"b": INPUTS + 0.001}, key="a")
    assert "a to b are their inputs" in text


@pytest.mark.parametrize(
    ("outputs", "key"),
    [
        ({"red": OTHER, "blue": OTHER * 0.9}, MIXED),
        ({"red": INPUTS, "blue": INPUTS + 0.05}, MIXED),
        ({"a": INPUTS, "b": OTHER}, "a"),
        ({"b": INPUTS * 0.9}, "a"),
        ({"red": OTHER}, MIXED),
    ],
    ids=["slight", "edits", "identity", "darker", "one-target"],
)
def test_translations_that_follow_their_target_raise_no_alarm(outputs, key):
    assert grids(outputs, 3 * SAMPLINGS, key=key) == []


def test_nothing_is_said_early_in_a_run_or_after_a_single_grid():
    same = {"red": OTHER, "blue": OTHER}
    assert grids(same, 3 * SAMPLINGS, fraction=0.1) == []
    assert grids(same, SAMPLINGS - 1) == []


def test_a_run_hears_of_a_critic_that_has_won(tmp_path):
    listeners, said = Listeners([]), []
    for number, value in enumerate([1.0] * 3 + [0.004] * 40):
        said += listeners.fire(
            "step_done",
            directory=tmp_path,
            progress=Progress(50 * number, 10_000, 100),
            values={"discriminator/critic": value},
        )
    assert len(said) == 1


def test_a_short_healthy_run_raises_no_alarm(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for name, base in (("dark", 20), ("light", 150)):
        (tmp_path / name).mkdir()
        for index in range(12):
            pixels = (rng.integers(0, 100, (16, 16, 3)) + base).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{index}.png")
    settings = ["width=4", "blocks=1", "critic_width=4", "train.log_every=1"]
    arguments = [
        *("train", "cyclegan", "--preset", "32px", "--size", "16", "--steps", "60"),
        *("--batch", "4", "--precision", "float32", "--out", str(tmp_path / "run")),
        *(part for text in (*settings, "train.sample_every=10") for part in ("--set", text)),
        *("--domain", f"a={tmp_path / 'dark'}", "--domain", f"b={tmp_path / 'light'}"),
    ]
    assert run(arguments) == 0
    shown = capsys.readouterr().out
    lines = (tmp_path / "run" / "log" / "stats.jsonl").read_text().splitlines()
    assert any("critic" in name for name in json.loads(lines[-1]))
    assert "almost without error" not in shown
    assert "ignore the target" not in shown
    assert "are their inputs" not in shown
