"""Domains are called as people call them; nets and files have a safe form of that."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import zoo
from zoo_core import cli
from zoo_core.contracts.interfaces import Nets, safe_name
from zoo_core.contracts.signals import Domains
from zoo_core.host.plugins import host
from zoo_core.models.weights import net_state
from zoo_testing.session import Session
from zoo_testing.subject import Subject, subjects

ODD = ("Dr. Nó/day", "50 % 夜 (a\\b)", "v1.0 → v2.0")
SUBJECTS = [subject for name in sorted(host().methods()) for subject in subjects(name, host())]


class OddSubject(Subject):
    """A method between domains of odd names."""

    @cached_property
    def domains(self) -> Domains:
        usual = super().domains
        to = dict(zip(usual.names, ODD, strict=False))
        groups = tuple(tuple(to[name] for name in group) for group in usual.exclusive)
        return replace(usual, names=tuple(to.values()), exclusive=groups)


def test_every_installed_method_is_tried():
    assert {"cyclegan", "stargan", "cyclegan-vc"} <= {subject.name for subject in SUBJECTS}


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda s: f"{s.name}-{s.kind}")
def test_every_method_trains_between_domains_of_any_name(subject):
    odd = OddSubject(subject.spec, subject.kind, subject.entry, subject.known)
    session = Session(odd)
    session.step()
    method = session.method
    assert set(method.inference_nets) <= set(method.nets)
    assert {name for player in session.players for name in player.nets} <= set(method.nets)
    state = net_state(method, tuple(method.nets))
    assert not [key for key in state if set("/\\{} ") & set(key.split(".")[0]) - {" "}]
    assert len(state) == len(net_state(subject.build(), tuple(subject.build().nets)))


def test_names_that_differ_in_odd_signs_alone_stay_apart():
    assert len({safe_name(name) for name in ("a.b", "a/b", "a_b")}) == 3
    assert safe_name("generator_noto") == "generator_noto"


def test_nets_are_found_by_their_own_names():
    import torch

    nets = Nets({"critic_a.b": torch.nn.Linear(1, 1), "critic_c": torch.nn.Linear(1, 1)})
    assert list(nets) == list(nets.keys()) == ["critic_a.b", "critic_c"]
    assert "critic_a.b" in nets
    assert nets["critic_a.b"] is dict(nets.items())["critic_a.b"]
    del nets["critic_a.b"]
    assert list(nets) == ["critic_c"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of one step between the first two odd names."""
    root = tmp_path_factory.mktemp("odd")
    domains = []
    for at, name in enumerate(ODD[:2]):
        for number in range(2):
            path = root / str(at) / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.new("RGB", (16, 16), (90 * at, 50 * number, 0)).save(path)
        domains += ["--domain", f"{name}={root / str(at)}"]
    asked = ["train", "cyclegan", "--preset", "32px", "--size", "16", "--batch", "2"]
    asked += ["--steps", "1", "--device", "cpu", "--precision", "float32", "--quiet"]
    for option in ("width=4", "blocks=1", "critic_width=4", "critic_layers=1"):
        asked += ["--set", option]
    result = CliRunner().invoke(
        cli.cli, [*asked, *domains, "--out", str(root / "run")], catch_exceptions=False
    )
    assert result.exit_code == 0
    return root / "run" / "model"


def test_a_model_of_odd_names_is_loaded_and_translates(model):
    translator = zoo.load(model, precision="float32")
    assert tuple(translator.domains) == ODD[:2]
    assert translator(np.zeros((16, 16, 3), np.uint8), to=ODD[0]).shape == (16, 16, 3)


def test_files_of_odd_domains_have_safe_names(model, tmp_path):
    Image.new("RGB", (16, 16)).save(tmp_path / "x.png")
    asked = ["translate", str(model), str(tmp_path / "x.png"), "--to", "all"]
    result = CliRunner().invoke(
        cli.cli, [*asked, "--out", str(tmp_path / "out")], catch_exceptions=False
    )
    assert result.exit_code == 0
    written = [path.name for path in (tmp_path / "out").rglob("*.png")]
    assert len(written) == 2
    assert all(path.startswith("x_") for path in written)
