"""How files of the Hub are named, what the environment says, and the words of a check."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from zoo_core.errors import UsageError
from zoo_hub import settings
from zoo_hub.reference import Expected, HubMissingError, Reference, looks_like, of_weights, parse
from zoo_hub.verify import Finding, _checked, _of_model, _path, _short, _verdict

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing."""
    for name in (
        "ZOO_CACHE",
        "XDG_CACHE_HOME",
        "LOCALAPPDATA",
        "HF_ENDPOINT",
        "HF_HUB_OFFLINE",
        "TRANSFORMERS_OFFLINE",
        "ZOO_HUB_TIMEOUT",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("org/name", Reference("org/name")),
        ("models/org/name", Reference("org/name")),
        ("datasets/org/name", Reference("org/name", "dataset")),
        ("spaces/org/name@v1:a/b.pth", Reference("org/name", "space", "v1", "a/b.pth")),
        ("org/name@refs/pr/1", Reference("org/name", revision="refs/pr/1")),
        (f"org/name@{COMMIT}:x y", Reference("org/name", revision=COMMIT, file="x y")),
    ],
)
def test_a_reference_is_read_and_written(text: str, wanted: Reference) -> None:
    assert looks_like(text)
    assert parse(text) == wanted
    assert parse(str(wanted)) == wanted
    assert str(parse(text)) == text.removeprefix("models/")


@pytest.mark.parametrize(
    "text",
    ["name", "org/name/more", "org/name@", "org/name:", "org/name: x", f"org/name@{201 * 'a'}"],
)
def test_other_forms_are_no_reference(text: str) -> None:
    assert not looks_like(text)
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert caught.value.asked == f'model "{text[:200]}"'
    assert caught.value.hint


def test_a_revision_may_have_200_characters_and_a_refusal_shows_as_many() -> None:
    assert parse(f"org/name@{200 * 'a'}").revision == 200 * "a"
    with pytest.raises(UsageError) as caught:
        parse(300 * "a")
    assert caught.value.asked == f'model "{200 * "a"}"'


