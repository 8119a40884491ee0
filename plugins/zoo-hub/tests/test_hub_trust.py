"""Hashes: first use, what the catalogue shows of it, ``zoo verify`` and ``zoo registry pin``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import zoo
from zoo_core.catalogue.description import read_entries
from zoo_core.catalogue.registry import Registry
from zoo_core.cli import run
from zoo_core.errors import HubError, UsageError
from zoo_core.host.plugins import Plugin, PluginHost, host
from zoo_hub.cache import RepoCache, fetch
from zoo_hub.reference import Expected, Reference, parse
from zoo_hub.verify import Finding, _checked
from zoo_publish.pin import pin
from zoo_testing.hub_server import HubServer

FIRST = {"repo": "org/small", "trust": "first-use"}


@dataclass
class Shown:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch) -> Callable[..., Shown]:
    """Calls the command line."""
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str) -> Shown:
        capfd.readouterr()
        status = run(arguments)
        return Shown(status, *capfd.readouterr())

    return call


@pytest.fixture
def weights(small_model: Path) -> bytes:
    return (small_model / "model.safetensors").read_bytes()


def row(shown: Shown, name: str) -> dict[str, Any]:
    return next(row for row in shown.json if row["id"] == name)


def test_the_catalogue_shows_what_was_seen_first(
    hub: HubServer, small_model: Path, small_entry, install_models, command, weights: bytes
) -> None:
    hub.add_directory("org/small", small_model)
    install_models(small_entry("shelf-first", **FIRST))
    sha256 = hashlib.sha256(weights).hexdigest()
    assert "first use" in command("list", "shelf-*").out
    assert "the one seen first is recorded" in command("info", "shelf-first").out
    assert not row(command("list", "--json"), "shelf-first")["cached"]
    zoo.load("shelf-first", precision="float32")
    assert f"cached, {sha256[:8]}" in command("list", "shelf-*").out
    assert f"sha256 {sha256}, seen first on 20" in command("info", "shelf-first").out
    listed = row(command("list", "--json"), "shelf-first")
    assert listed["cached"]
    assert listed["first_seen"]["sha256"] == sha256


def test_the_first_hash_outlives_the_file_and_is_enforced(hub: HubServer) -> None:
    reference = parse("org/name:x.bin")
    commit = hub.add("org/name", {"x.bin": b"one"})
    fetch(reference).unlink()
    repository = hub.repository("org/name")
    assert repository is not None
    repository.commits[commit]["x.bin"] = b"two"
    with pytest.raises(HubError, match="seen first") as caught:
        fetch(reference)
    RepoCache(reference).trust.unlink()  # what the message says
    assert str(RepoCache(reference).trust) in str(caught.value)
    assert fetch(reference).read_bytes() == b"two"


def test_a_hash_of_the_registry_goes_before_what_was_seen_first(hub: HubServer) -> None:
    commit = hub.add("org/name", {"x.bin": b"one"})
    reference = parse(f"org/name@{commit}:x.bin")
    fetch(reference)
    repository = hub.repository("org/name")
    assert repository is not None
    repository.commits[commit]["x.bin"] = b"two"
    known = Expected(hashlib.sha256(b"two").hexdigest(), 3)
    assert fetch(reference, known).read_bytes() == b"two"


def test_verify_tells_whole_damaged_and_absent_files_apart(
    hub: HubServer, small_model: Path, small_entry, install_models, command
) -> None:
    commit = hub.add_directory("org/small", small_model)
    install_models(small_entry("shelf-first", **FIRST), small_entry("shelf-other", **FIRST))
    shown = command("verify", "shelf-first")
    assert (shown.status, hub.count()) == (0, 0)
    assert "not fetched yet" in shown.out
    zoo.load("shelf-first", precision="float32")
    assert "as it must be" in command("verify", "shelf-first").out
    path = RepoCache(Reference("org/small")).path(commit, "model.safetensors")
    path.write_bytes(path.read_bytes()[:-1])
    shown = command("verify", "shelf-first")
    assert shown.status == 1
    assert "WRONG" in shown.out
    assert f"{path}: it has" in shown.err
    assert "fetched again when they are used next" in shown.err
    zoo.load("shelf-first", precision="float32")
    assert command("verify", "shelf-first").status == 0


def test_verify_knows_embedded_models_and_repositories(
    hub: HubServer, small_model: Path, command
) -> None:
    commit = hub.add_directory("org/small", small_model)
    found = command("verify", "stargan-emoji", "--json").json
    assert [(f["place"], f["problem"]) for f in found] == [("embedded", None)]
    assert "nothing of it is in the cache" in command("verify", "org/small").err
    zoo.load("org/small", precision="float32")
    for name in ("org/small", f"org/small@{commit}"):
        names = {f["name"] for f in command("verify", name, "--json").json}
        assert names == {
            f"org/small@{commit}:{file}"
            for file in ("README.md", "config.yaml", "model.safetensors")
        }
    (one,) = command("verify", "org/small:config.yaml", "--json").json
    assert one["problem"] is None


def test_verify_all_covers_plugins_and_cache(hub: HubServer, small_model: Path, command) -> None:
    commit = hub.add_directory("org/small", small_model)
    zoo.load("org/small", precision="float32")
    shown = command("verify", "--all", "--json")
    names = {found["name"] for found in shown.json}
    assert {"stargan-emoji:model.safetensors", f"org/small@{commit}:config.yaml"} <= names
    assert shown.status == 0
    RepoCache(Reference("org/small")).path(commit, "config.yaml").write_text("method: other\n")
    assert command("verify", "--all").status == 1


@pytest.mark.parametrize("arguments", [(), ("stargan-emoji", "--all"), ("stargan-emojy",)])
def test_verify_refuses_what_it_cannot_mean(command, arguments: tuple[str, ...]) -> None:
    shown = command("verify", *arguments)
    assert shown.status == 2
    assert "Traceback" not in shown.err


def test_pin_writes_commit_size_and_hash_into_the_registry(
    hub: HubServer, small_model: Path, small_entry, install_models, command, tmp_path, weights
) -> None:
    commit = hub.add_directory("org/small", small_model)
    install_models(small_entry("shelf-first", **FIRST), small_entry("shelf-other", **FIRST))
    shown = command("registry", "pin", "shelf-first", "--root", str(tmp_path))
    assert shown.status == 0, shown.err
    entries = {e.id: e.weights for e in read_entries(tmp_path / "site" / "registry.yaml")}
    pinned = entries["shelf-first"]
    assert pinned.trust == "pinned"
    assert (pinned.revision, pinned.bytes) == (commit, len(weights))
    assert pinned.sha256 == hashlib.sha256(weights).hexdigest()
    assert entries["shelf-other"].trust == "first-use"
    hub.forget()
    zoo.load("shelf-first", precision="float32")
    assert hub.count("GET", "model.safetensors") == 0


def test_pin_keeps_a_revision_unless_another_is_asked_for(
    hub: HubServer, small_entry, install_models
) -> None:
    old = hub.add("org/small", {"model.safetensors": b"old"})
    new = hub.add("org/small", {"model.safetensors": b"new"})
    install_models(small_entry("shelf-first", **FIRST, revision=old))
    model = Registry.load(host()).get("shelf-first")
    assert pin(model).weights.revision == old
    model = Registry.load(host()).get("shelf-first")
    entry = pin(model, "main").weights
    assert (entry.revision, entry.bytes) == (new, 3)
    assert entry.sha256 == hashlib.sha256(b"new").hexdigest()


def test_pin_refuses_models_that_are_not_on_the_hub() -> None:
    model = Registry.load(host()).get("stargan-emoji")
    if model.entry.weights.repo is None:
        with pytest.raises(UsageError, match="not on the Hub"):
            pin(model)


def test_listing_does_not_fail_over_a_damaged_record(
    hub: HubServer, small_model: Path, small_entry, install_models, command
) -> None:
    hub.add_directory("org/small", small_model)
    install_models(small_entry("shelf-first", **FIRST))
    zoo.load("shelf-first", precision="float32")
    RepoCache(Reference("org/small")).trust.write_text("?")
    assert command("list").status == 0
    assert command("info", "shelf-first").status == 0
    shown = command("verify", "shelf-first")
    assert shown.status == 1
    assert "cannot be read" in shown.err


def test_a_failed_check_says_what_to_do_with_files_of_either_place(command, monkeypatch) -> None:
    wrong = {
        "cache": Finding("org/small:x", "cache", Path("c"), "too short"),
        "embedded": Finding("m:y", "embedded", Path("e"), "too long"),
    }
    for places, said, unsaid in (
        (["cache"], ["fetched again"], ["Reinstall"]),
        (["embedded"], ["Reinstall the plugin."], ["fetched again"]),
        (["cache", "embedded"], ["fetched again", "Reinstall the plugin."], []),
    ):
        found = [wrong[place] for place in places]
        monkeypatch.setattr("zoo_hub.verify._findings", lambda *_, found=found: found)
        shown = command("verify", "--all")
        assert shown.status == 1
        assert all(words in shown.err for words in said)
        assert not any(words in shown.err for words in unsaid)


def test_a_file_that_cannot_be_read_is_a_finding(tmp_path: Path, monkeypatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("zoo_hub.verify.verify_file", refused)
    found = _checked("n", "cache", tmp_path, Expected("0" * 64, 3))
    assert found == Finding("n", "cache", tmp_path, "Permission denied")


def test_a_name_that_is_no_repository_is_taken_for_a_misspelt_model(command) -> None:
    shown = command("verify", "stargan-emojy")
    assert shown.status == 2
    assert "stargan-emoji" in shown.err


def test_plugins_that_are_skipped_are_named_beside_the_files(
    command, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = Plugin("lost", "zoo-lost", "1.0", "it is broken")
    monkeypatch.setattr(PluginHost, "problems", (lost,))
    shown = command("verify", "stargan-emoji")
    assert shown.status == 0
    assert f"{lost.label} is skipped: it is broken" in shown.err
