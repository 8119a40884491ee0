"""``zoo.evaluate`` in programs: what the command does, with the same figures."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import TensorDataset

import zoo
from zoo_core import cli
from zoo_core.errors import DataError, UsageError, ZooError
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
    in_programs = {"on_progress", "ranges"}  # files say themselves which values they may have
    assert set(signature(zoo.evaluate).parameters) == command | in_programs


@pytest.mark.parametrize(
    ("wrong", "asked"),
    [
        ({}, "test of "),
        ({"domains": {"read": "x"}}, '"read"'),
        ({"data": "{digits}", "metrics": []}, "--metrics"),
        ({"data": "{digits}", "num_samples": 1}, "num_samples 1"),
        ({"data": {"read": np.zeros((4, 32, 32, 3), np.uint8)}}, '"read"'),
        ({"data": [np.zeros((32, 32, 3), np.uint8)]}, "data (list)"),
        ({"data": {"mnist": "x"}, "domains": {"mnistm": "x"}}, "domains and data"),
    ],
    ids=[
        "no data",
        "unknown domain",
        "no metric",
        "too few samples",
        "unknown domain in memory",
        "data of no domain",
        "both",
    ],
)
def test_a_wrong_request_is_refused(digits: Path, wrong: dict[str, Any], asked: str) -> None:
    given = {key: digits if value == "{digits}" else value for key, value in wrong.items()}
    with pytest.raises(UsageError) as caught:
        zoo.evaluate(MODEL, **given, precision="float32")
    assert asked in (caught.value.asked or "")


def in_memory(digits: Path) -> dict[str, np.ndarray]:
    """(6, 32, 32, 3) the pictures of each domain."""
    return {
        name: np.stack([np.asarray(Image.open(path)) for path in sorted((digits / name).iterdir())])
        for name in ("mnist", "mnistm")
    }


FORMS: dict[str, Any] = {
    "arrays": lambda x: x,
    "tensors": lambda x: torch.from_numpy(x).permute(0, 3, 1, 2),  # (N, 3, H, W)
    "data sets of torch": lambda x: TensorDataset(torch.from_numpy(x).permute(0, 3, 1, 2)),
    "lists of images": lambda x: [Image.fromarray(each) for each in x],
}


@pytest.mark.parametrize("form", FORMS)
def test_data_in_memory_has_the_figures_of_the_folder(digits: Path, form: str) -> None:
    settings: dict[str, Any] = {
        "paired": True,  # place for place, as name for name
        "metrics": ["l1", "cycle"],
        "precision": "float32",
    }
    wanted = zoo.evaluate(MODEL, data=digits, **settings)
    data = {name: FORMS[form](pictures) for name, pictures in in_memory(digits).items()}
    found = zoo.evaluate(MODEL, domains=data, **settings)
    assert found.directions == wanted.directions
    assert found.protocol["data"] != wanted.protocol["data"]  # where they come from is said


def test_data_in_memory_may_be_given_as_data(digits: Path) -> None:
    data = in_memory(digits)
    given: dict[str, Any] = {"metrics": ["cycle"], "num_samples": 2, "precision": "float32"}
    first, second = (zoo.evaluate(MODEL, **{key: data}, **given) for key in ("domains", "data"))
    assert first.directions == second.directions


def test_floats_have_the_figures_of_the_bytes_that_they_stand_for(digits: Path) -> None:
    data = in_memory(digits)
    given: dict[str, Any] = {"metrics": ["cycle"], "num_samples": 2, "precision": "float32"}
    wanted = zoo.evaluate(MODEL, domains=data, **given)
    floats = {name: pictures / 255 for name, pictures in data.items()}
    ranges = dict.fromkeys(floats, "0,1")
    found = zoo.evaluate(MODEL, domains=floats, ranges=ranges, **given)
    assert found.directions == wanted.directions


WRONG: dict[str, tuple[Any, type[ZooError], str]] = {
    "one picture": (np.zeros((32, 32, 3), np.uint8), UsageError, "(32, 32, 3)"),
    "five channels": (np.zeros((4, 32, 32, 5), np.uint8), DataError, "(32, 32, 5)"),
    "complex numbers": (np.zeros((4, 32, 32, 3), np.complex64), DataError, "complex64"),
    "floats without a range": (np.zeros((4, 32, 32, 3), np.float32), UsageError, "float32"),
    "nothing": ([], DataError, '"mnist"'),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_data_in_memory_is_named(digits: Path, case: str) -> None:
    data, error, named = WRONG[case]
    with pytest.raises(error) as caught:
        zoo.evaluate(MODEL, domains=in_memory(digits) | {"mnist": data}, precision="float32")
    assert named in f"{caught.value.asked} {caught.value.problem}"