@pytest.mark.parametrize("file", ["../x", "/x", "a/../../x"])
def test_a_file_outside_of_its_repository_is_refused(file: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(f"org/name:{file}")
    assert "no relative path" in caught.value.problem


@pytest.mark.parametrize("repo", ["org/..", "-org/name"])
def test_a_repository_that_the_hub_does_not_allow_is_none(repo: str) -> None:
    assert not looks_like(repo)
    with pytest.raises(UsageError):
        parse(repo)


def test_only_a_whole_commit_is_pinned() -> None:
    pinned = [Reference("org/name", revision=one).pinned for one in (None, "main", COMMIT)]
    assert pinned == [False, False, True]


@pytest.mark.parametrize(
    ("weights", "wanted"),
    [
        ({"repo": "a/b", "file": "x"}, Reference("a/b", file="x")),
        (
            {"repo": "a/b", "file": "x", "repo_type": "space", "revision": "v1"},
            Reference("a/b", "space", "v1", "x"),
        ),
        ({"repo": "a/b"}, None),
        ({"file": "x"}, None),
    ],
)
def test_weights_of_an_entry_name_a_file_of_a_repository(
    weights: dict[str, str], wanted: Reference | None
) -> None:
    assert of_weights(weights) == wanted


def test_what_is_missing_is_part_of_the_error() -> None:
    error = HubMissingError("revision", "there is none", asked="x", hint="y")
    assert (error.missing, error.problem, error.asked, error.hint) == (
        "revision",
        "there is none",
        "x",
        "y",
    )


@pytest.mark.parametrize(
    ("platform", "variables", "wanted"),
    [
        ("linux", {}, "~/.cache/zoo"),
        ("linux", {"XDG_CACHE_HOME": "/c"}, "/c/zoo"),
        ("linux", {"LOCALAPPDATA": "/w"}, "~/.cache/zoo"),
        ("linux", {"ZOO_CACHE": "/own", "XDG_CACHE_HOME": "/c"}, "/own"),
        ("linux", {"ZOO_CACHE": "~/own"}, "~/own"),
        ("win32", {}, "~/AppData/Local/zoo"),
        ("win32", {"LOCALAPPDATA": "/w", "XDG_CACHE_HOME": "/c"}, "/w/zoo"),
    ],
)
def test_the_cache_is_where_the_environment_says(
    platform: str, variables: dict[str, str], wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert settings.cache_root() == Path(wanted).expanduser()


def test_a_relative_cache_is_that_of_the_folder_where_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZOO_CACHE", "own")
    assert settings.cache_root() == tmp_path / "own"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (None, "https://huggingface.co"),
        ("  ", "https://huggingface.co"),
        (" https://hub.example/ ", "https://hub.example"),
        ("http://hub.example", "http://hub.example"),
    ],
)
def test_the_hub_is_that_of_the_environment_or_the_public_one(
    given: str | None, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if given is not None:
        monkeypatch.setenv("HF_ENDPOINT", given)
    assert settings.endpoint() == wanted


def test_an_address_that_is_none_is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "ftp://me:secret@hub.example")
    with pytest.raises(UsageError) as caught:
        settings.endpoint()
    assert caught.value.asked == 'HF_ENDPOINT "hub.example"'


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, False),
        ({"HF_HUB_OFFLINE": "0"}, False),
        ({"HF_HUB_OFFLINE": " Yes "}, True),
        ({"HF_HUB_OFFLINE": "1"}, True),
        ({"TRANSFORMERS_OFFLINE": "true"}, True),
        ({"HF_HUB_OFFLINE": "no", "TRANSFORMERS_OFFLINE": "1"}, False),
    ],
)
def test_requests_are_forbidden_by_either_variable(
    variables: dict[str, str], wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert settings.offline() is wanted


@pytest.mark.parametrize(
    ("given", "wanted"), [(None, 6.0), ("0.5", 0.5), ("1", 1.0), ("0", None), ("-1", None)]
)
def test_the_hub_may_be_silent_for_a_positive_time(
    given: str | None, wanted: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if given is not None:
        monkeypatch.setenv("ZOO_HUB_TIMEOUT", given)
    if wanted is not None:
        assert settings.timeout() == wanted
        return
    with pytest.raises(UsageError) as caught:
        settings.timeout()
    assert caught.value.asked == f'ZOO_HUB_TIMEOUT "{given}"'


@pytest.mark.parametrize("given", ["soon", "inf", "nan"])
def test_a_time_that_is_no_number_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_HUB_TIMEOUT", given)
    with pytest.raises(UsageError):
        settings.timeout()


def test_two_gigabytes_are_the_most_that_is_downloaded() -> None:
    assert settings.DOWNLOAD.default == 2_000_000_000


def test_a_file_is_held_against_its_hash_and_size(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    whole = _checked("n", "cache", file, Expected(known, 3))
    assert whole == Finding("n", "cache", file, None)
    assert _checked("n", "cache", file, Expected(known)).problem is None
    assert _checked("n", "cache", file, Expected()).problem == "no hash of it is known"
    for wrong in (Expected(known, 4), Expected(64 * "0", 3)):
        assert _checked("n", "embedded", file, wrong).problem
    gone = _checked("n", "cache", tmp_path / "gone", Expected(known, 3))
    assert gone.problem
    assert gone.path == tmp_path / "gone"


def test_a_verdict_is_told_in_words() -> None:
    assert _verdict(Finding("n", "nowhere")) == "not fetched yet"
    assert _verdict(Finding("n", "cache", Path("x"))) == "as it must be"
    assert _verdict(Finding("n", "cache", Path("x"), "too short")) == "WRONG"
    assert _path(Finding("n", "nowhere")) is None
    assert _path(Finding("n", "cache", Path("x"))) == "x"


def test_commits_are_printed_with_eight_digits() -> None:
    assert _short(Finding(f"org/name@{COMMIT}:x", "cache")) == "org/name@01234567:x"
    assert _short(Finding("org/name@main:x", "cache")) == "org/name@main:x"


def test_weights_beside_a_plugin_s_registry_are_embedded(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"abc")
    weights: Any = SimpleNamespace(sha256=None, bytes=3, path="w.safetensors", file=None)
    model: Any = SimpleNamespace(
        id="m",
        entry=SimpleNamespace(weights=weights),
        data={"weights": {}},
        file=tmp_path / "registry.yaml",
        embedded=True,
    )
    found = _of_model(model)
    assert (found.name, found.place) == ("m:w.safetensors", "embedded")
    assert found.path == tmp_path / "w.safetensors"
    model.embedded = False  # in a folder of the user's, and nowhere on the Hub
    assert _of_model(model).place == "embedded"
    model.file = None
    assert _of_model(model).place == "nowhere"
