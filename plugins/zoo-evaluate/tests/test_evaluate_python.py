"""``zoo.evaluate`` in programs: what the command does, with the same figures."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo_core import cli
from zoo_core.errors import UsageError
from zoo_core.host.plugins import host

MODEL = "cyclegan-mnist-mnistm"


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six made-up pictures of each domain, of the same names."""
    folder, rng = tmp_path_factory.mktemp("digits"), np.random.default_rng(0)
    for name in ("mnist", "mnistm"):
        (folder / name).mkdir()
        for number in range(6):
            pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def test_the_figures_are_those_of_the_command(digits: Path, tmp_path: Path) -> None:
    words = [
        "evaluate", MODEL, "--data", str(digits), "--paired", "--metrics", "l1,cycle",
        "--num-samples", "3", "--seed", "1", "--precision", "float32",
        "--json", str(tmp_path / "command.json"),
    ]  # fmt: skip
    assert cli.run(words) == 0
    report = zoo.evaluate(
        MODEL,
        domains={name: digits / name for name in ("mnist", "mnistm")},
        paired=True,
        metrics=["l1", "cycle"],
        num_samples=3,
        seed=1,
        precision="float32",
    )
    report.write_json(str(tmp_path / "python.json"))
    assert report.mean["l1"] > 0
    assert (tmp_path / "python.json").read_bytes() == (tmp_path / "command.json").read_bytes()


def test_it_takes_what_the_command_takes() -> None:
    where_to = {"json_to", "html"}  # the function returns what the command writes there
    command = {option.name for option in host().load("command", "evaluate").params} - where_to
    assert set(signature(zoo.evaluate).parameters) == command | {"on_progress"}


@pytest.mark.parametrize(
    ("wrong", "asked"),
    [
        ({}, "test of "),
        ({"domains": {"read": "x"}}, '"read"'),
        ({"data": "{digits}", "metrics": []}, "--metrics"),
        ({"data": "{digits}", "num_samples": 1}, "num_samples 1"),
    ],
    ids=["no data", "unknown domain", "no metric", "too few samples"],
)
def test_a_wrong_request_is_refused(digits: Path, wrong: dict[str, Any], asked: str) -> None:
    given = {key: digits if value == "{digits}" else value for key, value in wrong.items()}
    with pytest.raises(UsageError) as caught:
        zoo.evaluate(MODEL, **given, precision="float32")
    assert asked in (caught.value.asked or "")
