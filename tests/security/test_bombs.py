"""Small files that ask for large amounts: each ends within 10 s and 1.5 GiB, with a message."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from bombs import (
    CHECKPOINTS,
    PICTURES,
    RECORDINGS,
    SIX_GB,
    aliases,
    circular_tiff,
    sparse,
    sparse_safetensors,
)
from bounded import Ending, endings
from PIL import Image

from zoo_core.errors import WeightsError, ZooError
from zoo_core.models.card import read_card
from zoo_images.decode import open_file
from zoo_nn.nets.classifier import Classifier
from zoo_testing.hub_server import Claim, Endless, HubServer

Endings = dict[str, Ending]
WITH = ("--to", "b", "--precision", "float32", "--device", "cpu", "--out", "out")
VITS = "timm:vit_giant_patch14_dinov2"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, small_model: Path) -> Path:
    """A folder with an ordinary model and an ordinary picture."""
    place = tmp_path_factory.mktemp("bombs")
    shutil.copytree(small_model, place / "model")
    Image.fromarray(np.full((32, 32, 3), 99, np.uint8)).save(place / "cat.png")
    return place


def spoilt(place: Path, name: str, spoil: Callable[[Path], object]) -> Path:
    """A copy of the model of which one thing is wrong."""
    copy = Path(shutil.copytree(place / "model", place / "models" / name))
    spoil(copy)
    return copy


def edited(**changes: Any) -> Callable[[Path], None]:
    """Changes the configuration of a model; ``options`` are added to its own."""

    def edit(model: Path) -> None:
        values = yaml.safe_load((model / "config.yaml").read_text())
        options = changes.get("options", {})
        own = {} if "method" in changes else values["options"]
        values |= {**changes, "options": own | options}
        (model / "config.yaml").write_text(yaml.safe_dump(values))

    return edit


@pytest.fixture(scope="module")
def of_pictures(place: Path) -> Endings:
    for name, make in PICTURES.items():
        make(place / name)
    return endings({name: ["translate", "model", name, *WITH] for name in PICTURES}, place)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_that_is_a_bomb_is_refused(name: str, of_pictures: Endings, place: Path) -> None:
    of_pictures[name].require_refused(name)
    assert not list((place / "out").glob(f"{Path(name).stem}*"))


def test_pages_that_lead_back_to_earlier_ones_end(tmp_path: Path) -> None:
    circular_tiff(tmp_path / "circle.tiff")
    assert len(open_file(tmp_path / "circle.tiff")) == 1


@pytest.fixture(scope="module")
def of_checkpoints(place: Path) -> Endings:
    for name, make in CHECKPOINTS.items():
        make(place / name)
    return endings({n: ["import", n, "--out", f"made/{n}"] for n in CHECKPOINTS}, place)


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_checkpoint_that_is_a_bomb_is_refused(
    name: str, of_checkpoints: Endings, place: Path
) -> None:
    of_checkpoints[name].require_refused(name)
    assert not (place / "made" / name).exists()


@pytest.fixture(scope="module")
def of_recordings(place: Path) -> Endings:
    for name, make in RECORDINGS.items():
        make(place / name)
    command = ["translate", "cyclegan-vc-fsdd", "--to", "nicolas", "--out", "out"]
    return endings({name: [*command, name] for name in RECORDINGS}, place)


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_recording_that_is_a_bomb_is_refused(name: str, of_recordings: Endings) -> None:
    of_recordings[name].require_refused(name)


MODELS: dict[str, tuple[Callable[[Path], object], str]] = {
    "giant card": (lambda m: sparse(m / "README.md", SIX_GB, b"---\n"), "ZOO_MAX_TEXT"),
    "giant configuration": (lambda m: sparse(m / "config.yaml", SIX_GB, b"a: "), "ZOO_MAX_TEXT"),
    "giant weights": (lambda m: sparse_safetensors(m / "model.safetensors"), "ZOO_MAX_PARAMETERS"),
    "giant header": (
        lambda m: sparse(m / "model.safetensors", SIX_GB, struct.pack("<Q", SIX_GB - 8)),
        "header",
    ),
    "aliases": (lambda m: (m / "config.yaml").write_text(aliases()), "alias"),
    "blocks without end": (edited(options={"blocks": 1_000_000}), "layers"),
    "negative width": (edited(options={"width": -8}), "width"),
    "width beyond numbers": (edited(options={"width": 1e30}), "width"),
    "width beyond memory": (edited(options={"width": 100_000}), "ZOO_MAX_PARAMETERS"),
    "halvings without end": (edited(options={"halvings": 60}), "halvings"),
    "a net of timm": (edited(method="dtn", options={"f": VITS}), "a model holds all"),
    "a net of the Hub": (edited(method="dtn", options={"f": "timm:resnet18"}), "a model holds all"),
    "a judge of this machine": (edited(method="dtn", options={"f": "judge:x"}), "a model holds"),
    "a giant form": (
        edited(method="dtn", options={"f": {"timm": "vit_giant_patch14_dinov2"}}),
        "ZOO_MAX_PARAMETERS",
    ),
    "sides without end": (
        edited(signal={"kind": "image", "shape": [3, 2**40, 2**40], "stride": 4, "flexible": 2}),
        "numbers in one signal",
    ),
}
"""What is wrong with a model, and what the message says."""


@pytest.fixture(scope="module")
def of_models(place: Path) -> Endings:
    commands = {}
    for name, (spoil, _) in MODELS.items():
        model = spoilt(place, name, spoil)
        commands[name] = ["translate", model, "cat.png", *WITH]
    return endings(commands, place, environment={"HF_ENDPOINT": "http://127.0.0.1:9"})


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_is_a_bomb_is_refused(name: str, of_models: Endings) -> None:
    of_models[name].require_refused(MODELS[name][1])


def test_aliases_in_the_card_do_not_multiply() -> None:
    with pytest.raises(WeightsError) as caught:
        read_card(f"---\n{aliases()}---\n\n# A model\n", "card of a stranger")
    assert "alias" in caught.value.problem


@pytest.mark.parametrize(
    "card", [{"widths": [10**5] * 4}, {"architecture": VITS}, {"sha256": None}, {}]
)
def test_a_judge_beyond_memory_is_refused(card: dict[str, Any], tmp_path: Path) -> None:
    header = b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    weights = struct.pack("<Q", len(header)) + header + bytes(4)
    (tmp_path / "judge.safetensors").write_bytes(weights)
    values = {"format": 1, "classes": ["a", "b"], "size": 32, "task": "domain"}
    values |= {"sha256": sha256(weights).hexdigest(), **card}
    text = aliases() if card == {} else yaml.safe_dump(values)
    (tmp_path / "judge.yaml").write_text(text)
    with pytest.raises(ZooError) as caught:
        Classifier.load(tmp_path)
    assert str(tmp_path) in str(caught.value.asked)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_download_without_an_announced_end_stops(
    compressed: bool, hub: HubServer, place: Path, tmp_path: Path
) -> None:
    names = ("config.yaml", "model.safetensors", "README.md")
    hub.add("org/name", {name: (place / "model" / name).read_bytes() for name in names})
    hub.misbehave(Claim({"Content-Length": None}), method="HEAD", path="model.safetensors")
    hub.misbehave(Endless(compressed=compressed), method="GET", path="model.safetensors")
    shutil.copyfile(place / "cat.png", tmp_path / "cat.png")
    command = {"org": ["translate", "org/name", "cat.png", *WITH]}
    ending = endings(command, tmp_path, environment={"ZOO_MAX_DOWNLOAD": "50000000"})["org"]
    ending.require_refused("org/name")
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in kept) < 1_000_000


@pytest.mark.slow
def test_an_ordinary_large_picture_is_translated(place: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (30, 40, 3), np.uint8).repeat(100, 0).repeat(100, 1)
    Image.fromarray(pixels).save(tmp_path / "large.jpg", quality=80)
    ending = endings(
        {"large": ["translate", place / "model", "large.jpg", *WITH]}, tmp_path, patience=1200
    )["large"]
    assert ending.code == 0, ending
    (made,) = (tmp_path / "out").glob("large*.png")
    with Image.open(made) as image:
        assert image.size == (4_000, 3_000)
    assert ending.bytes < 3 * 2**30


@pytest.mark.slow
def test_a_recording_of_ten_minutes_is_translated(tmp_path: Path) -> None:
    import soundfile

    examples = Path(__file__).parents[2] / "examples/voice/jackson"
    spoken, rate = soundfile.read(next(examples.glob("*.wav")))
    soundfile.write(tmp_path / "long.wav", np.resize(spoken, 600 * rate), rate)
    command = ["translate", "cyclegan-vc-fsdd", "long.wav", "--to", "nicolas", "--out", "out"]
    ending = endings({"long": command}, tmp_path, patience=1800)["long"]
    assert ending.code == 0, ending
    (made,) = (tmp_path / "out").glob("long*.wav")
    assert abs(soundfile.info(made).duration - 600) < 1
    assert ending.bytes < 2 * 2**30
