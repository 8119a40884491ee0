"""The catalogue of models: registries, the index, and what happens when one of them is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zoo_core.catalogue.registry import Registry
from zoo_core.contracts.component import MethodSpec
from zoo_core.errors import PluginError, UsageError
from zoo_core.host.isolation import Plugin
from zoo_core.host.plugins import PluginHost
from zoo_core.schema import write_yaml
from zoo_core.untrusted import file_sha256

SHA = "ab" * 32


def entry(name: str, **changes: Any) -> dict[str, Any]:
    """An entry of weights in a foreign format, which says itself what the model is."""
    config = {
        "method": name.split("-", maxsplit=1)[0],
        "domains": {"names": changes.pop("names", ["mnist", "USPS"])},
        "signal": {"shape": [3, 32, 32]},
    }
    weights = {
        "source": "embedded",
        "path": "weights/w",
        "sha256": SHA,
        "bytes": 2_000_000,
        "format": "of-others",
    }
    return {"id": name, "task": "digits", "config": config, "weights": weights} | changes


def native(name: str, sha256: str = SHA) -> dict[str, Any]:
    """An entry of weights in the zoo's own format, which its directory describes."""
    path = f"weights/{name}/model.safetensors"
    weights = {"source": "embedded", "path": path, "sha256": sha256, "bytes": 9}
    return {"id": name, "task": "digits", "weights": weights}


def directory(registry: Path, name: str, method: str = "stargan") -> None:
    """The configuration of a native model."""
    folder = registry.parent / "weights" / name
    folder.mkdir(parents=True)
    config = {"method": method, "domains": {"names": ["here"]}}
    (folder / "config.yaml").write_text(write_yaml(config))


class Host(PluginHost):
    """A host whose plugins are given."""

    def __init__(
        self,
        registries: dict[str, Path],
        *,
        methods: tuple[str, ...] = ("cyclegan", "stargan"),
        broken: tuple[str, ...] = (),
        strict: bool = False,
    ) -> None:
        super().__init__([], strict=strict)
        self._tables["method"] = {name: MethodSpec(name, "made:Here") for name in methods}
        self._plugins += [
            Plugin(name, name, "1.0", registries=(path,)) for name, path in registries.items()
        ]
        self._plugins += [Plugin(name, name, "1.0", "it is broken") for name in broken]


@pytest.fixture
def registry_file(tmp_path: Path) -> Callable[..., Path]:
    def make(folder: str, *entries: dict[str, Any], text: str | None = None) -> Path:
        path = tmp_path / folder / "registry.yaml"
        path.parent.mkdir()
        path.write_text(write_yaml({"models": list(entries)}) if text is None else text)
        return path

    return make


@pytest.fixture
def index_file(tmp_path: Path) -> Callable[..., Path]:
    def make(**models: list[dict[str, Any]]) -> Path:
        path = tmp_path / "index.json"
        rows = [
            {"distribution": owner.replace("_", "-"), **row}
            for owner, rows in models.items()
            for row in rows
        ]
        path.write_text(json.dumps({"models": rows}))
        return path

    return make


def test_models_of_all_plugins_are_found(
    registry_file: Callable[..., Path], index_file: Callable[..., Path]
) -> None:
    first = registry_file("one", entry("stargan-b"), entry("stargan-a"))
    second = registry_file("two", entry("cyclegan-c"))
    registry = Registry.load(Host({"one": first, "two": second}), index_file())
    assert list(registry.models) == ["cyclegan-c", "stargan-a", "stargan-b"]
    model = registry.get("stargan-a")
    assert model.installed
    assert model.require() is model
    assert model.distribution == "one"
    assert model.embedded is None
    (first.parent / "weights").mkdir()
    (first.parent / "weights" / "w").touch()
    assert model.embedded == first.parent / "weights" / "w"
    assert (model.bytes, model.domains) == (2_000_000, ("mnist", "USPS"))
    assert model.entry.weights.bytes == 2_000_000


def test_a_model_is_what_its_directory_says(
    registry_file: Callable[..., Path], index_file: Callable[..., Path]
) -> None:
    path = registry_file("one", native("stargan-a"), native("stargan-b"))
    directory(path, "stargan-a")
    registry = Registry.load(Host({"one": path}), index_file())
    assert registry.get("stargan-a").domains == ("here",)
    assert registry.get("stargan-b").domains == ()
    assert registry.get("stargan-b").installed


