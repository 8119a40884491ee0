"""Models by name from the Hub: fetched once, verified always, offline afterwards."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import zoo
from zoo_core.errors import HubError, UsageError
from zoo_hub import settings
from zoo_hub.cache import RepoCache, fetch
from zoo_hub.reference import Reference, parse
from zoo_testing.hub_server import TOKEN, Close, HubServer, Status, Truncate

BIG = os.urandom(600_000)
EMOJI = Path(__file__).parents[2] / "zoo-stargan/src/zoo_stargan/weights/stargan-emoji-64"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def facts(path: Path) -> dict[str, object]:
    return {"sha256": digest(path), "bytes": path.stat().st_size}


def outputs(translator: zoo.Translator) -> torch.Tensor:
    picture = torch.linspace(-1, 1, 3 * 32 * 32).reshape(3, 32, 32)
    return translator(picture, to="b")


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("org/repo", Reference("org/repo")),
        ("org/repo@main", Reference("org/repo", revision="main")),
        ("org/repo@refs/pr/1", Reference("org/repo", revision="refs/pr/1")),
        ("spaces/org/repo.x", Reference("org/repo.x", "space")),
        ("datasets/o/r@v1:a/b.bin", Reference("o/r", "dataset", "v1", "a/b.bin")),
        ("org/repo:model.safetensors", Reference("org/repo", file="model.safetensors")),
    ],
)
def test_references_are_read_and_written(text: str, reference: Reference) -> None:
    assert parse(text) == reference
    assert str(reference) == text


@pytest.mark.parametrize(
    "text", ["repo", "a/b/c", "org/repo@", "org/repo:", "org/re po", "/org/repo", "../x/y@main"]
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="form of a model on the Hub"):
        parse(text)


@pytest.mark.parametrize("file", ["../x", "/etc/passwd", "a/../../x", "a\\b", "x/"])
def test_a_file_outside_the_repository_is_refused(file: str) -> None:
    with pytest.raises(UsageError, match="inside the repository"):
        parse(f"org/repo:{file}")


@pytest.mark.parametrize("kind", ["model", "space"])
def test_a_repository_loads_with_and_without_a_revision(
    hub: HubServer, small_model: Path, kind: str
) -> None:
    commit = hub.add_directory("org/small", small_model, kind=kind)
    name = "org/small" if kind == "model" else "spaces/org/small"
    there = outputs(zoo.load(name, precision="float32"))
    assert torch.equal(there, outputs(zoo.load(small_model, precision="float32")))
    hub.forget()
    assert torch.equal(there, outputs(zoo.load(f"{name}@{commit}", precision="float32")))
    zoo.load(name, precision="float32")
    assert hub.count() == 0


def test_a_path_that_is_not_there_may_also_be_a_repository_and_both_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(HubError) as caught:
        zoo.load("some/where")
    assert "not in the cache" in caught.value.problem
    assert "no directory some/where" in str(caught.value.hint)


def test_a_model_in_a_folder_of_a_repository_loads(hub: HubServer, small_model: Path) -> None:
    files = {f"inner/{path.name}": path for path in small_model.iterdir()}
    commit = hub.add("org/many", files)
    one = zoo.load("org/many:inner", precision="float32")
    two = zoo.load(f"org/many@{commit}:inner/model.safetensors", precision="float32")
    assert torch.equal(outputs(one), outputs(two))
    assert "# small" in one.card.text


def test_a_repository_without_a_card_is_asked_for_it_once(
    hub: HubServer, small_model: Path
) -> None:
    files = {path.name: path for path in small_model.iterdir() if path.suffix != ".md"}
    hub.add("org/bare", files)
    zoo.load("org/bare", precision="float32")
    hub.forget()
    zoo.load("org/bare", precision="float32")
    assert hub.count() == 0


def test_only_what_a_translation_needs_is_fetched(hub: HubServer, small_model: Path) -> None:
    hub.add_directory("org/small", small_model)
    zoo.load("org/small", precision="float32")
    fetched = {Path(seen.path).name for seen in hub.requests if seen.method == "GET"}
    assert fetched == {"config.yaml", "model.safetensors", "README.md"}


@pytest.mark.parametrize("kind", ["model", "space"])
def test_a_registry_entry_loads_from_the_hub_once(
    hub: HubServer, small_model: Path, small_entry, install_models, kind: str
) -> None:
    commit = hub.add_directory("org/small", small_model, kind=kind)
    known = facts(small_model / "model.safetensors")
    install_models(
        small_entry("shelf-small", repo="org/small", repo_type=kind, revision=commit, **known)
    )
    there = outputs(zoo.load("shelf-small", precision="float32"))
    assert [seen.method for seen in hub.requests] == ["HEAD", "GET"] * 3
    hub.forget()
    assert torch.equal(there, outputs(zoo.load("shelf-small", precision="float32")))
    assert hub.count() == 0


def test_it_works_offline_after_the_first_load(
    hub: HubServer, small_model: Path, small_entry, install_models, monkeypatch
) -> None:
    commit = hub.add_directory("org/small", small_model)
    known = facts(small_model / "model.safetensors")
    install_models(small_entry("shelf-small", repo="org/small", revision=commit, **known))
    for name in ("shelf-small", "org/small", f"org/small@{commit}", "org/small@main"):
        zoo.load(name, precision="float32")
    hub.close()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("shelf-small", "org/small", f"org/small@{commit}", "org/small@main"):
        assert zoo.load(name, precision="float32").domains.names == ("a", "b")


def test_embedded_weights_go_before_the_hub_and_the_hub_replaces_absent_ones(
    hub: HubServer, small_model: Path, small_entry, install_models, tmp_path: Path
) -> None:
    commit = hub.add_directory("org/small", small_model)
    known = facts(small_model / "model.safetensors")
    install_models(
        small_entry(
            "shelf-small",
            repo="org/small",
            revision=commit,
            path="weights/model.safetensors",
            **known,
        )
    )
    embedded = tmp_path / "site" / "weights"
    shutil.copytree(small_model, embedded)
    zoo.load("shelf-small", precision="float32")
    assert hub.count() == 0
    shutil.rmtree(embedded)
    zoo.load("shelf-small", precision="float32")
    assert hub.count("GET", "model.safetensors") == 1


def test_without_a_revision_the_commit_seen_first_stays_and_a_branch_moves(
    hub: HubServer,
) -> None:
    reference = Reference("org/name", file="x.bin")
    hub.add("org/name", {"x.bin": b"old"})
    assert fetch(reference).read_bytes() == b"old"
    hub.add("org/name", {"x.bin": b"new"})
    assert fetch(reference).read_bytes() == b"old"
    assert fetch(parse("org/name@main:x.bin")).read_bytes() == b"new"
    assert fetch(reference).read_bytes() == b"old"


def test_a_branch_means_the_commit_seen_last_while_the_hub_is_down(
    hub: HubServer, monkeypatch
) -> None:
    monkeypatch.setenv("ZOO_HUB_TIMEOUT", "0.5")
    reference = parse("org/name@main:x.bin")
    hub.add("org/name", {"x.bin": b"content"})
    fetch(reference)
    hub.misbehave(Status(503))
    assert fetch(reference).read_bytes() == b"content"


def test_a_pull_request_is_a_revision(hub: HubServer) -> None:
    hub.add("org/name", {"x.bin": b"main"})
    hub.add("org/name", {"x.bin": b"proposed"}, ref="refs/pr/2")
    assert fetch(parse("org/name@refs/pr/2:x.bin")).read_bytes() == b"proposed"


@pytest.mark.parametrize("place", ["environment", "file"])
def test_a_token_from_the_usual_places_opens_a_private_repository(
    hub: HubServer, tmp_path: Path, monkeypatch, place: str
) -> None:
    hub.add("org/secret", {"x.bin": BIG}, private=True)
    hub.redirecting = True
    if place == "environment":
        monkeypatch.setenv("HF_TOKEN", TOKEN)
    else:
        (tmp_path / "hf").mkdir(exist_ok=True)
        (tmp_path / "hf" / "token").write_text(TOKEN + "\n")
    assert fetch(parse("org/secret:x.bin")).read_bytes() == BIG
    assert [seen.token for seen in hub.requests if seen.store] == [False]  # not to another host


def test_a_renamed_repository_is_followed(hub: HubServer) -> None:
    commit = hub.add("org/new", {"x.bin": BIG})
    for revision in ("main", commit):
        place = {"Location": f"/org/new/resolve/{revision}/x.bin"}
        hub.misbehave(Status(307, headers=place), path=f"/org/old/resolve/{revision}/")
    assert fetch(parse("org/old:x.bin")).read_bytes() == BIG


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_fault_is_tried_again(hub: HubServer, status: int) -> None:
    hub.add("org/name", {"x.bin": BIG})
    for method in ("HEAD", "GET"):
        hub.misbehave(Status(status), method=method, times=1)
    assert fetch(parse("org/name:x.bin")).read_bytes() == BIG
    assert (hub.count("HEAD"), hub.count("GET")) == (2, 2)


def test_a_pause_that_the_hub_asks_for_is_kept(hub: HubServer) -> None:
    hub.add("org/name", {"x.bin": BIG})
    hub.misbehave(Status(429, headers={"Retry-After": "1"}), times=1)
    start = time.monotonic()
    fetch(parse("org/name:x.bin"))
    assert 1 <= time.monotonic() - start < 4


def test_a_download_that_breaks_off_goes_on_where_it_stopped(hub: HubServer) -> None:
    hub.add("org/name", {"x.bin": BIG})
    hub.misbehave(Close(), method="GET", times=1)
    hub.misbehave(Truncate(0.5), method="GET", times=2)
    assert fetch(parse("org/name:x.bin")).read_bytes() == BIG
    ranges = [seen.range for seen in hub.requests if seen.method == "GET"]
    assert ranges == ["", "bytes=300000-", "bytes=450000-", "bytes=450000-"]


def test_what_a_stopped_process_left_is_gone_on_with_unless_it_is_damaged(hub: HubServer) -> None:
    reference = parse(f"org/name@{hub.add('org/name', {'x.bin': BIG})}:x.bin")
    part = RepoCache(reference).path(str(reference.revision), ".x.bin.part")
    for left, gets in ((BIG[:1000], ["bytes=1000-"]), (b"?" * 1000, ["bytes=1000-", ""])):
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(left)
        hub.forget()
        path = fetch(reference)
        assert path.read_bytes() == BIG
        assert [seen.range for seen in hub.requests if seen.method == "GET"] == gets
        path.unlink()


def test_a_damaged_file_in_the_cache_is_fetched_again(hub: HubServer) -> None:
    reference = parse("org/name:x.bin")
    hub.add("org/name", {"x.bin": BIG})
    path = fetch(reference)
    path.write_bytes(BIG[:-1] + bytes([BIG[-1] ^ 1]))
    hub.forget()
    assert fetch(reference).read_bytes() == BIG
    assert hub.count("GET") == 1


def test_a_cache_that_cannot_be_written_still_serves_what_it_holds(
    hub: HubServer, monkeypatch
) -> None:
    reference = parse("org/name:x.bin")
    hub.add("org/name", {"x.bin": BIG})
    fetch(reference)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr("filelock.FileLock", refuse)
    assert fetch(reference).read_bytes() == BIG


def test_threads_that_ask_at_once_download_once(hub: HubServer) -> None:
    hub.add("org/name", {"x.bin": BIG})
    hub.rate = 2e6
    paths: list[Path] = []
    threads = [
        threading.Thread(target=lambda: paths.append(fetch(parse("org/name:x.bin"))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [path.read_bytes() == BIG for path in paths] == [True] * 4
    assert hub.count("GET") == 1


FETCHING = """
import sys, time
from pathlib import Path
from zoo_hub import cache, reference, transfer
Path(sys.argv[1]).touch()
while not Path(sys.argv[2]).exists():
    time.sleep(0.01)
