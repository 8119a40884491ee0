"""Bad input of every kind: what was asked, what is wrong, what to do; never a traceback."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file, save_file

from zoo_core.catalogue.description import ModelConfig
from zoo_core.catalogue.registry import Registry
from zoo_core.cli import run
from zoo_core.contracts.signals import Domains, TensorSpec
from zoo_core.models.modeldir import build_method
from zoo_train.card import Card
from zoo_train.writing import write_model

TINY = {"width": 4, "blocks": 1, "critic_width": 4, "critic_layers": 2}
TRAIN = ["train", "stargan", "--preset", "32px", "--steps", "2", "--out", "run"]
PAIR = ["--domain", "a=one", "--domain", "b=two"]
TRANSLATE = ["translate", "model", "good.png", "--to", "b"]


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, a good picture and two folders of pictures."""
    place = tmp_path_factory.mktemp("kit")
    config = ModelConfig("stargan", TINY, Domains(("a", "b")), TensorSpec(shape=(3, 16, 16)))
    torch.manual_seed(0)
    write_model(place / "model", build_method(config), config, card=Card("tiny"))
    rng = np.random.default_rng(0)
    for name in ("good.png", "one/1.png", "one/2.png", "two/1.png", "two/2.png"):
        path = place / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(path)
    return place