@pytest.mark.parametrize(("sha256", "domains"), [(SHA, ("listed",)), ("cd" * 32, ("here",))])
def test_the_index_tells_of_a_directory_whose_weights_it_knows(
    sha256: str,
    domains: tuple[str, ...],
    registry_file: Callable[..., Path],
    index_file: Callable[..., Path],
) -> None:
    path = registry_file("one", native("stargan-a"))
    directory(path, "stargan-a")
    config = {"method": "stargan", "domains": {"names": ["listed"]}}
    row = {**native("stargan-a", sha256), "config": config, "nets": {"a": 10, "b": 5}}
    model = Registry.load(Host({"one": path}), index_file(one=[row])).get("stargan-a")
    assert model.domains == domains
    assert model.parameters == (15 if sha256 == SHA else 0)
    assert model.entry.config is None


def test_a_registry_that_the_index_was_made_of_is_taken_from_the_index(
    registry_file: Callable[..., Path], index_file: Callable[..., Path]
) -> None:
    path = registry_file("one", entry("stargan-a"))
    row = entry("stargan-a", summary="as indexed") | {"registry_sha256": file_sha256(path)}
    index = index_file(one=[row])
    model = Registry.load(Host({"one": path}), index).get("stargan-a")
    assert (model.data["summary"], model.file) == ("as indexed", path)
    assert model.entry.summary == "as indexed"
    path.write_text(write_yaml({"models": [entry("stargan-a", summary="as changed")]}))
    assert Registry.load(Host({"one": path}), index).get("stargan-a").entry.summary == "as changed"


def test_a_directory_that_says_nothing_of_a_model_is_its_plugins_problem(
    registry_file: Callable[..., Path], index_file: Callable[..., Path]
) -> None:
    path = registry_file("one", native("stargan-a"))
    directory(path, "stargan-a", method=[1])  # type: ignore[arg-type]
    registry = Registry.load(Host({"one": path}), index_file())
    assert registry.models == {}
    assert "config.yaml" in registry.problems[0].text


def test_a_model_whose_plugin_is_absent_says_how_to_install_it(
    index_file: Callable[..., Path],
) -> None:
    registry = Registry.load(Host({}), index_file(zoo_unit=[entry("unit-digits")]))
    model = registry.get("unit-digits")
    assert not model.installed
    assert registry.find("*", installed=True) == []
    assert model.entry.id == "unit-digits"
    with pytest.raises(PluginError) as caught:
        model.require()
    assert "pip install zoo-unit" in caught.value.problem


def test_an_installed_plugin_overrules_the_index(
    registry_file: Callable[..., Path], index_file: Callable[..., Path]
) -> None:
    path = registry_file("here", entry("stargan-new"))
    registry = Registry.load(Host({"here": path}), index_file(here=[entry("stargan-old")]))
    assert list(registry.models) == ["stargan-new"]


def test_a_model_of_a_broken_plugin_points_to_the_problem(index_file: Callable[..., Path]) -> None:
    index = index_file(zoo_unit=[entry("unit-digits")])
    registry = Registry.load(Host({}, broken=("zoo-unit",)), index)
    assert "zoo-unit is broken; see zoo plugins" in str(
        registry.get("unit-digits").unavailable_reason
    )


def test_a_model_without_its_method_is_no_obstacle_to_others(
    registry_file: Callable[..., Path], index_file: Callable[..., Path]
) -> None:
    path = registry_file("one", entry("stargan-a"), entry("unit-b"))
    registry = Registry.load(Host({"one": path}), index_file())
    assert registry.get("stargan-a").installed
    with pytest.raises(PluginError, match='method "unit" is not installed'):
        registry.get("unit-b").require()


@pytest.mark.parametrize("text", ["models: [", "models: [{id: x}]", None])
def test_a_broken_registry_is_its_plugins_problem_alone(
    text: str | None, registry_file: Callable[..., Path], index_file: Callable[..., Path]
) -> None:
    good = registry_file("good", entry("stargan-a"))
    bad = registry_file("bad", text=text or "")
    if text is None:
        bad.unlink()
    registry = Registry.load(Host({"bad": bad, "good": good}), index_file())
    assert list(registry.models) == ["stargan-a"]
    assert [problem.distribution for problem in registry.problems] == ["bad"]
    assert str(bad) in registry.problems[0].text
    with pytest.raises(UsageError, match="Left out for their broken registries: bad"):
        registry.get("stargan-b")
    with pytest.raises(PluginError, match="bad"):
        Registry.load(Host({"bad": bad, "good": good}, strict=True), index_file())


