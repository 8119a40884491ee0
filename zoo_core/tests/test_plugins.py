"""The plugin host: what is found, what is refused, and that nothing else breaks with it."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from zoo_core import hookspecs
from zoo_core.errors import PluginError, UsageError
from zoo_core.hookspecs import hookimpl
from zoo_core.plugins import HOOKS, PluginHost
from zoo_core.spec import Component, LossSpec, MethodSpec

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


def test_methods_losses_and_components_are_found_by_name(plugin: Make) -> None:
    loss, metric = LossSpec("soft", "package:Soft", ""), Component("odd", "package:Odd")
    host = PluginHost(
        [plugin("one", zoo_methods=brings(method("one")), zoo_losses=brings(loss)),
         plugin("two", zoo_methods=brings(method("two")), zoo_metrics=brings(metric))]
    )  # fmt: skip
    assert set(host.methods()) == {"one", "two"}
    assert host.losses()["soft"] == loss
    assert host.components("zoo_metrics")["odd"] == metric
    assert host.owner("zoo_methods", "two") == "zoo-two"
    assert host.brought("zoo_losses", "zoo-one") == ["soft"]
    assert not host.problems


def test_registry_files_are_named_with_their_distribution(plugin: Make, tmp_path: Path) -> None:
    host = PluginHost([plugin("one", zoo_models=brings(tmp_path / "registry.yaml"))])
    assert host.registries() == (("zoo-one", tmp_path / "registry.yaml"),)


def test_an_unknown_method_gives_the_near_match_and_names_broken_plugins(plugin: Make) -> None:
    entries = [plugin("one", zoo_methods=brings(method("cyclegan"))),
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
        ({"zoo_method": brings()}, 'hook "zoo_method".*Did you mean "zoo_methods"'),
        ({"methods": brings()}, 'hook "methods"'),
        ({"zoo_methods": lambda: []}, "zoo_methods is not marked with @hookimpl"),
        ({"zoo_methods": hookimpl(lambda argument: [])}, "argument"),
        ({"zoo_methods": raising(ValueError("no luck"))}, "ValueError: no luck"),
        ({"zoo_methods": raising(SystemExit(3))}, "SystemExit"),
        ({"zoo_methods": hookimpl(lambda: None)}, "gave None, not a list"),
        ({"zoo_methods": hookimpl(lambda: method("one"))}, "not a list"),
        ({"zoo_methods": brings("cyclegan")}, "not a MethodSpec"),
        ({"zoo_methods": brings(LossSpec("a", "b:c", ""))}, "not a MethodSpec"),
        ({"zoo_methods": brings(method("x"), method("x"))}, "both itself and zoo-bad"),
        ({"zoo_methods": brings(method("good"))}, "both zoo-good and zoo-bad"),
        ({"zoo_commands": brings(Component("list", "a:b"))}, "both zoo-core and zoo-bad"),
        ({"zoo_models": hookimpl(lambda: "registry.yaml")}, "not a list"),
        ({"zoo_models": brings(3)}, "not a path"),
    ],
)
def test_a_broken_plugin_is_skipped_whole_and_the_rest_works(
    hooks: dict[str, Any], expected: str, plugin: Make
) -> None:
    entries = [plugin("bad", zoo_losses=brings(LossSpec("its", "a:b", "")), **hooks),
               plugin("good", zoo_methods=brings(method("good")))]  # fmt: skip
    host = PluginHost(entries, strict=False)
    problem = only_problem(host)
    assert re.search(expected, problem), problem
    assert host.problems[0].name == "bad"
    assert set(host.methods()) == {"good"}
    assert "its" not in host.losses()
    assert host.hook.zoo_methods() == [[method("good")]]
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


def test_of_two_plugins_with_one_name_the_one_named_after_it_stays(plugin: Make) -> None:
    first = plugin("cyclegan", "a-thief", zoo_methods=brings(method("stolen")))
    owner = plugin("cyclegan", "zoo-cyclegan", zoo_methods=brings(method("cyclegan")))
    host = PluginHost([first, owner], strict=False)
    assert set(host.methods()) == {"cyclegan"}
    assert only_problem(host) == "zoo-cyclegan and a-thief both bring a plugin of this name"


@pytest.mark.parametrize("name", ["aaa", "zzz"])
def test_of_two_plugins_with_one_method_the_one_named_after_it_stays(
    name: str, plugin: Make
) -> None:
    owner = plugin("cyclegan", zoo_methods=brings(method("cyclegan")))
    other = plugin(name, zoo_methods=brings(method("cyclegan"), method("other")))
    host = PluginHost([other, owner], strict=False)
    assert host.owner("zoo_methods", "cyclegan") == "zoo-cyclegan"
    assert set(host.methods()) == {"cyclegan"}
    assert f"both zoo-cyclegan and zoo-{name}" in only_problem(host)


def test_only_named_plugins_are_loaded(plugin: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [plugin(name, zoo_methods=brings(method(name))) for name in ("one", "two")]
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
        PluginHost.resolve(target, owner="zoo-x")


def test_a_target_is_resolved_to_what_it_names() -> None:
    assert PluginHost.resolve("zoo_core.errors:PluginError") is PluginError


def test_the_core_brings_its_own_through_the_same_hooks() -> None:
    host = PluginHost([])
    assert "image" in host.components("zoo_signals")
    assert {"list", "train", "translate"} <= set(host.components("zoo_commands"))


def test_every_hook_that_brings_named_things_is_collected() -> None:
    declared = {name for name in dir(hookspecs) if name.startswith("zoo_")}
    events = {name for name in declared if name.startswith(("zoo_run", "zoo_step"))}
    assert set(HOOKS) == declared - events - {"zoo_models", "zoo_open_reference"}
