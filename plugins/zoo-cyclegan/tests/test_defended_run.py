"""A run with defences records them, resumes only with them, and resumes exactly."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo_core.errors import UsageError
from zoo_core.models.modeldir import read_config
from zoo_train.checkpoint import Checkpoints
from zoo_train.config import RunConfig
from zoo_train.request import resolve
from zoo_train.start import resume_run, train_run

DEFENCES = ("noise:std=0.1", "quantise")


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    rng = np.random.default_rng(0)
    for name in ("dark", "light"):
        (tmp_path / name).mkdir()
        for index in range(4):
            pixels = rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{index}.png")
    loop = {"batch": 2, "steps": 4, "precision": "float32", "checkpoint_every": 2}
    return resolve(
        method="cyclegan",
        preset="32px",
        size=16,
        settings={
            **{"width": 4, "blocks": 1, "critic_width": 4, "critic_layers": 1, "pool": 2},
            **{f"train.{key}": value for key, value in loop.items()},
        },
        domains={name: str(tmp_path / name) for name in ("dark", "light")},
        extra_losses=["guess:width=4,layers=1"],
        defence=DEFENCES,
        device="cpu",
    )


@pytest.mark.numeric
def test_a_defended_run_resumes_to_the_same_bytes(config: RunConfig, tmp_path: Path) -> None:
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    model = train_run(config, straight, quiet=True)
    shutil.copytree(straight, stopped)
    shutil.rmtree(stopped / "model")
    kept = Checkpoints(stopped / "checkpoint")
    kept.path(4).unlink()
    assert kept.steps() == [2]
    again = resume_run(stopped, quiet=True)
    for name in ("model.safetensors", "training.safetensors"):
        assert (again / name).read_bytes() == (model / name).read_bytes(), name


def test_the_run_and_its_model_record_the_defences(config: RunConfig, tmp_path: Path) -> None:
    model = train_run(config, tmp_path / "run", quiet=True)
    assert RunConfig.read(tmp_path / "run" / "config.yaml").defence == DEFENCES
    assert read_config(model).training["defences"] == list(DEFENCES)
    with pytest.raises(UsageError) as caught:
        train_run(
            dataclasses.replace(config, defence=()), tmp_path / "run", resume=True, quiet=True
        )
    assert "defence" in caught.value.problem
