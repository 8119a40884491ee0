"""What the tests of the page share."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import load_file

from zoo_core.catalogue.registry import Registry
from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.host.plugins import host
from zoo_images.pixels import to_bytes
from zoo_train.config import RunConfig
from zoo_train.directory import WRITER, save_config
from zoo_train.logs import stats_path


@pytest.fixture
def attributes(tmp_path: Path) -> Path:
    """A model directory whose domains are attributes, each more or less."""
    embedded = Registry.load(host()).get("stargan-emoji-64").embedded
    assert embedded is not None
    directory = tmp_path / "attributes"
    shutil.copytree(embedded.parent, directory)
    config = directory / "config.yaml"
    config.write_text(config.read_text().replace("kind: domains", "kind: attributes"))
    return directory


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder with a training run that goes on, and what is none beside it."""
    run = tmp_path / "runs" / "emoji" / "first"
    (run / "log").mkdir(parents=True)
    (run / "samples").mkdir()
    save_config(RunConfig("stargan", train=TrainConfig(steps=400)), run)
    lines = [
        {
            "step": step,
            "loss/generator/cycle": 0.1 + 0.5 / step**0.5,
            "loss/generator/adversarial": math.sin(step / 40) - 1,
            "steps_per_second": 2.0,
        }
        for step in range(10, 110, 10)
    ]
    stats_path(run).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (run / WRITER).write_text("{}")
    embedded = Registry.load(host()).get("stargan-emoji-64").embedded
    assert embedded is not None
    shutil.copy(embedded.parent / "samples.png", run / "samples" / "000100.png")
    (tmp_path / "runs" / "notes").mkdir()
    return tmp_path / "runs"


@pytest.fixture
def digit(tmp_path: Path) -> Path:
    """A picture of a digit on a photo, as cyclegan-mnist-mnistm knows them."""
    embedded = Registry.load(host()).get("cyclegan-mnist-mnistm").embedded
    assert embedded is not None
    signal = load_file(embedded.parent / "golden.safetensors")["input"][3]  # (3, 32, 32)
    path = tmp_path / "digit.png"
    Image.fromarray(to_bytes(signal, TensorSpec())).save(path)
    return path