print(cache.fetch(reference.parse("org/emoji:model.safetensors")))
"""


def start(tmp_path: Path, name: str) -> subprocess.Popen[str]:
    """A process that fetches weights as soon as the file NAME.go appears."""
    return subprocess.Popen(
        [sys.executable, "-c", FETCHING, str(tmp_path / name), str(tmp_path / f"{name}.go")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def test_a_killed_process_harms_nobody_and_two_others_go_on_with_one_download(
    hub: HubServer, tmp_path: Path
) -> None:
    commit = hub.add_directory("org/emoji", EMOJI)
    hub.rate = 4e6
    part = RepoCache(Reference("org/emoji")).path(commit, ".model.safetensors.part")
    killed, *others = [start(tmp_path, name) for name in ("killed", "first", "second")]
    try:
        wait_for(lambda: all((tmp_path / n).exists() for n in ("killed", "first", "second")))
        (tmp_path / "killed.go").touch()
        wait_for(lambda: part.is_file() and part.stat().st_size > 300_000)
        killed.kill()
        killed.communicate(timeout=10)
        left = part.stat().st_size
        assert 0 < left < 2_908_800
        for name in ("first", "second"):
            (tmp_path / f"{name}.go").touch()
        paths = {process.communicate(timeout=60)[0].strip() for process in others}
    finally:
        for process in (killed, *others):
            process.kill()
            process.communicate(timeout=10)
    whole = RepoCache(Reference("org/emoji")).path(commit, "model.safetensors")
    assert paths == {str(whole)}
    gets = [seen.range for seen in hub.requests if seen.method == "GET"]
    assert gets == ["", f"bytes={left}-"]
    assert digest(whole) == digest(EMOJI / "model.safetensors")
    assert not part.exists()
    assert zoo.load("org/emoji", precision="float32").domains.names == (
        "noto",
        "openmoji",
        "twemoji",
    )


def test_a_terminal_shows_the_size_before_the_download_and_a_pipe_nothing(
    hub: HubServer, monkeypatch, capfd
) -> None:
    hub.add("org/name", {"x.bin": BIG, "y.bin": BIG})
    fetch(parse("org/name:x.bin"))
    assert capfd.readouterr().err == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    hub.misbehave(Status(403), method="GET")
    with pytest.raises(HubError):
        fetch(parse("org/name:y.bin"))
    assert "Fetching y.bin of org/name, 0.6 MB" in capfd.readouterr().err


def test_settings_are_read_when_they_are_needed(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "here"))
    assert settings.cache_root() == tmp_path / "here"
    monkeypatch.delenv("ZOO_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert settings.cache_root() == tmp_path / "zoo"
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror.example/")
    assert settings.endpoint() == "http://mirror.example"
    monkeypatch.setenv("HF_HUB_OFFLINE", "yes")
    assert settings.offline()
    monkeypatch.setenv("ZOO_HUB_TIMEOUT", "2.5")
    assert settings.timeout() == 2.5
