"""``zoo options`` explains everything that can be set."""

from __future__ import annotations

import inspect
import json
from dataclasses import fields
from typing import Any

import pytest

from zoo_core.cli import run
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import UsageError
from zoo_core.host.plugins import host
from zoo_core.schema import plain
from zoo_runs.options.command import options as command

METHODS = sorted(host().methods())
LOSSES = sorted(host().components("loss"))


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run(["options", *arguments]) == 0
    return capsys.readouterr().out


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    return json.loads(shown(capsys, *arguments, "--json"))


def test_there_are_methods_and_losses_to_explain() -> None:
    assert METHODS
    assert LOSSES


@pytest.mark.parametrize("name", METHODS)
def test_every_option_of_a_method_and_of_the_training_is_explained(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = as_json(capsys, name)
    cls = host().load("method", name)
    assert [row["key"] for row in found["options"]] == [f.name for f in fields(cls.Options)]
    assert [row["key"] for row in found["train"]] == [
        f"train.{f.name}" for f in fields(TrainConfig)
    ]
    assert not [row["key"] for row in found["options"] + found["train"] if not row["meaning"]]
    for row in found["options"]:
        for preset, value in row["presets"].items():
            default = row["default"]
            assert value == plain(cls.presets[preset].options).get(row["key"], default)
    for row in found["train"]:
        for preset, value in row["presets"].items():
            assert value == plain(getattr(cls.presets[preset].train, row["key"][6:]))
    assert bool(found["losses"]) != bool(found["losses_unknown"])
    assert all(term["meaning"] for term in found["losses"])


@pytest.mark.parametrize("name", LOSSES)
def test_every_argument_of_a_loss_is_explained(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = as_json(capsys, "--loss", name)["options"]
    parameters = list(inspect.signature(host().load("loss", name).__init__).parameters)[1:]
    assert [row["key"] for row in found] == ["weight", "player", *parameters]
    assert not [row["key"] for row in found if not row["meaning"]]


def test_a_preset_is_shown_alone(capsys: pytest.CaptureFixture[str]) -> None:
    name = METHODS[0]
    preset = list(host().load("method", name).presets)[-1]
    found = as_json(capsys, name, "--preset", preset)
    assert {tuple(row["presets"]) for row in found["options"]} == {(preset,)}


def test_the_text_has_every_key_with_its_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, METHODS[0])
    for row in as_json(capsys, METHODS[0])["options"]:
        assert f"\n  {row['key']}  = " in text
        assert row["meaning"].replace("`", "") in text


@pytest.mark.parametrize(
    ("arguments", "asked", "hint"),
    [
        ([], "zoo options", "--methods"),
        (["no-such-method"], 'method "no-such-method"', "Known"),
        ([METHODS[0], "--preset", "huge"], f'preset of {METHODS[0]} "huge"', "Known"),
        (["--loss", "no-such-loss"], 'loss "no-such-loss"', "Known"),
    ],
)
def test_what_cannot_be_explained_is_refused(arguments: list[str], asked: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        command.main(arguments, standalone_mode=False)
    assert caught.value.asked == asked
    assert hint in (caught.value.hint or "")
