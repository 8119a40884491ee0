"""From shapes to nets, with what must be found or refused written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from test_importing import alone
from torch import Tensor

from zoo_core.catalogue.description import ModelConfig
from zoo_core.cli import run
from zoo_core.contracts.component import Component
from zoo_core.contracts.signals import Domains, TensorSpec
from zoo_core.errors import UsageError, WeightsError
from zoo_core.host.plugins import PluginHost
from zoo_core.models.modeldir import build_method
from zoo_import.contract import ForeignNet, Importer, Shapes
from zoo_import.mapping import (
    CheckpointSource,
    blueprint,
    configure,
    contradictions,
    importer_of,
    net_names,
    recognise,
    renamed,
    tensors_for,
)
from zoo_testing.hosts import InMemoryPlugin, host_with
from zoo_testing.tiny import SPEC, TinyGenerator

DOMAINS = Domains(("x", "y"))
CONFIG = ModelConfig("tiny", {"width": 3}, DOMAINS, TensorSpec(shape=(3, 8, 8), stride=2))


def same(key: str) -> str:
    return key


def generator(**given: Any) -> ForeignNet:
    return ForeignNet("generator", same, **given)


class Narrow(Importer):
    """Takes what has a tensor ``narrow`` for a generator of width 3."""

    method = "tiny"
    width = 3

    def parts(self, shapes: Shapes) -> Sequence[ForeignNet]:
        return [generator(options={"width": self.width})] if "narrow" in shapes else []


class Narrower(Narrow):
    """Takes the same for something else."""

    width = 2


class Same(Narrow):
    """Takes the same for the same."""


class OfAnother(Narrow):
    """A layout of another method."""

    method = "another"


def known(*importers: type[Importer]) -> PluginHost:
    parts = [
        Component("importer", each.__name__.lower(), f"{__name__}:{each.__name__}")
        for each in importers
    ]
    return host_with(InMemoryPlugin("tiny", [SPEC, *parts]), installed=("import",))


def source(
    *parts: ForeignNet, state: dict[str, Tensor] | None = None, of: type[Importer] = Narrow
) -> CheckpointSource:
    return CheckpointSource(Path("w.pth"), "narrow", of(), state or {}, parts)


def state_of(width: int = 3, scope: str = "") -> dict[str, Tensor]:
    net = TinyGenerator(2, width=width)
    return {f"{scope}{key}": value for key, value in net.state_dict().items()}


def test_an_unknown_layout_is_named_with_its_near_match() -> None:
    with pytest.raises(WeightsError) as caught:
        importer_of("narow", known(Narrow))
    assert caught.value.asked == 'foreign format "narow"'
    assert "narrow" in (caught.value.hint or "")


def test_a_tensor_without_values_is_refused() -> None:
    with pytest.raises(WeightsError) as caught:
        recognise(Path("w.pth"), {"narrow": torch.zeros(2, 0)}, "auto", known(Narrow))
    assert caught.value.problem == "narrow has no values at all"


def test_what_is_of_no_layout_is_shown_by_six_of_its_tensors() -> None:
    state = {f"t{number}": torch.zeros(number + 1) for number in range(9)}
    with pytest.raises(WeightsError) as caught:
        recognise(Path("w.pth"), state, "auto", known(Narrow))
    first, *lines = caught.value.problem.splitlines()
    assert first == "it is none of the layouts that are known; its tensors begin with"
    assert lines == [f"  t{number}: ({number + 1},)" for number in range(6)]


def test_layouts_that_mean_something_else_must_be_told_apart() -> None:
    state = {"narrow": torch.zeros(1)}
    with pytest.raises(UsageError) as caught:
        recognise(Path("w.pth"), state, "auto", known(Narrow, Narrower))
    assert caught.value.problem == "it could be any of narrow, narrower"
    assert recognise(Path("w.pth"), state, "narrower", known(Narrow, Narrower)).importer.width == 2


def test_layouts_that_mean_the_same_need_not() -> None:
    found = recognise(Path("w.pth"), {"narrow": torch.zeros(1)}, "auto", known(Narrow, Same))
    assert found.layout == "narrow"


def test_a_configuration_has_what_all_parts_tell() -> None:
    parts = (generator(options={"width": 3}), generator(shape=(None, 8, None), conditions=2))
    config = configure([source(parts[0]), source(parts[1])], DOMAINS)
    assert config.options == {"width": 3}
    assert config.signal.shape == (3, 8, 256)
    assert configure([source(generator())], DOMAINS).signal.shape == (3, 256, 256)


@pytest.mark.parametrize(
    ("sources", "problem"),
    [
        (
            [source(generator()), source(generator(), of=OfAnother)],
            "w.pth is of tiny, w.pth of another",
        ),
        (
            [source(generator(options={"width": 3}), generator(options={"width": 4}))],
            "generator of w.pth has width=3, generator of w.pth has width=4",
        ),
        ([source(generator(conditions=3))], "it has 3, 2 are named"),
    ],
)
def test_parts_that_contradict_each_other_are_refused(
    sources: list[CheckpointSource], problem: str
) -> None:
    with pytest.raises(UsageError) as caught:
        configure(sources, DOMAINS)
    assert caught.value.problem == problem


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (generator(options={"width": 3}, conditions=2), []),
        (generator(options={"width": 5}), ["width: 5 in the file, 3 in the registry"]),
        (ForeignNet("other", same, options={"width": 5}), []),
        (generator(conditions=4), ["domains: 4 in the file, 2 in the registry"]),
        (generator(), []),
    ],
)
def test_a_file_contradicts_its_entry_in_these_lines(part: ForeignNet, expected: list[str]) -> None:
    method = build_method(CONFIG, known())
    assert contradictions(source(part, part), CONFIG, method) == expected


def test_a_net_that_the_configuration_does_without_is_passed_over() -> None:
    state = {"other.a": torch.zeros(1), **state_of(scope="net.")}

    def theirs(key: str) -> str:
        return f"net.{key}"

    parts = (
        ForeignNet("other", same, scope="other."),
        ForeignNet("generator", theirs, scope="net."),
    )
    found = tensors_for(CONFIG, [source(*parts, state=state)], known())
    assert found.keys() == {f"generator.{key}" for key in state_of()}


def test_a_file_without_a_net_that_translates_is_refused() -> None:
    part = ForeignNet("critic_of_old", same, scope="a.")
    with pytest.raises(WeightsError) as caught:
        tensors_for(CONFIG, [source(part, state={"a.b": torch.zeros(1)})], known())
    assert caught.value.problem == "there is no generator in it; it holds critic_of_old"


@pytest.mark.parametrize(
    ("text", "reason"),
    [("first\nsecond\nthird", "first"), ("", "ValueError"), ("x" * 300, "x" * 200)],
)
def test_options_that_make_no_nets_are_named_with_the_reason(
    text: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError(text)

    monkeypatch.setattr("zoo_import.mapping.build_method", fail)
    with pytest.raises(WeightsError) as caught:
        blueprint(CONFIG, known())
    assert caught.value.problem == f"no nets of tiny have such shapes ({reason})"
    assert caught.value.asked == "options width=3"


def test_a_file_of_one_net_can_be_given_another_name() -> None:
    assert net_names(renamed(source(generator()), "g"), DOMAINS) == ["g"]
    assert net_names(renamed(source(generator()), None), DOMAINS) == ["generator"]
    with pytest.raises(UsageError) as caught:
        renamed(source(generator(), generator()), "g")
    assert caught.value.asked == "g=w.pth"


@pytest.mark.parametrize(("count", "more"), [(8, ""), (9, " and 1 more")])
def test_the_command_names_eight_things_that_it_left_out(
    count: int, more: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    extras = {f"n{number}": number for number in range(count)}
    torch.save({"net": alone().state_dict(), **extras}, tmp_path / "G.pth")
    words = ["--domain", "a", "--domain", "b", "--out", str(tmp_path / "m")]
    assert run(["import", str(tmp_path / "G.pth"), *words]) == 0
    said = " ".join(capsys.readouterr().out.split())
    things = ", ".join(f"n{number} (a number)" for number in range(8))
    assert f"left out of G.pth: {things}{more} Wrote" in said
