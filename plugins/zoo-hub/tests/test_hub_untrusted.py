"""What a server answers is data of a stranger: it writes nowhere else and ends within bounds."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from zoo_core.cli import run
from zoo_core.errors import HubError, HubUnreachableError, UsageError
from zoo_core.untrusted import is_commit, is_repo
from zoo_hub.cache import RepoCache, fetch
from zoo_hub.reference import Expected, Reference, looks_like, parse
from zoo_hub.settings import endpoint
from zoo_testing.hub_server import Claim, Drip, Endless, HubServer, Status

COMMIT = "0123456789" * 4


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "commit",
    [
        "../../../evil",
        f"../{COMMIT}",
        COMMIT.upper()[:-1] + "A",
        COMMIT[:-1],
        COMMIT + "\u0660",
        "",
    ],
)
def test_a_commit_that_is_none_is_refused_and_writes_nothing(
    hub: HubServer, tmp_path: Path, commit: str
) -> None:
    hub.add("org/name", {"x.bin": b"content"})
    claimed = commit.encode("utf-8").decode("latin-1")
    hub.misbehave(Claim({"X-Repo-Commit": claimed}))
    before = set(tmp_path.rglob("*"))
    with pytest.raises(HubError) as caught:
        fetch(parse("org/name:x.bin"))
    assert "is no Hub" in caught.value.problem
    fresh = [path for path in set(tmp_path.rglob("*")) - before if path.is_file()]
    assert [path.suffix for path in fresh] in ([], [".lock"])


def test_a_commit_that_was_asked_for_must_be_the_one_that_answers(hub: HubServer) -> None:
    commit = hub.add("org/name", {"x.bin": b"content"})
    hub.misbehave(Claim({"X-Repo-Commit": COMMIT}))
    with pytest.raises(HubError) as caught:
        fetch(parse(f"org/name@{commit}:x.bin"))
    assert "another commit" in caught.value.problem
    assert RepoCache(Reference("org/name")).record().commits == {}


@pytest.mark.parametrize("name", ["../..", "a/..", "../a", "a/.b", "a/b-", "a--b/c", "a/b..c"])
def test_a_repository_that_leaves_its_folder_is_none(name: str) -> None:
    assert not is_repo(name)
    assert not looks_like(name)
    with pytest.raises(UsageError):
        parse(f"{name}@main")


@pytest.mark.parametrize("file", ["a/../b", "/a", "a\\b", "C:x", "a\x1b[2Jb", "a\u202eb"])
def test_a_file_that_leaves_its_repository_is_none(file: str) -> None:
    with pytest.raises(UsageError):
        parse(f"org/name:{file}")


def test_a_commit_has_one_spelling() -> None:
    assert is_commit(COMMIT)
    assert not any(is_commit(text) for text in (COMMIT.upper() + "a", COMMIT + "\n", "main"))


def test_a_body_without_an_end_stops_at_the_limit(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("org/name", {"x.bin": b"content"})
    hub.misbehave(Endless())
    monkeypatch.setenv("ZOO_MAX_DOWNLOAD", "1000000")
    with pytest.raises(HubError) as caught:
        fetch(parse("org/name:x.bin"))
    assert "1,000,000" in caught.value.problem
    assert sum(path.stat().st_size for path in files(tmp_path / "cache")) < 10_000


def test_a_body_without_an_end_stops_at_what_the_registry_says(hub: HubServer) -> None:
    hub.add("org/name", {"x.bin": b"content"})
    hub.misbehave(Endless())
    with pytest.raises(HubError) as caught:
        fetch(parse("org/name:x.bin"), Expected("0" * 64, 7))
    assert "7 bytes" in caught.value.problem


def test_a_file_that_is_announced_as_too_large_is_not_fetched(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("org/name", {"x.bin": bytes(5000)})
    monkeypatch.setenv("ZOO_MAX_DOWNLOAD", "4999")
    with pytest.raises(HubError) as caught:
        fetch(parse("org/name:x.bin"))
    assert "5,000 bytes to download" in caught.value.problem
    assert "ZOO_MAX_DOWNLOAD" in str(caught.value.hint)
    assert hub.count("GET") == 0


def test_a_compressed_body_is_not_blown_up(hub: HubServer, tmp_path: Path) -> None:
    hub.add("org/name", {"x.bin": b"content"})
    hub.misbehave(Endless(compressed=True))
    with pytest.raises(HubError):
        fetch(parse("org/name:x.bin"))
    assert sum(path.stat().st_size for path in files(tmp_path / "cache")) < 10_000


def test_a_download_drop_by_drop_ends(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("org/name", {"x.bin": bytes(5000)})
    hub.misbehave(Drip(0.2), method="GET")
    monkeypatch.setenv("ZOO_HUB_TIMEOUT", "1")
    start = time.monotonic()
    with pytest.raises(HubUnreachableError) as caught:
        fetch(parse("org/name:x.bin"))
    assert time.monotonic() - start < 8
    assert "does not send the whole file" in caught.value.problem


@pytest.mark.parametrize(
    "arrange",
    [
        lambda hub: hub.misbehave(Status(503, message="try \x1b]0;owned\x07 again")),
        lambda hub: hub.misbehave(Status(403, message="\x9b31m no")),
    ],
)
def test_what_a_server_says_is_escaped(
    hub: HubServer,
    arrange: Callable[[HubServer], None],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ZOO_HUB_TIMEOUT", "0.3")
    hub.add("org/name", {"config.yaml": b"content"})
    arrange(hub)
    assert run(["translate", "org/name", "x.png", "--to", "b"]) in (1, 2)
    shown = capfd.readouterr().err
    assert not set(shown) & set("\x1b\x07\x9b")


@pytest.mark.parametrize("form", ["http://user:{}@127.0.0.1:9", "user:{}@127.0.0.1:9"])
def test_no_message_shows_the_password_of_an_endpoint_or_a_token(
    hub: HubServer,
    form: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    password, token = "s3cretword", "hf_" + "Abc123" * 6
    monkeypatch.setenv("HF_ENDPOINT", form.format(password))
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setenv("ZOO_HUB_TIMEOUT", "1")
    assert run(["translate", "org/name", "x.png", "--to", "b"]) in (1, 2)
    shown = capfd.readouterr()
    assert "127.0.0.1:9" in shown.err
    for secret in (password, token):
        assert secret not in shown.err + shown.out


def test_the_endpoint_itself_keeps_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://user:pw@mirror.example/")
    assert endpoint() == "https://user:pw@mirror.example"
