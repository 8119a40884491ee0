"""The model of a checkpoint: that of the run after the same steps, while the run stays as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import zoo
from zoo_core.errors import UsageError
from zoo_testing.small_runs import draw_pictures, train_small
from zoo_train.export_run import export_from_checkpoint, export_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four steps with checkpoints of the steps 2 and 4, and the model of step 2."""
    root = tmp_path_factory.mktemp("exported")
    every = {"train.checkpoint_every": 2, "train.snapshot_every": 2}
    return train_small(root / "run", draw_pictures(root, 4), steps=4, settings=every)


@pytest.mark.slow
@pytest.mark.parametrize(("step", "same"), [(2, "snapshots/000002"), (None, "model")])
def test_the_model_is_that_of_the_run_at_its_step(
    step: int | None, same: str, run: Path, tmp_path: Path
) -> None:
    model = export_from_checkpoint(run, tmp_path / "model", step=step)
    weights = [path / "model.safetensors" for path in (model, run / same)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    facts = [
        zoo.load(path, device="cpu", precision="float32").config.training
        for path in (model, run / same)
    ]
    assert facts[0]["steps"] == facts[1]["steps"] == (step or 4)


@pytest.mark.slow
def test_a_run_without_a_model_has_one_by_one_command(run: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(export_run, [str(run), "--out", str(tmp_path / "model")])
    assert done.output.splitlines()[-1] == f"model: {tmp_path / 'model'}"


@pytest.mark.slow
def test_a_step_without_a_checkpoint_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        export_from_checkpoint(run, tmp_path / "model", step=3)
    assert caught.value.asked == f"checkpoint of step 3 of {run}"
    assert "2, 4" in caught.value.problem


@pytest.mark.slow
def test_nothing_is_written_over(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        export_from_checkpoint(run, tmp_path)
    assert caught.value.asked == f"--out {tmp_path}"
