"""A distance of six pictures says nothing, and says so (case 25)."""

import json

import numpy as np
import pytest
from PIL import Image

from zoo_core.cli import run


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with six pictures of each of two domains, and a judge of them."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name, base in (("noto", 20), ("twemoji", 150)):
        (tmp_path / "data" / name).mkdir(parents=True)
        for index in range(6):
            pixels = (rng.integers(0, 100, (32, 32, 3)) + base).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{name}{index}.png")
    train = ["judge", "train", "--task", "domain", "--data", "data", "--steps", "3", "--batch", "4"]
    assert run([*train, "--out", "judge"]) == 0
    return tmp_path


EVALUATE = ["evaluate", "stargan-emoji", "--data", "data", "--split", "all", "--metrics", "fid,kid"]
EVALUATE += ["--extractor", "judge:judge", "--precision", "float32"]


def test_case_25_a_distance_of_six_pictures_is_refused_with_the_fewest_stated(place, capsys):
    assert run(EVALUATE) == 2
    shown = capsys.readouterr().err
    assert "6 real" in shown
    assert "50" in shown
    assert "--allow-few" in shown


def test_case_25_with_permission_it_has_extractor_size_counts_and_interval(place, capsys):
    capsys.readouterr()
    assert run([*EVALUATE, "--allow-few", "--json", "figures.json"]) == 0
    shown = capsys.readouterr().out
    report = json.loads((place / "figures.json").read_text(encoding="utf-8"))
    for direction, values in report["directions"].items():
        title = report["names"][direction]["fid"]
        assert title.startswith("FID (judge:judge ")
        assert title.endswith(", 6 against 6)")
        assert f"{direction}: {title}" in shown
        assert values["fid_low"] <= values["fid"] <= values["fid_high"]
    assert "than features" in shown
