"""The plugin host: what is found, what is refused, and that nothing else breaks with it."""

from __future__ import annotations

import itertools
import re
import sys
import threading
import types
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from zoo_core.contracts.component import Component, Kind, MethodSpec
from zoo_core.errors import PluginError, UsageError, ZooError
from zoo_core.host.hookspecs import hookimpl
from zoo_core.host.isolation import resolve
from zoo_core.host.plugins import PluginHost

Make = Callable[..., metadata.EntryPoint]


class FakeDistribution(metadata.Distribution):
    """What an entry point knows of the package that it comes from."""

    def __init__(self, name: str) -> None:
        self._name = name

    def read_text(self, filename: str) -> str | None:
        text = f"Metadata-Version: 2.1\nName: {self._name}\nVersion: 1.0\n"
        return text if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Path:
        return Path(path)


@pytest.fixture
def plugin() -> Iterator[Make]:
    """Makes an entry point of a module that holds the given hooks."""
    made: list[str] = []

    def make(name: str, distribution: str = "", **hooks: Any) -> metadata.EntryPoint:
        module_name = f"made_plugin_{len(made)}"
        module = types.ModuleType(module_name)
        for hook, function in hooks.items():
            setattr(module, hook, function)
        sys.modules[module_name] = module
        made.append(module_name)
        entry = metadata.EntryPoint(name, module_name, "zoo")
        vars(entry)["dist"] = FakeDistribution(distribution or f"zoo-{name}")
        return entry

    yield make
    for module_name in made:
        sys.modules.pop(module_name, None)


def brings(*specs: Any) -> Any:
    return hookimpl(lambda: list(specs))


def method(name: str) -> MethodSpec:
    return MethodSpec(name, f"package:{name}", "summary")


def only_problem(host: PluginHost) -> str:
    assert len(host.problems) == 1
    return host.problems[0].problem or ""


def test_components_are_found_by_kind_and_name(plugin: Make) -> None:
    codec, metric = (
        Component("codec", "soft", "package:Soft"),
        Component("metric", "odd", "package:Odd"),
    )
    host = PluginHost(
        [plugin("one", zoo_components=brings(method("one"), codec)),
         plugin("two", zoo_components=brings(method("two"), metric, Kind("metric", "")))]
    )  # fmt: skip
    assert set(host.methods()) == {"one", "two"}
    assert host.components("codec")["soft"] == codec
    assert host.components("metric")["odd"] == metric
    assert host.owner("method", "two") == "zoo-two"
    assert host.owner("kind", "metric") == "zoo-two"
    assert not host.problems
    assert not host.unused


def test_a_component_of_a_kind_that_nobody_declares_is_kept_as_unused(plugin: Make) -> None:
    importer = Component("importer", "theirs", "package:Theirs")
    host = PluginHost([plugin("one", zoo_components=brings(method("one"), importer))], strict=True)
    assert set(host.methods()) == {"one"}
    assert host.unused == [(importer, "zoo-one")]
    assert host.components("importer") == {}


def test_what_a_target_names_is_held_against_the_contract_of_its_kind(plugin: Make) -> None:
    wrong = Component("command", "wrong", "zoo_core.errors:ZooError")
    host = PluginHost([plugin("one", zoo_components=brings(wrong))], strict=True)
    with pytest.raises(PluginError) as caught:
        host.load("command", "wrong")
    assert caught.value.asked == 'command "wrong" of plugin zoo-one'


def test_registry_files_are_named_with_their_distribution(plugin: Make, tmp_path: Path) -> None:
    host = PluginHost([plugin("one", zoo_models=brings(tmp_path / "registry.yaml"))])
    assert host.registries() == (("zoo-one", tmp_path / "registry.yaml"),)


def test_an_unknown_method_gives_the_near_match_and_names_broken_plugins(plugin: Make) -> None:
    entries = [plugin("one", zoo_components=brings(method("cyclegan"))),
               metadata.EntryPoint("lost", "no_such_module_anywhere", "zoo")]  # fmt: skip
    with pytest.raises(UsageError, match=r'Did you mean "cyclegan".*lost.*zoo plugins'):
        PluginHost(entries).method("cyclgan")


