"""Conversions of foreign weights: what they are made of, how they are kept, what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Literal

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from zoo_core.catalogue.description import (
    Licence,
    MetricValue,
    ModelConfig,
    ModelEntry,
    Weights,
)
from zoo_core.contracts.component import Component, MethodSpec
from zoo_core.contracts.signals import MIXED, Condition, Domains, TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import UsageError, WeightsError
from zoo_core.models.modeldir import read_config
from zoo_core.untrusted import file_sha256, read_yaml_file
from zoo_images.codec import ImageCodec
from zoo_import import convert
from zoo_import.contract import ForeignNet, Importer, Shapes
from zoo_import.convert import converted, import_unregistered, write_import
from zoo_nn.synthetic import random_batch
from zoo_testing.hosts import InMemoryPlugin, host_with
from zoo_testing.tiny import SPEC, TinyGenerator, TinyMethod
from zoo_train.card import Card

SIGNAL = TensorSpec(shape=(3, 64, 16), stride=3)


def same(key: str) -> str:
    return key


class Published(Importer):
    """A tiny generator, whose file tells how many domains there are."""

    method = "tiny"
    signal: ClassVar[TensorSpec] = SIGNAL
    scale: ClassVar[Literal["own", "trained", "whole"]] = "whole"

    def parts(self, shapes: Shapes) -> Sequence[ForeignNet]:
        width, channels = shapes["first.weight"][:2] if "first.weight" in shapes else (0, 0)
        return [ForeignNet("generator", same, options={"width": width}, conditions=channels - 3)]


class Attributed(Published):
    """The same for attributes."""

    kind: ClassVar[Literal["domains", "attributes"]] = "attributes"


class Untold(Published):
    """The same, and how many domains there are is not seen."""

    def parts(self, shapes: Shapes) -> Sequence[ForeignNet]:
        return [ForeignNet("generator", same, options={"width": shapes["first.weight"][0]})]


class Enlarging(TinyGenerator):
    """Its output is larger than its input."""

    def forward(self, x: Tensor, condition: Condition) -> Tensor:
        return nn.functional.pad(super().forward(x, condition), (0, 3))  # (N, 3, H, W + 3)


class Overflowing(TinyGenerator):
    """One value of its output is not finite."""

    def forward(self, x: Tensor, condition: Condition) -> Tensor:
        y = super().forward(x, condition)  # (N, 3, H, W)
        y[:, 0, 0, 0] = torch.inf
        return y  # (N, 3, H, W)


class PerDomain(TinyMethod):
    """A method that learns from one part per domain."""

    sampling: ClassVar[Literal["per-domain", "mixed"]] = "per-domain"


class EnlargingMethod(TinyMethod):
    def build(self) -> Mapping[str, nn.Module]:
        return {**super().build(), "generator": Enlarging(len(self.domains), self.options.width)}


class OverflowingMethod(TinyMethod):
    def build(self) -> Mapping[str, nn.Module]:
        return {**super().build(), "generator": Overflowing(len(self.domains), self.options.width)}


def host_of(importer: type[Importer] = Published) -> Any:
    methods = [SPEC] + [
        MethodSpec(
            name=name,
            target=f"{__name__}:{target}",
            summary="For tests",
            domains=(2, None),
            conditions=("domains", "attributes"),
        )
        for name, target in (
            ("enlarging", "EnlargingMethod"),
            ("overflowing", "OverflowingMethod"),
        )
    ]
    layout = Component("importer", "published", f"{__name__}:{importer.__name__}")
    plugin = InMemoryPlugin("tiny", [*methods, layout])
    return host_with(plugin, installed=("images", "nn", "train", "import"))


def state_of(conditions: int = 2, width: int = 3) -> dict[str, Tensor]:
    torch.manual_seed(0)
    return TinyGenerator(conditions, width).state_dict()


def saved(folder: Path, conditions: int = 2, name: str = "weights.pth") -> Path:
    torch.save(state_of(conditions), folder / name)
    return folder / name


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that is not there yet."""
    place = tmp_path / "far" / "cache"
    monkeypatch.setenv("ZOO_CACHE", str(place))
    return place


