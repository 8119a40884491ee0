"""What a run's configuration accepts, and how it refuses."""

from pathlib import Path

import pytest

from zoo_core.contracts.spec import Preset, TrainConfig
from zoo_core.errors import UsageError, unknown
from zoo_core.host.named import parse_value
from zoo_testing import tiny
from zoo_train import config as module
from zoo_train.config import RunConfig
from zoo_train.request import resolve

PRESETS = {
    "small": Preset(
        options={"width": 6},
        signal=tiny.PRESETS["8px"].signal,
        train=TrainConfig(batch=3, steps=50, load_size=10),
    ),
    "epochs": Preset(signal=tiny.PRESETS["8px"].signal, train=TrainConfig(epochs=7)),
}
DOMAINS = {"a": "pictures/a", "b": "pictures/b"}


class Method(tiny.TinyMethod):
    presets = PRESETS


class Host:
    def find(self, kind: str, name: str) -> None:
        raise unknown(kind, name, ())

    def load(self, kind: str, name: str) -> type[Method]:
        assert (kind, name) == ("method", "tiny")
        return Method


@pytest.fixture(autouse=True)
def tiny_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo_core.host.plugins.host", Host)


def resolved(**request: object) -> RunConfig:
    return resolve(method="tiny", domains=DOMAINS, **request)  # type: ignore[arg-type]


def test_the_first_preset_is_the_default() -> None:
    config = resolved()
    assert (config.preset, config.options["width"], config.train.batch) == ("small", 6, 3)
    assert config.options["cycle"] == 10.0


def test_settings_outweigh_the_file_which_outweighs_the_preset(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("options: {width: 7, cycle: 2.0}\ntrain: {batch: 5, flip: true}\n")
    config = resolved(file=file, settings={"width": "9", "train.shift": "2"})
    assert (config.options["width"], config.options["cycle"]) == (9, 2.0)
    assert (config.train.batch, config.train.flip, config.train.shift) == (5, True, 2)


def test_nets_of_a_fixed_size_are_built_for_the_size_that_is_asked_for() -> None:
    fixed = resolved(size=16, settings={"signal.flexible": "0"}).signal
    assert (fixed.shape, fixed.flexible) == ((3, 16, 16), 0)


def test_a_size_scales_the_size_before_cropping() -> None:
    config = resolved(size=16)
    assert config.signal.shape == (3, 16, 16)
    assert config.train.load_size == 20
    assert resolved(settings={"signal.size": "16"}).signal.shape == (3, 16, 16)


def test_epochs_that_are_asked_for_outweigh_the_presets_steps() -> None:
    config = resolved(settings={"train.epochs": "4"})
    assert (config.train.steps, config.train.epochs) == (None, 4)


def test_null_switches_off() -> None:
    assert resolved(settings={"train.load_size": parse_value("null")}).train.load_size is None


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("widht", "width"),
        ("train.bacth", "train.batch"),
        ("batch", "train.batch"),
        ("signal.sise", "signal.size"),
    ],
)
def test_an_unknown_setting_is_named_with_the_near_match(name: str, near: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolved(settings={name: "3"})
    assert caught.value.asked == f'option of tiny "{name}"'
    assert f'"{near}"' in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("settings", "asked", "problem"),
    [
        ({"width": "wide"}, "options of tiny", "'wide'"),
        ({"train.batch": "many"}, "train", "'many'"),
        ({"train.batch": "0"}, "batch 0", "at least 1"),
        ({"train.ema": "1.5"}, "ema 1.5", "below 1"),
        ({"signal.size": "-4"}, "size -4", "positive"),
    ],
)
def test_a_wrong_value_is_named(settings: dict[str, str], asked: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolved(settings=settings)
    assert caught.value.asked == asked
    assert problem in caught.value.problem


def test_a_runner_of_steps_that_nobody_brings_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        resolved(settings={"train.speed": "compild"})
    assert caught.value.asked == 'step-runner "compild"'


def test_an_unknown_preset_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        resolved(preset="smal")
    assert '"small"' in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "asked", "problem"),
    [
        ("optoins: {}", "run.yaml", '"options"'),
        ("train: {bacth: 3}", "train", '"batch"'),
        ("options: 3", "options of run.yaml", "not a mapping"),
        ("domains: 3", "run.yaml", "domains"),
        ("format: 99", "run.yaml", "99"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, asked: str, problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    file = Path("run.yaml")
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        resolve(method="tiny", data="pictures", file=file)
    assert caught.value.asked == asked
    assert problem in caught.value.problem


def test_flags_outweigh_a_file(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("device: cuda\nprocesses: 2\ndomains: {a: x, b: y}\nsignal: {size: 8}\n")
    config = resolved(file=file, device="cpu", size=16)
    assert (config.device, config.processes, config.domains) == ("cpu", 2, DOMAINS)
    assert config.signal.shape == (3, 16, 16)


def test_no_data_is_an_error() -> None:
    with pytest.raises(UsageError) as caught:
        resolve(method="tiny")
    assert (caught.value.asked, caught.value.problem) == ("training tiny", "no data is given")


def test_a_configuration_comes_back_from_its_yaml(tmp_path: Path) -> None:
    config = resolved(size=16, extra_losses=("embedding:weight=2",), settings={"train.ema": "0.9"})
    path = tmp_path / "config.yaml"
    path.write_text(config.to_yaml())
    assert RunConfig.read(path) == config
    assert resolve(file=path) == config


def test_differences_name_what_changed_but_for_what_may() -> None:
    old = resolved()
    assert old.differences(resolved(device="cuda", settings={"train.steps": 99})) == []
    (text,) = old.differences(resolved(settings={"width": "8"}))
    assert text == "options.width is 6, asked is 8"


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", "5"), ("true", "true"), ("[1, 2]", [1, 2]), ("null", None), ("a: b: c", "a: b: c")],
)
def test_values_of_settings(text: str, value: object) -> None:
    assert parse_value(text) == value


def test_the_module_imports_no_torch_by_itself() -> None:
    assert "import torch" not in Path(module.__file__).read_text()