def raising(error: BaseException) -> Any:
    def hook() -> list[MethodSpec]:
        raise error

    return hookimpl(hook)


@pytest.mark.parametrize(
    ("hooks", "expected"),
    [
        ({"zoo_component": brings()}, "zoo_component"),
        ({"zoo_components": lambda: []}, "zoo_components is not marked with @hookimpl"),
        ({"zoo_components": hookimpl(lambda argument: [])}, "argument"),
        ({"zoo_components": raising(ValueError("no luck"))}, "ValueError: no luck"),
        ({"zoo_components": raising(SystemExit(3))}, "SystemExit"),
        ({"zoo_components": raising(KeyboardInterrupt())}, "KeyboardInterrupt"),
        ({"zoo_components": raising(GeneratorExit())}, "GeneratorExit"),
        ({"zoo_components": hookimpl(lambda: None)}, "gave None, not a list"),
        ({"zoo_components": hookimpl(lambda: method("one"))}, "not a list"),
        ({"zoo_components": brings("cyclegan")}, "not a Component"),
        ({"zoo_components": hookimpl(lambda: itertools.repeat(method("x")))}, "more than 10,000"),
        ({"zoo_components": hookimpl(lambda: [Component("codec", 5, "a:b")])}, "name is 5"),
        ({"zoo_components": hookimpl(lambda: [Component("codec", "a", "a:b", None)])}, "summary"),
        ({"zoo_components": hookimpl(lambda: [Component("codec", "a", "a")])}, "target 'a'"),
        ({"zoo_components": hookimpl(lambda: [MethodSpec("m", "a:b", presets=3)])}, "presets"),
        ({"zoo_components": hookimpl(lambda: [MethodSpec("m", "a:b", domains="2")])}, "domains"),
        ({"zoo_components": brings(Component("codek", "a", "b:c"))}, 'Did you mean "codec"'),
        ({"zoo_components": brings(Component("method", "a", "b:c"))}, "not by a MethodSpec"),
        ({"zoo_components": brings(method("x"), method("x"))}, "both itself and zoo-bad"),
        ({"zoo_components": brings(method("good"))}, "both zoo-good and zoo-bad"),
        ({"zoo_components": brings(Component("command", "list", "a:b"))}, "both zoo-core and zoo-"),
        ({"zoo_components": brings(Kind("codec", ""))}, "both zoo-core and zoo-bad"),
        ({"zoo_models": hookimpl(lambda: "registry.yaml")}, "not a list"),
        ({"zoo_models": brings(3)}, "not a path"),
    ],
)
def test_a_broken_plugin_is_skipped_whole_and_the_rest_works(
    hooks: dict[str, Any], expected: str, plugin: Make
) -> None:
    entries = [plugin("bad", **hooks), plugin("good", zoo_components=brings(method("good")))]
    host = PluginHost(entries, strict=False)
    problem = only_problem(host)
    assert re.search(expected, problem), problem
    assert host.problems[0].name == "bad"
    assert set(host.methods()) == {"good"}
    assert host.owner("method", "good") == "zoo-good"
    with pytest.raises(PluginError, match=r"plugin bad \(zoo-bad 1.0\).*ZOO_STRICT"):
        PluginHost(entries, strict=True)


@pytest.mark.parametrize("target", ["no_such_module_anywhere", "zoo_core.errors:Nothing"])
def test_a_plugin_that_cannot_be_imported_is_skipped(target: str) -> None:
    host = PluginHost([metadata.EntryPoint("lost", target, "zoo")], strict=False)
    assert host.problems[0].name == "lost"
    assert "Error: " in only_problem(host)


def test_a_plugin_that_exits_while_imported_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "leaving_plugin.py").write_text("import sys\nsys.exit('bye')\n")
    monkeypatch.syspath_prepend(tmp_path)
    host = PluginHost([metadata.EntryPoint("leaving", "leaving_plugin", "zoo")], strict=False)
    assert only_problem(host) == "SystemExit: bye"


