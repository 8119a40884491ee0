"""Which foreign file a reference names, what it must be, and as what it is converted."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from zoo_core.catalogue.description import parse_entry
from zoo_core.errors import UsageError, WeightsError
from zoo_hub.reference import ANY, Expected, parse
from zoo_import import foreign, plugin
from zoo_import.foreign import fetch_foreign, open_reference

COMMIT = "1" * 40
HOST: Any = object()


@pytest.fixture(autouse=True)
def done(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What was fetched and converted; nothing is."""
    seen: dict[str, Any] = {}

    def fetch(reference: Any, expected: Any = ANY, *, asked: str) -> Path:
        seen.update(reference=str(reference), expected=expected, asked=asked)
        return Path("fetched.pth")

    def converted(path: Path, entry: Any, *, host: Any) -> Path:
        seen.update(path=path, entry=entry, host=host)
        return Path("made/model.safetensors")

    def import_unregistered(path: Path, name: str, *, host: Any) -> Path:
        seen.update(path=path, name=name, host=host)
        return Path("adopted")

    monkeypatch.setattr(foreign, "fetch", fetch)
    monkeypatch.setattr(foreign, "converted", converted)
    monkeypatch.setattr(foreign, "import_unregistered", import_unregistered)
    return seen


def model(**given: Any) -> Any:
    """A model of the catalogue with foreign weights."""
    facts = {"repo": "some/one", "file": "w.pth", "format": "published"} | given
    weights = SimpleNamespace(
        file=facts["file"], revision=facts.get("revision", COMMIT), sha256="2" * 64, bytes=7
    )
    return SimpleNamespace(
        installed=given.pop("installed", True),
        data={"weights": facts},
        entry=SimpleNamespace(weights=weights),
    )


def registry(*models: Any) -> Any:
    return SimpleNamespace(models=dict(enumerate(models)))


def test_a_registered_repository_needs_no_file(done: dict[str, Any]) -> None:
    known = model()
    found = fetch_foreign(parse("some/one"), registry(model(repo="some/other"), known), HOST)
    assert found == Path("made")
    assert done == {
        "reference": f"some/one@{COMMIT}:w.pth",
        "expected": Expected("2" * 64, 7),
        "asked": 'model "some/one"',
        "path": Path("fetched.pth"),
        "entry": known.entry,
        "host": HOST,
    }


def test_of_several_models_of_a_repository_the_file_says_which(done: dict[str, Any]) -> None:
    known = registry(model(file="b.pth"), model(file="a.pth"))
    with pytest.raises(UsageError) as caught:
        fetch_foreign(parse("some/one"), known, HOST)
    assert caught.value.problem == "it holds several models: a.pth, b.pth"
    fetch_foreign(parse("some/one:b.pth"), known, HOST)
    assert done["entry"] is known.models[0].entry


@pytest.mark.parametrize(
    ("revision", "expected"), [(COMMIT, Expected("2" * 64, 7)), ("3" * 40, ANY), ("main", ANY)]
)
def test_only_the_revision_that_was_registered_must_be_the_registered_file(
    revision: str, expected: Expected, done: dict[str, Any]
) -> None:
    fetch_foreign(parse(f"some/one@{revision}"), registry(model()), HOST)
    assert done["expected"] == expected
    assert done["reference"] == f"some/one@{revision}:w.pth"


@pytest.mark.parametrize(
    "other",
    [
        {"repo": "some/other"},
        {"installed": False},
        {"repo_type": "space"},
        {"format": "safetensors"},
        {"format": None},
        {"file": "v.pth"},
    ],
)
def test_what_the_catalogue_says_of_other_weights_does_not_count(
    other: dict[str, Any], done: dict[str, Any]
) -> None:
    known = model(**other)
    if other.get("format", "") is None:
        del known.data["weights"]["format"]
    found = fetch_foreign(parse("some/one:w.pth"), registry(known), HOST)
    assert found == Path("adopted")
    assert done == {
        "reference": "some/one:w.pth",
        "expected": ANY,
        "asked": 'model "some/one:w.pth"',
        "path": Path("fetched.pth"),
        "name": "some/one:w.pth",
        "host": HOST,
    }


def test_a_space_is_named_as_one(done: dict[str, Any]) -> None:
    known = model(repo_type="space")
    fetch_foreign(parse("spaces/some/one"), registry(known), HOST)
    assert done["entry"] is known.entry


@pytest.mark.parametrize(
    "reference",
    [
        "some/one",
        "some/one:folder/model",
        "some/one:model.safetensors",
        "some/one:a/config.yaml",
    ],
)
def test_a_reference_to_no_foreign_file_is_left_to_others(
    reference: str, done: dict[str, Any]
) -> None:
    assert fetch_foreign(parse(reference), registry(), HOST) is None
    assert not done


ENTRY = {
    "id": "tiny-model",
    "task": "style",
    "config": {
        "method": "tiny",
        "domains": {"names": ["x", "y"], "kind": "domains"},
        "options": {},
        "signal": {"shape": [3, 8, 8]},
    },
    "weights": {
        "source": "hub",
        "repo": "some/one",
        "file": "w.pth",
        "format": "published",
        "trust": "first-use",
    },
}


def test_a_file_with_its_entry_is_converted_as_the_entry_says(
    done: dict[str, Any], tmp_path: Path
) -> None:
    assert open_reference("some/one", ENTRY, tmp_path / "w.pth") == Path("made")
    assert done["path"] == tmp_path / "w.pth"
    assert done["entry"] == parse_entry(ENTRY, "test")


def test_neither_file_nor_reference_opens_nothing(done: dict[str, Any]) -> None:
    assert open_reference(None, None, None) is None
    assert open_reference(None, ENTRY, None) is None
    assert not done


def test_a_reference_is_looked_up_in_the_catalogue(done: dict[str, Any]) -> None:
    assert open_reference("some/one:w.pth", None, None) == Path("adopted")
    assert done["name"] == "some/one:w.pth"


HEADER = b"\x02\0\0\0\0\0\0\0{}"
"""A safetensors file of no tensors."""


def test_the_hook_of_the_plugin_opens_it(done: dict[str, Any]) -> None:
    assert plugin.zoo_open_reference("some/one:w.pth", None, None) == Path("adopted")
    assert done["name"] == "some/one:w.pth"


@pytest.mark.parametrize(
    ("name", "content", "kind", "hint"),
    [
        ("model.safetensors", HEADER, "the weights of a model", "Give the directory: {folder}."),
        ("w.bin", HEADER, "a file, perhaps a checkpoint", "zoo import {path} --domain A"),
        ("w.png", b"\x89PNG\r\n\x1a\n" + bytes(40), "a PNG picture", "zoo translate"),
    ],
)
def test_a_file_that_is_named_as_a_model_is_told_for_what_it_is(
    name: str, content: bytes, kind: str, hint: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(WeightsError) as caught:
        open_reference(None, None, path)
    assert caught.value.asked == f'model "{path}"'
    assert kind in caught.value.problem
    assert hint.format(folder=tmp_path, path=path) in (caught.value.hint or "")
