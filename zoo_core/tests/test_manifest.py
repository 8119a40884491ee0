"""The schema of registry files: what is accepted, and what is said of what is not."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo_core.catalogue.manifest import ModelEntry, parse_entry, parse_file
from zoo_core.contracts.signals import Domains, TensorSpec
from zoo_core.errors import PluginError, ZooError
from zoo_core.schema import write_yaml

SHA, COMMIT = "ab" * 32, "c0" * 20
EMBEDDED = {"source": "embedded", "path": "weights/a/model.safetensors", "sha256": SHA, "bytes": 9}
HUB = {"source": "hub", "repo": "org/name", "revision": COMMIT, "file": "G.pth", "sha256": SHA}


def entry(**changes: Any) -> dict[str, Any]:
    """A whole entry, changed: ``weights__sha256`` reaches into a mapping, ``...`` removes."""
    values: dict[str, Any] = {
        "id": "stargan-emoji",
        "method": "stargan",
        "task": "emoji-style",
        "domains": {"names": ["noto", "twemoji"]},
        "options": {"width": 32},
        "signal": {"kind": "image", "shape": [3, 64, 64]},
        "preprocessing": {"background": "white"},
        "weights": dict(EMBEDDED),
        "golden": {"path": "weights/a/golden.safetensors", "sha256": SHA, "bytes": 5},
        "nets": {"generator": 100},
        "metrics": [{"name": "L1", "value": 0.5, "protocol": "200 pictures", "published": 0.4}],
    }
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
    parsed = parse_entry(entry(), "registry x")
    assert parsed.signal.spec == TensorSpec(shape=(3, 64, 64))
    assert parsed.domains.domains == Domains(("noto", "twemoji"))
    assert parsed.metrics[0].published == 0.4
    assert parsed.licence.weights == "Apache-2.0"


def test_an_entry_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        parse_entry(entry(), "registry x").id = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    "weights",
    [
        HUB,
        {**HUB, "repo_type": "space", "format": "cyclegan-official", "bytes": 3},
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
        ({"licens": {}}, r'unknown key "licens" \(did you mean "licence"\?\)'),
        ({"weights__sha265": SHA}, r'"weights.sha265" \(did you mean "sha256"\?\)'),
        ({"metrics": [{"nam": "a", "value": 1, "protocol": "p"}]}, r'did you mean "name"'),
        ({"method": ...}, '"method" is missing'),
        ({"weights": ...}, '"weights" is missing'),
        ({"id": "Star GAN"}, '"id" must be lowercase letters'),
        ({"id": 3}, '"id": input should be a valid string, got 3'),
        ({"weights__sha256": "ab"}, '"weights.sha256" must be 64 lowercase hexadecimal'),
        ({"weights__sha256": SHA.upper()}, "64 lowercase hexadecimal"),
        ({"weights__sha256": ...}, "embedded weights need sha256"),
        ({"weights__bytes": ...}, "embedded weights need bytes"),
        ({"weights__bytes": 0}, '"weights.bytes": input should be greater than 0'),
        ({"weights__bytes": "many"}, "valid integer"),
        ({"weights__path": ...}, "embedded weights need path"),
        ({"weights__path": "../other"}, "stays inside its folder"),
        ({"weights__path": "/etc/passwd"}, "stays inside its folder"),
        ({"weights__path": "a\\b"}, "stays inside its folder"),
        ({"weights__source": "disk"}, "'embedded' or 'hub', got 'disk'"),
        ({"weights": {**HUB, "revision": "main"}}, '"weights.revision" must be 40 lowercase'),
        ({"weights": {k: v for k, v in HUB.items() if k != "revision"}}, "need revision"),
        ({"weights": {k: v for k, v in HUB.items() if k != "sha256"}}, "need sha256"),
        ({"weights": {**HUB, "repo": "name"}}, "ORGANISATION/NAME"),
        ({"weights": {**HUB, "trust": "first-use"}}, "this one is given"),
        ({"weights": {**EMBEDDED, "trust": "first-use"}}, "this one is given"),
        ({"domains__names": []}, "domains.names"),
        ({"domains__names": ["a", "a"]}, "named twice"),
        ({"domains__exclusive": [["noto", "apple"]]}, '"apple"'),
        ({"signal__shape": [3, 0, 4]}, "greater than 0"),
        ({"signal__low": float("nan")}, "not a finite number"),
        ({"nets": {"generator": -1}}, "nets.generator"),
        ({"metrics": [{"name": "a", "value": float("inf"), "protocol": "p"}]}, "finite"),
        ({"metrics": {"a": 1}}, '"metrics"'),
        ({"seconds": 0}, '"seconds"'),
    ],
)
def test_a_wrong_entry_is_refused_by_name_and_reason(
    changes: dict[str, Any], expected: str
) -> None:
    with pytest.raises(PluginError, match=expected) as caught:
        parse_entry(entry(**changes), "registry some/registry.yaml")
    assert caught.value.asked is not None
    assert caught.value.asked.startswith("registry some/registry.yaml")
    if isinstance(changes.get("id", ""), str):
        assert 'model "' in caught.value.asked


def test_all_faults_of_an_entry_are_told_at_once() -> None:
    with pytest.raises(PluginError, match='unknown key "colour"') as caught:
        parse_entry(entry(colour=1, weights__bytes=-1), "x")
    assert '"weights.bytes"' in str(caught.value)
    assert "\n" not in str(caught.value)


def write(folder: Path, text: str) -> Path:
    path = folder / "registry.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_gives_its_entries_in_order(tmp_path: Path) -> None:
    path = write(tmp_path, write_yaml({"models": [entry(id="b"), entry(id="a")]}))
    assert [parsed.id for parsed in parse_file(path)] == ["b", "a"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("models: [", "not valid YAML"),
        ("models: []\nmodels: []", "given twice"),
        ("models: []\nmodel: []", 'unknown key "model"'),
        ("models: {}", 'no list under "models"'),
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
        parse_file(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="No such file"):
        parse_file(tmp_path / "registry.yaml")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "registry.yaml"
    path.write_bytes(b"\xff\xfe\x00models")
    with pytest.raises(PluginError, match="not a text file"):
        parse_file(path)


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