@pytest.fixture
def place(kit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(kit, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def nothing(place: Path) -> None:
    """The request alone is wrong."""


def truncated(suffix: str) -> Callable[[Path], None]:
    def prepare(place: Path) -> None:
        Image.open(place / "good.png").resize((300, 300)).save(place / f"bad{suffix}")
        data = (place / f"bad{suffix}").read_bytes()
        (place / f"bad{suffix}").write_bytes(data[: len(data) // 2])

    return prepare


def write(name: str, content: str | bytes) -> Callable[[Path], None]:
    def prepare(place: Path) -> None:
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    return prepare


def bomb(place: Path) -> None:
    Image.new("1", (40_000, 40_000)).save(place / "bad.png")


def edit_config(change: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    def prepare(place: Path) -> None:
        path = place / "model" / "config.yaml"
        values = yaml.safe_load(path.read_text())
        change(values)
        path.write_text(yaml.safe_dump(values))

    return prepare


def edit_weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def prepare(place: Path) -> None:
        path = place / "model" / "model.safetensors"
        tensors = load_file(path)
        change(tensors)
        path.unlink()
        save_file(tensors, path)

    return prepare


def first(tensors: dict[str, torch.Tensor]) -> str:
    return sorted(tensors)[0]


def cut_weights(place: Path) -> None:
    path = place / "model" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def garble_weights(place: Path) -> None:
    (place / "model" / "model.safetensors").write_bytes(b"\xff" * 500)


def remove(name: str) -> Callable[[Path], None]:
    return lambda place: (place / name).unlink()


@dataclass(frozen=True)
class Case:
    """What is done, and what the message must name."""

    name: str
    command: list[str]
    says: tuple[str, ...]
    prepare: Callable[[Path], None] = nothing
    code: tuple[int, ...] = (1, 2)


CASES = [
    Case("missing file", ["translate", "model", "none.png", "--to", "b"], ("none.png",)),
    Case(
        "text as image",
        ["translate", "model", "bad.png", "--to", "b"],
        ("bad.png",),
        write("bad.png", "I am a letter"),
        (1,),
    ),
    Case(
        "truncated PNG",
        ["translate", "model", "bad.png", "--to", "b"],
        ("bad.png",),
        truncated(".png"),
        (1,),
    ),
    Case(
        "truncated JPEG",
        ["translate", "model", "bad.jpg", "--to", "b"],
        ("bad.jpg",),
        truncated(".jpg"),
        (1,),
    ),
    Case(
        "decompression bomb",
        ["translate", "model", "bad.png", "--to", "b"],
        ("bad.png",),
        bomb,
        (1,),
    ),
    Case(
        "zero-size file",
        ["translate", "model", "bad.png", "--to", "b"],
        ("bad.png", "empty"),
        write("bad.png", b""),
        (1,),
    ),
    Case(
        "empty folder",
        ["translate", "model", "empty", "--to", "b"],
        ("empty",),
        lambda place: (place / "empty").mkdir(),
    ),
    Case(
        "unknown model",
        ["translate", "stargan-emojy", "good.png", "--to", "b"],
        ("stargan-emojy", "zoo list"),
        code=(2,),
    ),
    Case("unknown domain", [*TRANSLATE[:-1], "c"], ('"c"', "a, b"), code=(2,)),
    Case("no target", TRANSLATE[:-2], ("--to",), code=(2,)),
    Case(
        "output below a file",
        [*TRANSLATE, "--out", "good.png/deep"],
        ("good.png",),
    ),
    Case("size of nothing", [*TRANSLATE, "--size", "0"], ("--size",), code=(2,)),
    Case("batch of words", [*TRANSLATE, "--batch", "many"], ("--batch", "many"), code=(2,)),
    Case("unknown device", [*TRANSLATE, "--device", "abacus"], ("abacus",), code=(2,)),
    Case("unknown precision", [*TRANSLATE, "--precision", "int3"], ("int3",), code=(2,)),
    Case("truncated weights", TRANSLATE, ("model.safetensors",), cut_weights, (1,)),
    Case("garbled weights", TRANSLATE, ("model.safetensors",), garble_weights, (1,)),
    Case("missing weights", TRANSLATE, ("model.safetensors",), remove("model/model.safetensors")),
    Case(
        "NaN weights",
        TRANSLATE,
        ("model.safetensors", "finite"),
        edit_weights(lambda t: t[first(t)].view(-1)[0].fill_(float("nan"))),
        (1,),
    ),
    Case(
        "misshapen weights",
        TRANSLATE,
        ("model.safetensors", "shape"),
        edit_weights(lambda t: t.update({first(t): torch.zeros(3)})),
        (1,),
    ),
    Case(
        "a weight too few", TRANSLATE, ("missing",), edit_weights(lambda t: t.pop(first(t))), (1,)
    ),
    Case(
        "a weight too many",
        TRANSLATE,
        ("stranger",),
        edit_weights(lambda t: t.update({"generator.stranger": torch.zeros(1)})),
        (1,),
    ),
    Case("missing configuration", TRANSLATE, ("config.yaml",), remove("model/config.yaml")),
    Case(
        "configuration that is not YAML",
        TRANSLATE,
        ("config.yaml",),
        write("model/config.yaml", "{{{"),
    ),
    Case(
        "configuration with an unknown key",
        TRANSLATE,
        ("colour",),
        edit_config(lambda values: values.update(colour="red")),
    ),
    Case(
        "configuration of an unknown method",
        TRANSLATE,
        ("stargann", "stargan"),
        edit_config(lambda values: values.update(method="stargann")),
    ),
    Case(
        "unknown method",
        ["train", "stargam", *PAIR, "--out", "run"],
        ("stargam", "stargan"),
        code=(2,),
    ),
    Case("unknown option", [*TRAIN, *PAIR, "--set", "widht=8"], ("widht", "width"), code=(2,)),
    Case(
        "option of the wrong type",
        [*TRAIN, *PAIR, "--set", "width=wide"],
        ("width", "wide"),
        code=(2,),
    ),
    Case("option without a value", [*TRAIN, *PAIR, "--set", "width"], ("width",), code=(2,)),
    Case(
        "unknown preset",
        ["train", "stargan", *PAIR, "--out", "run", "--preset", "65px"],
        ("65px", "64px"),
        code=(2,),
    ),
    Case("domain without a source", [*TRAIN, "--domain", "a"], ("--domain",), code=(2,)),
    Case("domain named twice", [*TRAIN, "--domain", "a=one", "--domain", "a=two"], ("a",)),
    Case("one domain only", [*TRAIN, "--domain", "a=one"], ("domain",)),
    Case("missing source", [*TRAIN, "--domain", "a=one", "--domain", "b=none"], ("none",)),
    Case(
        "source without pictures",
        [*TRAIN, "--domain", "a=one", "--domain", "b=texts"],
        ("texts",),
        write("texts/letter.txt", "hello"),
    ),
    Case(
        "too many domains",
        ["train", "cyclegan", *PAIR, "--domain", "c=one", "--out", "run"],
        ("at most 2", "zoo list --methods"),
    ),
    Case("unknown loss", [*TRAIN, *PAIR, "--loss", "cicle"], ("cicle",), code=(2,)),
    Case("no steps", [*TRAIN[:-4], "--steps", "0", "--out", "run", *PAIR], ("--steps",), code=(2,)),
    Case("missing settings file", [*TRAIN, *PAIR, "--config", "none.yaml"], ("none.yaml",)),
    Case(
        "settings with an unknown key",
        [*TRAIN, *PAIR, "--config", "settings.yaml"],
        ("colour",),
        write("settings.yaml", "colour: red\n"),
    ),
    Case(
        "run that exists",
        [*TRAIN, *PAIR],
        ("run", "--resume"),
        write("run/config.yaml", "method: stargan\n"),
    ),
    Case("nothing to resume", ["train", "--resume", "none"], ("none",)),
    Case(
        "unknown metric",
        ["evaluate", "model", *PAIR, "--metrics", "beauty"],
        ("beauty",),
        code=(2,),
    ),
    Case("missing judge", ["evaluate", "model", *PAIR, "--judge", "none"], ("none",)),
    Case("information on nothing", ["info", "cyclegam"], ("cyclegam", "cyclegan"), code=(2,)),
    Case("check of nothing", ["check", "cyclegam"], ("cyclegam", "cyclegan"), code=(2,)),
    Case("package with a bad name", ["new", "Über Methode!"], ("Über Methode!",), code=(2,)),
    Case("unknown command", ["translat", "x"], ("translat", "translate"), code=(2,)),
]


def test_there_are_many_kinds_of_bad_input() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 25


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_gets_a_message_that_helps(
    case: Case, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case.prepare(place)
    code = run(case.command)
    captured = capsys.readouterr()
    said = " ".join((captured.out + captured.err).split())
    assert code in case.code, said
    for part in case.says:
        assert part in said
    assert "Traceback" not in said
    assert not list(place.glob("translated/*")), "a failed request leaves no output"


def test_other_pictures_are_done_when_one_is_broken(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "one" / "bad.png").write_text("I am a letter")
    assert run(["translate", "model", "one", "--to", "b"]) == 1
    assert len(list((place / "translated").glob("*.png"))) == 2
    assert "bad.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("models: [{id: x, task: y, weights: {source: hub}, colour: red}]", "colour"),
        ("models: [", "registry.yaml"),
        ("- 1\n- 2\n", "registry.yaml"),
    ],
    ids=["unknown key", "not YAML", "not a mapping"],
)
def test_bad_registry_is_refused_with_its_file(tmp_path: Path, text: str, says: str) -> None:
    from zoo_core.catalogue.description import read_entries
    from zoo_core.errors import ZooError

    path = tmp_path / "registry.yaml"
    path.write_text(text)
    with pytest.raises(ZooError, match=says):
        read_entries(path)


def test_damaged_embedded_weights_are_refused(tmp_path: Path) -> None:
    from zoo_core.errors import WeightsError
    from zoo_core.untrusted import verify

    models = [model for model in Registry.load().models.values() if model.installed]
    embedded = [model for model in models if model.entry.weights.path is not None]
    assert embedded
    for model in embedded:
        weights = model.entry.weights
        path = model.embedded
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        damaged = tmp_path / "damaged.safetensors"
        damaged.write_bytes(data)
        with pytest.raises(WeightsError, match=r"sha256|hash"):
            verify(damaged, sha256=weights.sha256, size=weights.bytes)
