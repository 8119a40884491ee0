"""The names of ``import zoo``, the core's own and those of plugins; commands that are absent."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff

import pytest

import zoo
from zoo_core.cli import run
from zoo_core.contracts.component import Component
from zoo_core.errors import AbsentNameError, PluginError, UsageError
from zoo_core.host import plugins
from zoo_testing.hosts import InMemoryPlugin, host_with


@pytest.fixture
def _outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is installed but the core and a plugin that brings ``zoo.unlike``."""
    brought = Component("public", "unlike", "difflib:unified_diff", "What differs")
    host = host_with(InMemoryPlugin("outside", [brought]), installed=())
    monkeypatch.setattr(plugins, "host", lambda: host)
    monkeypatch.setattr("zoo_core.cli.host", lambda: host)
    kept = dict(vars(zoo))
    vars(zoo).pop("train", None)
    yield
    vars(zoo).clear()
    vars(zoo).update(kept)


@pytest.mark.usefixtures("_outside")
def test_a_plugin_adds_a_name() -> None:
    assert zoo.unlike is unified_diff
    assert {"unlike", "load"} <= set(dir(zoo))


@pytest.mark.usefixtures("_outside")
def test_an_absent_name_names_the_package_that_brings_it() -> None:
    assert not hasattr(zoo, "train")
    with pytest.raises(AbsentNameError) as caught:
        _ = zoo.train
    assert caught.value.asked == "zoo.train"
    assert "zoo-nn" in caught.value.problem
    assert "pip install zoo-nn" in (caught.value.hint or "")


@pytest.mark.usefixtures("_outside")
def test_an_absent_command_names_the_package_that_brings_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["train", "cyclegan"]) == UsageError.exit_code
    assert "pip install zoo-nn" in capsys.readouterr().err


@pytest.mark.usefixtures("_outside")
def test_an_unknown_name_gives_the_near_match() -> None:
    with pytest.raises(AbsentNameError) as caught:
        _ = zoo.unlke
    assert 'Did you mean "unlike"' in (caught.value.hint or "")


def test_a_plugin_cannot_take_a_name_of_the_core() -> None:
    brought = Component("public", "load", "difflib:unified_diff")
    with pytest.raises(PluginError) as caught:
        host_with(InMemoryPlugin("outside", [brought]), installed=())
    assert "both zoo-core" in caught.value.problem


def test_what_tools_ask_of_every_module_is_not_looked_up() -> None:
    with pytest.raises(AttributeError) as caught:
        _ = zoo.__wrapped__
    assert not isinstance(caught.value, AbsentNameError)
