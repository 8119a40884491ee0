"""Validation on the way: figures of what was held out, the best model, and an early end."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

import zoo
from zoo_core.errors import UsageError
from zoo_evaluate.validation import BEST, Validation
from zoo_testing.small_runs import draw_pictures, train_small


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_pictures(tmp_path_factory.mktemp("validated"), 12)


def train(
    out: Path, pictures: Path, validate: str, steps: int = 4, **settings: float | None
) -> Path:
    train_small(
        out,
        pictures,
        steps=steps,
        settings={key.replace("_", ".", 1): value for key, value in settings.items()},
        controls={"validate": validate},
    )
    return out / "model"


def figures(run: Path, name: str) -> dict[int, float]:
    lines = map(json.loads, (run / "log" / "stats.jsonl").read_text().splitlines())
    return {line["step"]: line[name] for line in lines if name in line}


def names(run: Path) -> set[str]:
    known = json.loads((run / "trained-on.json").read_text())["domains"]
    return set(known["dark"]["names"])


@pytest.mark.slow
def test_what_is_held_out_is_measured_and_the_best_model_kept(
    pictures: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    train(run, pictures, "every=2", train_hold_out=0.3)
    assert 0 < len(names(run)) < 12
    found = figures(run, "validation/cycle_l1")
    assert list(found) == [2, 4]
    best = zoo.load(run / BEST, device="cpu", precision="float32")
    assert best.config.training["steps"] == min(found, key=found.__getitem__)


@pytest.mark.slow
def test_a_run_that_becomes_no_better_ends(pictures: Path, tmp_path: Path) -> None:
    other, run = draw_pictures(tmp_path / "other", 12, seed=1), tmp_path / "run"
    wanted = f"every=1,metrics=psnr+cycle,paired=true,data={other},patience=2"
    train(run, pictures, wanted, steps=40, lr=0.0)
    assert list(figures(run, "validation/psnr")) == [1, 2, 3]
    assert list(figures(run, "validation/cycle_l1")) == [1, 2, 3]
    assert zoo.load(run, device="cpu", precision="float32").config.training["steps"] == 3


@pytest.mark.slow
def test_a_run_that_goes_on_knows_the_best_figure_so_far(pictures: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(run, pictures, "every=1", train_hold_out=0.3, train_checkpoint_every=1)
    found, best = figures(run, "validation/cycle_l1"), run / BEST / "model.safetensors"
    weights = best.read_bytes()
    (run / "checkpoint" / "step-00000004.pt").unlink()
    zoo.train(out=run, resume=True, quiet=True)
    assert figures(run, "validation/cycle_l1") == found
    assert best.read_bytes() == weights


def test_signals_that_are_trained_on_are_refused(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        train(tmp_path / "run", pictures, "every=2")
    assert caught.value.problem == "nothing is held out: these signals are trained on"
    assert "hold_out" in caught.value.hint


def test_an_unknown_metric_is_refused_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        Validation(metrics="psnrr")
    assert caught.value.asked == 'metric "psnrr"'


@pytest.mark.parametrize(
    ("higher", "values", "better"),
    [
        (False, [0.5, 0.4, 0.4, 0.6], [True, True, False, False]),
        (True, [0.5, 0.4, 0.6], [True, False, True]),
    ],
)
def test_better_is_lower_or_higher_as_the_metric_says(
    higher: bool, values: Iterable[float], better: list[bool]
) -> None:
    validation = Validation()
    validation.higher = higher
    assert [validation._better(value) for value in values] == better