@pytest.mark.parametrize(
    ("importer", "conditions", "names"),
    [
        (Published, 3, ("a", "b", "c")),
        (Attributed, 3, ("attribute_1", "attribute_2", "attribute_3")),
        (Untold, 2, ("a", "b")),
    ],
)
def test_domains_of_which_a_file_tells_the_number_alone_are_named_in_order(
    importer: type[Importer], conditions: int, names: tuple[str, ...], tmp_path: Path
) -> None:
    path = saved(tmp_path, conditions)
    found = read_config(import_unregistered(path, "someone/model", host=host_of(importer)))
    assert found.domains == Domains(names, importer.kind)


def test_an_unregistered_model_takes_pictures_as_its_layout_says(tmp_path: Path) -> None:
    host = host_of()
    found = read_config(import_unregistered(saved(tmp_path), "someone/model", host=host))
    codec = host.load("codec", "image")
    assert found.preprocessing == codec.preprocessing_for(SIGNAL, TrainConfig(scale="whole"))


def test_the_card_of_an_unregistered_model_says_how_little_is_known(tmp_path: Path) -> None:
    folder = import_unregistered(saved(tmp_path), "someone/model", host=host_of())
    text = (folder / "README.md").read_text()
    assert "# someone/model" in text
    assert "Weights in the layout published, used as tiny." in text
    assert "nobody has said what it was trained on" in text
    assert "license: unknown" in text


def entry(**given: Any) -> ModelEntry:
    weights = Weights(
        source="hub", repo="some/one", file="w.pth", format="published", trust="first-use"
    )
    plain: dict[str, Any] = {
        "config": ModelConfig("tiny", {"width": 3}, Domains(("x", "y")), SIGNAL),
        "weights": weights,
        "licence": Licence(weights="MIT"),
        "summary": "Turns x into y.",
        "provenance": "Made by someone.",
        "metrics": (MetricValue("accuracy", 0.75, "100 pictures"),),
    }
    return ModelEntry(id="tiny-model", task="style", **plain | given)


def test_the_card_of_a_registered_model_has_what_the_registry_says(tmp_path: Path) -> None:
    text = (converted(saved(tmp_path), entry(), host=host_of()).parent / "README.md").read_text()
    for told in ("tiny-model", "Turns x into y.", "license: mit", "Made by someone.", "- style"):
        assert told in text
    assert "| accuracy | 0.75 | – | 100 pictures |" in text


def test_a_conversion_records_the_hash_of_its_file(tmp_path: Path) -> None:
    path = saved(tmp_path)
    weights = converted(path, entry(), host=host_of())
    stamp = read_yaml_file(weights.parent / "converted.yaml")
    assert stamp["source"] == {"sha256": file_sha256(path), "format": "published", "version": 1}
    assert stamp["result"] == {"sha256": file_sha256(weights), "bytes": weights.stat().st_size}


def test_the_hash_that_a_registry_pins_is_not_computed_again(tmp_path: Path) -> None:
    pinned = Weights(
        source="hub", repo="some/one", file="w.pth", format="published",
        revision="1" * 40, sha256="2" * 64,
    )  # fmt: skip
    weights = converted(saved(tmp_path), entry(weights=pinned), host=host_of())
    assert read_yaml_file(weights.parent / "converted.yaml")["source"]["sha256"] == "2" * 64


def test_an_entry_of_the_zoo_s_own_format_is_not_converted(tmp_path: Path) -> None:
    own: Any = SimpleNamespace(id="own", weights=SimpleNamespace(format="published"), config=None)
    with pytest.raises(ValueError, match="own is in the zoo's own format"):
        converted(saved(tmp_path), own, host=host_of())