def test_a_plugin_that_prints_while_imported_leaves_stdout_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "chatty_plugin.py").write_text("print('hello')\n")
    monkeypatch.syspath_prepend(tmp_path)
    host = PluginHost([metadata.EntryPoint("chatty", "chatty_plugin", "zoo")], strict=False)
    assert not host.problems
    out, err = capsys.readouterr()
    assert (out, err) == ("", "hello\n")


def test_a_plugin_that_never_ends_is_skipped_and_named(plugin: Make) -> None:
    released = threading.Event()
    entries = [
        plugin("endless", zoo_components=hookimpl(lambda: [released.wait()])),
        plugin("good", zoo_components=brings(method("good"))),
    ]
    host = PluginHost(entries, strict=False, seconds=0.2)
    released.set()
    assert host.problems[0].name == "endless"
    assert "did not end within 0.2 seconds" in only_problem(host)
    assert set(host.methods()) == {"good"}


def test_of_two_plugins_with_one_name_the_one_named_after_it_stays(plugin: Make) -> None:
    first = plugin("cyclegan", "a-thief", zoo_components=brings(method("stolen")))
    owner = plugin("cyclegan", "zoo-cyclegan", zoo_components=brings(method("cyclegan")))
    host = PluginHost([first, owner], strict=False)
    assert set(host.methods()) == {"cyclegan"}
    assert only_problem(host) == "zoo-cyclegan and a-thief both bring a plugin of this name"


@pytest.mark.parametrize("name", ["aaa", "zzz"])
def test_of_two_plugins_with_one_method_the_one_named_after_it_stays(
    name: str, plugin: Make
) -> None:
    owner = plugin("cyclegan", zoo_components=brings(method("cyclegan")))
    other = plugin(name, zoo_components=brings(method("cyclegan"), method("other")))
    host = PluginHost([other, owner], strict=False)
    assert host.owner("method", "cyclegan") == "zoo-cyclegan"
    assert set(host.methods()) == {"cyclegan"}
    assert f"both zoo-cyclegan and zoo-{name}" in only_problem(host)


def test_only_named_plugins_are_loaded(plugin: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [plugin(name, zoo_components=brings(method(name))) for name in ("one", "two")]
    monkeypatch.setenv("ZOO_PLUGINS", "two")
    assert set(PluginHost(entries).methods()) == {"two"}
    monkeypatch.setenv("ZOO_PLUGINS", "")
    assert not PluginHost(entries).methods()
    assert set(PluginHost(entries, only=["one"]).methods()) == {"one"}


def test_a_name_in_the_restriction_that_is_not_installed_is_reported(plugin: Make) -> None:
    host = PluginHost([plugin("one")], only=["oen"], strict=False)
    assert 'Did you mean "one"' in only_problem(host)


@pytest.mark.parametrize(("value", "strict"), [("1", True), ("0", False), ("", False)])
def test_strictness_comes_from_the_environment(
    value: str, strict: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_STRICT", value)
    assert PluginHost([]).strict is strict


@pytest.mark.parametrize("target", ["zoo_core.errors", "zoo_core.nothing:X", "zoo_core.errors:X"])
def test_a_target_that_cannot_be_resolved_names_its_plugin(target: str) -> None:
    with pytest.raises(PluginError, match="of plugin zoo-x"):
        resolve(target, owner="zoo-x")


def test_a_signal_during_an_import_is_no_fault_of_the_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = "from zoo_core.errors import ZooError\nclass Stopped(ZooError):\n    exit_code = 130\n"
    (tmp_path / "stopped_import.py").write_text(head + "raise Stopped('x')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ZooError) as caught:
        resolve("stopped_import:X", owner="zoo-x")
    assert (caught.value.exit_code, caught.value.problem) == (130, "x")


def test_a_target_is_resolved_to_what_it_names() -> None:
    assert resolve("zoo_core.errors:PluginError") is PluginError


def test_the_core_brings_its_own_through_the_same_hook() -> None:
    host = PluginHost([])
    assert {"method", "codec", "command", "public"} <= set(host.kinds)
    assert {"list", "info", "translate"} <= set(host.components("command"))


def test_every_contract_of_a_kind_can_be_imported() -> None:
    host = PluginHost()
    for kind in host.kinds.values():
        if kind.target:
            assert isinstance(resolve(kind.target), type)
