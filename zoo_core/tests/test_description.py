"""What registries may say of models: what is accepted, and what is said of what is not."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo_core.catalogue.description import ModelEntry, parse_entry, read_entries
from zoo_core.contracts.signals import Domains, TensorSpec
from zoo_core.errors import PluginError, ZooError
from zoo_core.schema import plain, write_yaml

SHA, COMMIT = "ab" * 32, "c0" * 20
EMBEDDED = {"source": "embedded", "path": "weights/a/model.safetensors", "sha256": SHA, "bytes": 9}
HUB = {"source": "hub", "repo": "org/name", "revision": COMMIT, "file": "G.pth", "sha256": SHA}
CONFIG = {
    "method": "stargan",
    "options": {"width": 32},
    "domains": {"names": ["noto", "twemoji"]},
    "signal": {"kind": "image", "shape": [3, 64, 64]},
    "preprocessing": {"scale": "own"},
}


def entry(**changes: Any) -> dict[str, Any]:
    """A whole entry, changed: ``weights__sha256`` reaches into a mapping, ``...`` removes."""
    values: dict[str, Any] = {
        "id": "stargan-emoji",
        "task": "emoji-style",
        "weights": dict(EMBEDDED),
        "metrics": [{"name": "L1", "value": 0.5, "protocol": "200 pictures", "published": 0.4}],
    }
    return changed(values, changes)


def foreign(**changes: Any) -> dict[str, Any]:
    """An entry of weights in a foreign format, changed."""
    weights = {**HUB, "format": "stargan-official"}
    return changed({**entry(weights=weights), "config": copy.deepcopy(CONFIG)}, changes)


def changed(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    for key, value in changes.items():
        *path, last = key.split("__")
        place = values
        for part in path:
            place = place[part]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    return values


def test_an_entry_gives_what_nets_and_codecs_take() -> None:
    parsed = parse_entry(foreign(), "registry x")
    assert parsed.config is not None
    assert parsed.config.signal == TensorSpec(shape=(3, 64, 64))
    assert parsed.config.domains == Domains(("noto", "twemoji"))
    assert parsed.metrics[0].published == 0.4
    assert parsed.licence.weights == "Apache-2.0"


def test_an_entry_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        parse_entry(entry(), "registry x").id = "other"  # type: ignore[misc]


def test_an_entry_in_plain_values_is_the_same_entry() -> None:
    for values in (entry(), foreign(), entry(weights={**HUB, "repo_type": "space"})):
        parsed = parse_entry(values, "registry x")
        assert parse_entry(plain(parsed), "registry x") == parsed


@pytest.mark.parametrize(
    "weights",
    [
        HUB,
        {**HUB, "repo_type": "space", "bytes": 3},
        {**{k: v for k, v in HUB.items() if k not in ("sha256", "revision")}, "trust": "first-use"},
        {**{k: v for k, v in HUB.items() if k != "sha256"}, "trust": "first-use"},
        {**EMBEDDED, "repo": "org/name", "revision": COMMIT, "file": "model.safetensors"},
    ],
)
def test_weights_may_come_from_several_places(weights: dict[str, Any]) -> None:
    assert parse_entry(entry(weights=weights), "x").weights.source == weights["source"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"licens": {}}, 'unknown key "licens" (did you mean "licence"?)'),
        ({"weights__sha265": SHA}, '"weights.sha265" (did you mean "weights.sha256"?)'),
        ({"metrics": [{"nam": "a", "value": 1, "protocol": "p"}]}, 'mean "metrics.name"'),
        ({"task": ...}, '"task" is missing'),
        ({"weights": ...}, '"weights" is missing'),
        ({"method": "stargan"}, 'unknown key "method"'),
        ({"config": CONFIG}, "the model directory describes these weights"),
        ({"id": "Star GAN"}, "id must be lowercase letters"),
        ({"id": 3}, '"id": input should be a valid string, got 3'),
        ({"weights__sha256": "ab"}, "sha256 must be 64 lowercase hexadecimal digits, got 'ab'"),
        ({"weights__sha256": SHA.upper()}, "64 lowercase hexadecimal"),
        ({"weights__sha256": ...}, "embedded weights need sha256"),
        ({"weights__bytes": ...}, "embedded weights need bytes"),
        ({"weights__bytes": 0}, "bytes must be positive"),
        ({"weights__bytes": "many"}, "valid integer"),
        ({"weights__path": ...}, "embedded weights need path"),
        ({"weights__path": "../other"}, "stays inside its folder"),
        ({"weights__path": "/etc/passwd"}, "stays inside its folder"),
        ({"weights__path": "a\\b"}, "stays inside its folder"),
        ({"weights__source": "disk"}, "'embedded' or 'hub', got 'disk'"),
        ({"weights": {**HUB, "revision": "main"}}, "a commit of 40 lowercase"),
        ({"weights": {**HUB, "revision": COMMIT.upper()}}, "a commit of 40 lowercase"),
        ({"weights": {k: v for k, v in HUB.items() if k != "revision"}}, "need revision"),
        ({"weights": {k: v for k, v in HUB.items() if k != "sha256"}}, "need sha256"),
        ({"weights": {**HUB, "repo": "name"}}, "ORGANISATION/NAME"),
        ({"weights": {**HUB, "repo": "../.."}}, "ORGANISATION/NAME"),
        ({"weights": {**HUB, "repo": "a/.."}}, "ORGANISATION/NAME"),
        ({"weights": {**HUB, "file": "../x"}}, "stays inside its folder"),
        ({"weights": {**HUB, "trust": "first-use"}}, "this one is given"),
        ({"weights": {**EMBEDDED, "trust": "first-use"}}, "this one is given"),
        ({"metrics": [{"name": "a", "value": float("inf"), "protocol": "p"}]}, "finite"),
        ({"metrics": {"a": 1}}, "metrics.a"),
        ({"seconds": 0}, "seconds must be positive"),
        ({"summary": "x" * 5000}, "more than 4000 characters"),
    ],
)
def test_a_wrong_entry_is_refused_by_name_and_reason(
    changes: dict[str, Any], expected: str
) -> None:
    with pytest.raises(PluginError) as caught:
        parse_entry(entry(**changes), "registry some/registry.yaml")
    assert expected in caught.value.problem
    assert caught.value.asked is not None
    assert caught.value.asked.startswith("registry some/registry.yaml")
    if isinstance(changes.get("id", ""), str):
        assert 'model "' in caught.value.asked


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"config": ...}, "need a config"),
        ({"config__method": ...}, '"config.method" is missing'),
        ({"config__domains__names": ["a", "a"]}, "named twice"),
        ({"config__domains__exclusive": [["noto", "apple"]]}, '"apple"'),
        ({"config__signal__shape": [3, 0, 4]}, "positive"),
        ({"config__signal__shape": [3, 99999, 99999]}, "numbers in one signal"),
        ({"config__signal__stride": -4}, "stride"),
        ({"config__signal__stride": 10**9}, "stride"),
        ({"config__signal__flexible": 99}, "flexible"),
        ({"config__signal__low": float("nan")}, "low"),
        ({"config__domains__names": [f"d{n}" for n in range(2000)]}, "2,000 domains"),
        ({"config__options": {"f": "timm:x@/etc/passwd"}}, "no paths or addresses"),
        ({"config__options": {"f": {"arguments": {"checkpoint_path": "a/b.bin"}}}}, "no paths"),
        ({"config__preprocessing": {"scale": "https://evil.example"}}, "no paths"),
        ({"config__optoins": {}}, '(did you mean "config.options"?)'),
    ],
)
def test_a_wrong_configuration_of_foreign_weights_is_refused(
    changes: dict[str, Any], expected: str
) -> None:
    with pytest.raises(PluginError) as caught:
        parse_entry(foreign(**changes), "registry x")
    assert expected in caught.value.problem


def test_all_faults_of_an_entry_are_told_at_once() -> None:
    with pytest.raises(PluginError) as caught:
        parse_entry(entry(colour=1, weights__size=1), "x")
    assert '"colour"' in caught.value.problem
    assert '"weights.size"' in caught.value.problem
    with pytest.raises(PluginError) as caught:
        parse_entry(entry(task=1, weights__bytes="many"), "x")
    assert '"task"' in caught.value.problem
    assert '"weights.bytes"' in caught.value.problem
    assert "\n" not in str(caught.value)


def write(folder: Path, text: str) -> Path:
    path = folder / "registry.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_gives_its_entries_in_order(tmp_path: Path) -> None:
    path = write(tmp_path, write_yaml({"models": [entry(id="b"), entry(id="a")]}))
    assert [parsed.id for parsed in read_entries(path)] == ["b", "a"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("models: [", "not valid YAML"),
        ("models: []\nmodels: []", "given twice"),
        ("models: []\nmodel: []", 'one list, under "models"'),
        ("models: {}", 'one list, under "models"'),
        ("[]", "not a mapping"),
        ("", "not a mapping"),
        ("models: [7]", "entry 1"),
        ("models: [!!python/object/apply:os.system [ls]]", "not valid YAML"),
        ("models: [&a [*a]]", "alias"),
        ("\x00", "not valid YAML"),
        (
            write_yaml({"models": [entry(), entry()]}),
            'model "stargan-emoji": this id is there twice',
        ),
    ],
)
def test_a_wrong_file_is_refused_with_its_name(text: str, expected: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(PluginError, match=expected) as caught:
        read_entries(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="No such file"):
        read_entries(tmp_path / "registry.yaml")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "registry.yaml"
    path.write_bytes(b"\xff\xfe\x00models")
    with pytest.raises(PluginError, match="not a text file"):
        read_entries(path)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all values within a nested structure."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    inner = [
        deep
        for key, item in items
        if isinstance(item, dict | list)
        for deep in places(item, (*path, key))
    ]
    keys = value if isinstance(value, dict) else range(len(value))
    return [(*path, key) for key in keys] + inner


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.just([]),
    st.just({}), st.lists(st.integers(), max_size=2), st.just({"x": 1}), st.just("../x"),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(place=st.sampled_from(places(entry())), junk=JUNK, new=st.booleans())
def test_any_mutation_gives_an_entry_or_a_clear_error(
    place: tuple[Any, ...], junk: Any, new: bool
) -> None:
    values = copy.deepcopy(entry())
    target: Any = values
    for key in place[:-1]:
        target = target[key]
    if new and isinstance(target, dict):
        target["unheard_of"] = junk
    else:
        target[place[-1]] = junk
    text = "registry x"
    try:
        parsed: ModelEntry | None = parse_entry(values, text)
    except ZooError as error:
        parsed, text = None, str(error)
    assert parsed is None or parsed.id
    assert text.startswith("registry x")