def test_a_file_that_contradicts_its_entry_is_refused(tmp_path: Path, cache: Path) -> None:
    wide = ModelConfig("tiny", {"width": 5}, Domains(("x", "y")), SIGNAL)
    with pytest.raises(WeightsError) as caught:
        converted(saved(tmp_path), entry(config=wide), host=host_of())
    assert caught.value.asked == 'model "tiny-model"'
    assert caught.value.problem.splitlines()[1:] == ["  width: 3 in the file, 5 in the registry"]
    assert not list(cache.rglob("model.safetensors"))


def test_another_file_of_the_same_name_is_another_conversion(tmp_path: Path) -> None:
    first = import_unregistered(saved(tmp_path), "someone/model", host=host_of())
    state = {key: value + 1 for key, value in state_of().items()}
    torch.save(state, tmp_path / "weights.pth")
    second = import_unregistered(tmp_path / "weights.pth", "someone/model", host=host_of())
    assert first.is_dir()
    assert first != second


def test_a_conversion_that_is_kept_is_found_without_writing_anything(tmp_path: Path) -> None:
    path, host = saved(tmp_path), host_of()
    folder = import_unregistered(path, "someone/model", host=host)
    for lock in folder.parent.glob("*.lock"):
        lock.unlink()
    before = {each: each.stat().st_mtime_ns for each in folder.parent.rglob("*")}
    assert import_unregistered(path, "someone/model", host=host) == folder
    assert {each: each.stat().st_mtime_ns for each in folder.parent.rglob("*")} == before


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("model.safetensors", b"damaged"),
        ("converted.yaml", b"result: {}"),
        ("converted.yaml", b"result: 3"),
        ("converted.yaml", b"[1, 2]"),
        ("converted.yaml", b"\0"),
        ("converted.yaml", None),
        ("model.safetensors", None),
    ],
)
def test_a_conversion_that_is_not_whole_is_made_anew(
    file: str, content: bytes | None, tmp_path: Path
) -> None:
    path, host = saved(tmp_path), host_of()
    folder = import_unregistered(path, "someone/model", host=host)
    good = (folder / file).read_bytes()
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content)
    assert import_unregistered(path, "someone/model", host=host) == folder
    assert (folder / file).read_bytes() == good


def imported(folder: Path, method: str = "tiny", **given: Any) -> None:
    config = ModelConfig(method, {"width": 3}, Domains(("x", "y")), given.pop("signal", SIGNAL))
    tensors = {f"generator.{key}": value for key, value in state_of().items()}
    write_import(folder, config, tensors, card=Card("made"), host=host_of())


@pytest.mark.parametrize(
    ("shape", "stride", "flexible", "expected"),
    [
        ((3, 64, 16), 3, 2, (3, 30, 16)),
        ((3, 64, 64), 1, 2, (3, 32, 32)),
        ((3, 64, 64), 40, 2, (3, 40, 40)),
        ((3, 64, 64), 1, 1, (3, 64, 32)),
    ],
)
def test_golden_signals_are_small_where_nets_take_any_size(
    shape: tuple[int, ...], stride: int, flexible: int, expected: tuple[int, ...], tmp_path: Path
) -> None:
    imported(tmp_path / "m", signal=TensorSpec(shape=shape, stride=stride, flexible=flexible))
    golden = load_file(tmp_path / "m" / "golden.safetensors")
    assert golden["input"].shape == (2, *expected)


@pytest.mark.parametrize(
    ("method", "kind", "mixed"),
    [
        (TinyMethod, "domains", True),
        (PerDomain, "domains", False),
        (PerDomain, "attributes", True),
    ],
)
def test_golden_signals_are_those_that_the_method_learns_from(
    method: type[TinyMethod], kind: Literal["domains", "attributes"], mixed: bool
) -> None:
    signal = TensorSpec(shape=(3, 8, 8), stride=2)
    config = ModelConfig("tiny", {"width": 3}, Domains(("x", "y"), kind), signal)
    made = method(method.Options(), config.domains, signal)
    found = convert._golden_batch(made, config)
    expected = random_batch(config.domains, signal, mixed=mixed, count=2, seed=0)
    assert set(found.signals) == ({MIXED} if mixed else {"x", "y"})
    for name, wanted in expected.signals.items():
        torch.testing.assert_close(found.signals[name], wanted)


