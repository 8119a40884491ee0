"""``benchmarks/depth.py``: the curve of content against depth, drawn from measured cells."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from zoo_evaluate.bench.protocol import ClassifierConfig, Task

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "depth.py"


@pytest.fixture
def depth(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, on a benchmark of a few pictures."""
    spec = importlib.util.spec_from_file_location("depth", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    digits = replace(
        module.DIGITS,
        sources={name: f"{{root}}/{name}" for name in ("dark", "light")},
        tasks=(Task("dark-light", ("dark", "light")),),
        size=16,
        judges=(
            ClassifierConfig("content-dark", "content", ("dark",), steps=2, batch=4),
            ClassifierConfig("content-light", "content", ("light",), steps=2, batch=4),
            ClassifierConfig("domain-dark-light", "domain", ("dark", "light"), steps=2, batch=4),
            ClassifierConfig(
                "source-dark", "content", ("dark",), 2, 4, widths=(4, 8), role="source"
            ),
            ClassifierConfig(
                "source-light", "content", ("light",), 2, 4, widths=(4, 8), role="source"
            ),
        ),
        inputs=4,
        held=2,
        snapshots=1,
    )
    monkeypatch.setattr(module, "DIGITS", digits)
    return module


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for domain in ("dark", "light"):
        for split in ("train", "test"):
            for label in ("0", "1"):
                place = tmp_path / "data" / domain / split / label
                place.mkdir(parents=True)
                for number in range(3):
                    pixels = rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)
                    Image.fromarray(pixels).save(place / f"{domain}{number}.png")
    return tmp_path / "data"


def measure(depth: ModuleType, root: Path, place: Path) -> list[dict[str, Any]]:
    given = {"depths": "2,3", "tasks": "dark-light", "steps": 2, "device": "cpu"}
    given |= {"data": root, "work": place / "work", "out": place / "out"}
    words = [part for key, value in given.items() for part in (f"--{key}", str(value))]
    done = CliRunner().invoke(depth.main, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    cells: list[dict[str, Any]] = json.loads((place / "out/shallow-depth.json").read_text())[
        "cells"
    ]
    return cells


def test_every_depth_is_measured_in_both_directions_and_shown(
    depth: ModuleType, root: Path, tmp_path: Path
) -> None:
    cells = measure(depth, root, tmp_path)
    ways = ("dark->light", "light->dark")
    assert {(c["depth"], c["direction"]) for c in cells} == {(d, w) for d in (2, 3) for w in ways}
    assert len({cell["parameters"] for cell in cells}) == 2
    page = (tmp_path / "out" / "shallow-depth.md").read_text()
    for cell in cells:
        assert f"| {cell['direction']} | {cell['depth']} | {cell['parameters']:,} |" in page
    drawing = ElementTree.parse(tmp_path / "out" / "shallow-depth.svg")
    dots = drawing.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(dots) == len(cells) * len(depth.SHARES)
