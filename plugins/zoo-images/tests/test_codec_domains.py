"""A codec is told the domains of what it reads and of what it puts together."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.translate.translator import Translator
from zoo_images.codec import ImageCodec
from zoo_train.data.dataset import open_sources

pytestmark = pytest.mark.numeric


class Telling(ImageCodec):
    """Notes what it is told."""

    def __init__(self, spec: TensorSpec) -> None:
        super().__init__(spec)
        self.sources: list[str | None] = []
        self.targets: list[str | None] = []
        self.opened: list[str | None] = []

    def windows(self, item: Any, *, source: str | None = None, **options: Any) -> Any:
        self.sources.append(source)
        return super().windows(item, **options)

    def join(self, item: Any, outputs: Any, *, target: str | None = None) -> Any:
        self.targets.append(target)
        return super().join(item, outputs)

    def open(self, files: Any, config: Any, *, domain: str | None = None, **options: Any) -> Any:
        self.opened.append(domain)
        return super().open(files, config, **options)


def telling(translator: Translator) -> Telling:
    translator.codec = codec = Telling(translator.codec.spec)
    return codec


@pytest.fixture
def pair(tmp_path: Path, write_tiny: Any, code_config: Any) -> Translator:
    return zoo.load(write_tiny(tmp_path / "pair", code_config), precision="float32")


@pytest.fixture
def several(tiny_model: Path) -> Translator:
    return zoo.load(tiny_model, precision="float32")


def test_of_two_domains_the_input_is_of_the_other(pair: Translator, picture: Any) -> None:
    codec = telling(pair)
    pair(picture(9, 9), to="night")
    assert (set(codec.sources), codec.targets) == ({"day"}, ["night"])


def test_the_source_is_what_the_user_says(several: Translator, picture: Any) -> None:
    codec = telling(several)
    several(picture(9, 9), to="all", source="noto")
    assert (set(codec.sources), codec.targets) == ({"noto"}, ["apple", "twemoji"])


def test_a_source_that_nobody_named_is_not_guessed(several: Translator, picture: Any) -> None:
    codec = telling(several)
    several(picture(9, 9), to="noto")
    assert (set(codec.sources), codec.targets) == ({None}, ["noto"])


def test_on_the_way_back_the_output_is_of_the_source(pair: Translator, picture: Any) -> None:
    codec = telling(pair)
    pair.cycle(picture(9, 9), to="night")
    assert (set(codec.sources), codec.targets) == ({"day"}, ["night", "day"])


def test_an_input_of_many_windows_is_joined_for_its_target(pair: Translator, picture: Any) -> None:
    codec = telling(pair)
    pair(picture(300, 20), to="night", limit=5000)
    assert codec.targets == ["night"]


def test_attributes_are_no_domains(
    tmp_path: Path, write_tiny: Any, attribute_config: Any, picture: Any
) -> None:
    translator = zoo.load(write_tiny(tmp_path / "edits", attribute_config), precision="float32")
    codec = telling(translator)
    translator(picture(9, 9), to="Blond", source={"Male": 1})
    assert (set(codec.sources), codec.targets) == ({None}, [None])


def test_each_source_of_data_is_opened_as_its_domain(tmp_path: Path) -> None:
    for name in ("day", "night"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / name / "a.png")
    codec = Telling(TensorSpec(shape=(3, 8, 8)))
    open_sources({}, codec=codec, config=TrainConfig(), data=str(tmp_path))
    assert codec.opened == ["day", "night"]