@pytest.fixture
def tensors_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The codec takes no tensors, as one of recordings, so that the nets alone are asked."""

    def refuse(*_: object) -> None:
        raise UsageError("these are no pictures")

    monkeypatch.setattr(ImageCodec, "wrap", refuse)


@pytest.mark.usefixtures("tensors_refused")
def test_a_model_whose_outputs_have_another_shape_is_not_imported(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        imported(tmp_path / "m", "enlarging")
    assert caught.value.asked == "the imported model"
    assert caught.value.problem == "of a signal (1, 3, 30, 16) it makes (1, 3, 30, 19)"
    assert caught.value.hint == "Nothing was written."
    assert not (tmp_path / "m").exists()


@pytest.mark.usefixtures("tensors_refused")
def test_a_model_with_an_output_that_is_not_finite_is_not_imported(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        imported(tmp_path / "m", "overflowing")
    assert caught.value.problem.endswith("(1, 3, 30, 16) with values that are not finite")
    assert not (tmp_path / "m").exists()


def test_why_an_imported_model_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    imported(tmp_path / "m")
    weights = tmp_path / "m" / "model.safetensors"
    weights.write_bytes(b"damaged")
    with pytest.raises(WeightsError) as caught:
        convert._prove(host_of(), tmp_path / "m")
    assert caught.value.asked == "the imported model"
    assert str(weights) in caught.value.problem
    assert caught.value.hint is not None
    assert caught.value.hint.endswith("Nothing was written.")


def test_a_fault_that_names_nothing_is_told_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise UsageError("there is a fault")

    monkeypatch.setattr(convert, "load", fail)
    with pytest.raises(WeightsError) as caught:
        convert._prove(host_of(), tmp_path)
    assert caught.value.problem == "it cannot be used (there is a fault)"
    assert caught.value.hint == "Nothing was written."


@dataclass
class Heard:
    """A translator, codec and engine that record what they are asked for."""

    domains: Domains
    tensors: bool = True
    asked: dict[str, Any] = field(default_factory=dict)
    method = SimpleNamespace(targets=("y", "z"))

    @property
    def codec(self) -> Heard:
        return self

    @property
    def engine(self) -> Any:
        def translate(signal: Tensor, source: Any, target: Any) -> Tensor:
            self.asked.update(source=source, to=target)
            return signal

        return SimpleNamespace(
            label=lambda name: ("label", name),
            vector=lambda to: ("vector", to),
            translate=translate,
        )

    def wrap(self, signal: Tensor) -> None:
        if not self.tensors:
            raise UsageError("these are no recordings")

    def translate(self, signal: Tensor, to: Any, *, source: Any = None) -> Tensor:
        self.asked.update(source=source, to=to)
        return signal


@pytest.mark.parametrize(
    ("heard", "source", "to"),
    [
        (Heard(Domains(("x", "y", "z"))), "x", "y"),
        (Heard(Domains(("y", "z"))), "z", "y"),
        (Heard(Domains(("y", "z"), "attributes")), None, {"y": 1}),
        (Heard(Domains(("x", "y")), tensors=False), ("label", "x"), ("vector", "y")),
    ],
)
def test_a_model_is_tried_on_its_first_target_from_another_domain(
    heard: Any, source: Any, to: Any
) -> None:
    signal = torch.zeros(1, 3, 8, 8)
    assert convert._translated(heard, signal) is signal
    assert heard.asked == {"source": source, "to": to}