def test_an_id_that_is_taken_names_both_owners(
    registry_file: Callable[..., Path], index_file: Callable[..., Path]
) -> None:
    first, second = (
        registry_file("one", entry("stargan-a")),
        registry_file("two", entry("stargan-a")),
    )
    registry = Registry.load(Host({"one": first, "two": second}), index_file())
    assert registry.get("stargan-a").distribution == "one"
    assert "brought by both one and two" in registry.problems[0].text


@pytest.mark.parametrize(
    "text", ["{", '{"models": [{"id": "x"}]}', '{"models": 3}', '{"models": [{}]}', "", "[]"]
)
def test_a_damaged_index_leaves_what_is_installed(
    text: str, registry_file: Callable[..., Path], tmp_path: Path
) -> None:
    index = tmp_path / "index.json"
    index.write_text(text)
    registry = Registry.load(Host({"one": registry_file("one", entry("stargan-a"))}), index)
    assert list(registry.models) == ["stargan-a"]
    assert [problem.distribution for problem in registry.problems] == ["zoo-core"]


@pytest.mark.parametrize(
    "change",
    [
        {"weights": {"source": "hub", "repo": 3}},
        {"weights": 3},
        {"config": {"method": ["x"]}},
        {"config": {"domains": {"names": [1]}}},
        {"config": 3},
        {"task": None},
    ],
)
def test_what_cannot_be_listed_is_a_problem_and_no_traceback(
    change: dict[str, Any], registry_file: Callable[..., Path], index_file: Callable[..., Path]
) -> None:
    path = registry_file("one", {**entry("stargan-a"), **change})
    registry = Registry.load(Host({"one": path}), index_file())
    assert [problem.distribution for problem in registry.problems] == ["one"]


def test_an_entry_is_validated_when_it_is_used(
    registry_file: Callable[..., Path], index_file: Callable[..., Path]
) -> None:
    path = registry_file("one", entry("stargan-a", colour="red"))
    model = Registry.load(Host({"one": path}), index_file()).get("stargan-a")
    with pytest.raises(PluginError) as caught:
        _ = model.entry
    assert "colour" in caught.value.problem


def test_the_index_is_read_without_pydantic_and_torch() -> None:
    code = (
        "import sys\n"
        "from zoo_core.host.plugins import host\n"
        "from zoo_core.catalogue.registry import Registry\n"
        "Registry.load(host()); print(*sorted({'pydantic', 'torch', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.fixture
def catalogue(registry_file: Callable[..., Path], index_file: Callable[..., Path]) -> Registry:
    path = registry_file(
        "one",
        entry("stargan-emoji", task="emoji", names=["noto", "twemoji"]),
        entry("stargan-digits"),
        entry("cyclegan-digits"),
    )
    return Registry.load(Host({"one": path}), index_file(zoo_unit=[entry("unit-digits")]))


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["cyclegan-digits", "stargan-digits", "stargan-emoji", "unit-digits"]),
        ({"pattern": "stargan"}, ["stargan-digits", "stargan-emoji"]),
        ({"pattern": "*-emoji"}, ["stargan-emoji"]),
        ({"pattern": "STARGAN-?moji"}, ["stargan-emoji"]),
        ({"method": "cyclegan"}, ["cyclegan-digits"]),
        ({"task": "emoji"}, ["stargan-emoji"]),
        ({"domain": "usps", "method": "stargan"}, ["stargan-digits"]),
        ({"pattern": "*-digits", "installed": True}, ["cyclegan-digits", "stargan-digits"]),
        ({"method": "cyclegan", "task": "emoji"}, []),
    ],
)
def test_filters_choose_models(
    filters: dict[str, Any], expected: list[str], catalogue: Registry
) -> None:
    assert [model.id for model in catalogue.find(**filters)] == expected


@pytest.mark.parametrize(
    ("filters", "near"),
    [
        ({"pattern": "stargan-emojy"}, "stargan-emoji"),
        ({"method": "stargen"}, "stargan"),
        ({"task": "digit"}, "digits"),
        ({"domain": "twemojis"}, "twemoji"),
    ],
)
def test_a_filter_that_nothing_has_gives_the_near_match(
    filters: dict[str, Any], near: str, catalogue: Registry
) -> None:
    with pytest.raises(UsageError, match=f'Did you mean "{near}"'):
        catalogue.find(**filters)


def test_an_unknown_model_gives_the_near_match(catalogue: Registry) -> None:
    with pytest.raises(UsageError, match=r'Did you mean "stargan-emoji".*zoo list'):
        catalogue.get("stargan-emojy")
