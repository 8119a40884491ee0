"""Everything that can go wrong between a name and its weights ends in one clear message.

Each case goes through the command line: it must end in time, say what is wrong and what to do,
print no traceback, and leave nothing half-written.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import resource
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from zoo_core.cli import run
from zoo_hub.cache import RepoCache, fetch
from zoo_hub.reference import Reference, parse
from zoo_testing.hub_server import TOKEN, Close, Garble, Hang, HubServer, Status, Truncate

ROOT = Path(__file__).parents[3]
SECONDS = 1.0
"""What the Hub is given in these tests."""
LIMIT = 6.0
"""Within which every failure ends: `SECONDS`, and a slow machine."""


@dataclass
class Stage:
    """What a case may arrange.

    Attributes:
        hub: The Hub, which holds the small model as ``org/small``.
        commit: Its commit there.
        patch: Environment and attributes for this test.
        cache: The cache.
        model: The small model on disk.
    """

    hub: HubServer
    commit: str
    patch: pytest.MonkeyPatch
    cache: Path
    model: Path
    outcome: object = None

    @property
    def weights(self) -> Path:
        """The place of the weights in the cache."""
        return RepoCache(Reference("org/small")).path(self.commit, "model.safetensors")

    def load(self) -> None:
        """Brings the model into the cache."""
        for file in ("config.yaml", "model.safetensors", "README.md"):
            fetch(parse(f"org/small:{file}"))

    def damage(self) -> None:
        """Changes one byte of the cached weights."""
        content = bytearray(self.weights.read_bytes())
        content[-1] ^= 1
        self.weights.write_bytes(content)

    def exchange(self) -> None:
        """Changes the weights on the Hub at the very same commit."""
        repository = self.hub.repository("org/small")
        assert repository is not None
        content = bytearray(repository.commits[self.commit]["model.safetensors"])
        content[-1] ^= 1
        repository.commits[self.commit]["model.safetensors"] = bytes(content)


Arrange = Callable[[Stage], object]


def environment(**values: str) -> Arrange:
    def arrange(stage: Stage) -> None:
        for name, value in values.items():
            stage.patch.setenv(name, value)

    return arrange


def fault(what: object, **where: object) -> Arrange:
    return lambda stage: stage.hub.misbehave(what, **where)  # type: ignore[arg-type]


def both(*parts: Arrange) -> Arrange:
    return lambda stage: [part(stage) for part in parts]


def loaded(stage: Stage) -> None:
    stage.load()


def damaged(stage: Stage) -> None:
    stage.load()
    stage.damage()


def exchanged(stage: Stage) -> None:
    stage.load()
    stage.weights.unlink()
    stage.exchange()


def cache_is_a_file(stage: Stage) -> None:
    stage.cache.write_text("no folder")


def folder_is_a_file(stage: Stage) -> None:
    (stage.cache / "hub" / "models").mkdir(parents=True)
    (stage.cache / "hub" / "models" / "org").write_text("no folder")


def no_permission(stage: Stage) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    stage.patch.setattr(Path, "mkdir", refuse)  # these tests may run as root


def small_disk(stage: Stage) -> None:
    stage.patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))


def disk_fills_up(stage: Stage) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    stage.patch.setattr("zoo_core.files.os.fsync", refuse)


def write_fails(stage: Stage) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    stage.outcome = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def damaged_record(stage: Stage) -> None:
    stage.load()
    RepoCache(Reference("org/small")).trust.write_text('{"files": [')


def endless_search_for_the_host(stage: Stage) -> None:
    stage.patch.setattr("socket.getaddrinfo", lambda *_, **__: stage.hub.released.wait(30))


def redirected_to_nowhere(stage: Stage) -> None:
    stage.hub.redirecting = True
    stage.hub.misbehave(Status(403), path="/store/")


def circle(stage: Stage) -> None:
    there = {"Location": "/org/small/resolve/main/config.yaml"}
    stage.hub.misbehave(Status(307, headers=there), path="config.yaml")


WEIGHTS = {"path": "model.safetensors"}
NO = Status(401, message="Invalid credentials in Authorization header")
CASES: dict[str, tuple[str, Arrange, str]] = {
    # name of the case: what is loaded, what is arranged, what the message must say
    "offline and not cached": (
        "org/small",
        environment(HF_HUB_OFFLINE="1"),
        r"not in the cache, and HF_HUB_OFFLINE .* Unset.*offline: [\w-]+, ",
    ),
    "offline, a revision not cached": (
        "org/small@main",
        both(loaded, environment(HF_HUB_OFFLINE="1")),
        r"not in the cache.*org/small@main.*Unset HF_HUB_OFFLINE",
    ),
    "unknown host": (
        "org/small",
        environment(HF_ENDPOINT="http://no-such-host.invalid"),
        r"host of http://no-such-host.invalid is unknown.*Check the connection.*offline: [\w-]+, ",
    ),
    "a host that is searched without an end": (
        "org/small",
        endless_search_for_the_host,
        r"was silent for 1 s.*Check the connection",
    ),
    "offline since huggingface_hub was imported": (
        "org/small",
        lambda stage: stage.patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True),
        r"not in the cache, and HF_HUB_OFFLINE .* Unset HF_HUB_OFFLINE",
    ),
    "refused connection": (
        "org/small",
        environment(HF_ENDPOINT="http://127.0.0.1:9"),
        r"127.0.0.1:9 refuses the connection.*check HF_ENDPOINT.*offline: [\w-]+, ",
    ),
    "an endpoint that is no address": (
        "org/small",
        environment(HF_ENDPOINT="localhost:80"),
        r'HF_ENDPOINT "localhost:80".*HF_ENDPOINT=https://localhost:80',
    ),
    "a timeout that is no number": (
        "org/small",
        environment(ZOO_HUB_TIMEOUT="soon"),
        r'ZOO_HUB_TIMEOUT "soon": it is no positive number',
    ),
    "no such repository, 401": (
        "org/nothing",
        loaded,
        r"no model repository org/nothing at .*, or it is private.*no directory org/nothing",
    ),
    "no such repository, 404": (
        "org/nothing",
        environment(HF_TOKEN=TOKEN),
        r"no model repository org/nothing.*your token does not open it.*Check the name",
    ),
    "no such space": (
        "spaces/org/small",
        loaded,
        r"no space repository org/small",
    ),
    "private repository": (
        "org/small",
        lambda stage: setattr(stage.hub.repository("org/small"), "private", True),
        r"or it is private.*HF_TOKEN or `hf auth login`",
    ),
    "a token that is not accepted": (
        "org/small",
        both(environment(HF_TOKEN="hf_wrong"), fault(NO)),
        r"does not accept the token \(401.*hf auth login.*unset HF_TOKEN",
    ),
    "repository forbidden, 403": (
        "org/small",
        fault(Status(403, message="Your plan does not allow it")),
        r'refuses access .* org/small \(403, saying "Your plan.*Use a token',
    ),
    "gated, without a token": (
        "org/small",
        lambda stage: setattr(stage.hub.repository("org/small"), "gated", True),
        r"org/small is gated.*Ask for access at http.*/org/small; then give a token",
    ),
    "gated, with a token": (
        "org/small",
        both(
            environment(HF_TOKEN=TOKEN),
            lambda stage: setattr(stage.hub.repository("org/small"), "gated", True),
        ),
        r"org/small is gated.*wait for its owner",
    ),
    "disabled repository": (
        "org/small",
        fault(Status(403, message="Access to this resource is disabled.")),
        r"the Hub has disabled the model repository org/small",
    ),
    "no such branch": (
        "org/small@dev",
        loaded,
        r'has no revision "dev".*Its revisions: http.*/org/small/commits/main',
    ),
    "no such commit": (
        f"org/small@{'0' * 40}",
        loaded,
        r'has no revision "0{40}"',
    ),
    "revision, 401": (
        "org/small@dev",
        fault(NO, path="/resolve/dev/"),
        r"does not accept the token \(401",
    ),
    "revision, 403": (
        "org/small@dev",
        fault(Status(403), path="/resolve/dev/"),
        r"refuses access .*\(403\)",
    ),
    "no model in the repository": (
        "org/small:elsewhere",
        loaded,
        r'has no "elsewhere/config.yaml", so it holds no model of the zoo.*zoo import',
    ),
    "no such file": (
        "org/small",
        fault(Status(404, "EntryNotFound"), **WEIGHTS),
        r'has no file "model.safetensors" at revision .*Its files: http',
    ),
    "file, 401": (
        "org/small",
        fault(NO, method="GET", **WEIGHTS),
        r"does not accept the token \(401",
    ),
    "file, 403": (
        "org/small",
        fault(Status(403), method="GET", **WEIGHTS),
        r"refuses access .*\(403\)",
    ),
    "no such checkpoint": (
        "org/small:g.pth",
        loaded,
        r'has no file "g.pth" at revision .*Its files: http',
    ),
    "a file outside the repository": (
        "org/small:../../secret",
        loaded,
        r"no relative path inside the repository",
    ),
    "asked too often": (
        "org/small",
        fault(Status(429)),
        r"asked too often from here \(429\).*Try again in a few minutes.*A token",
    ),
    "asked too often, for an hour": (
        "org/small",
        fault(Status(429, headers={"Retry-After": "3600"})),
        r"asked too often.*Try again in 3600 s",
    ),
    "500": ("org/small", fault(Status(500)), r"fault of its own \(500\).*Try again later"),
    "502": ("org/small", fault(Status(502)), r"fault of its own \(502\).*Try again later"),
    "503": ("org/small", fault(Status(503)), r"fault of its own \(503\).*offline: [\w-]+, "),
    "504": ("org/small", fault(Status(504)), r"fault of its own \(504\).*Try again later"),
    "501, which does not pass": ("org/small", fault(Status(501)), r"fault of its own \(501\)"),
    "503 for the content": (
        "org/small",
        fault(Status(503), method="GET", **WEIGHTS),
        r"fault of its own \(503\)",
    ),
    "truncated, again and again": (
        "org/small",
        fault(Truncate(0.5, ranges=False), **WEIGHTS),
        r"the connection to .* broke|does not send the whole file",
    ),
    "truncated to nothing": (
        "org/small",
        fault(Truncate(0.0), **WEIGHTS),
        r"the connection to .* broke|does not send the whole file",
    ),
    "closed without an answer": (
        "org/small",
        fault(Close()),
        r"the connection to .* broke",
    ),
    "silence": (
        "org/small",
        fault(Hang(30)),
        r"was silent for 1 s.*ZOO_HUB_TIMEOUT=SECONDS waits longer",
    ),
    "silence in the middle of the content": (
        "org/small",
        fault(Hang(30, after=0.5), **WEIGHTS),
        r"was silent for 1 s",
    ),
    "wrong bytes of the right length": (
        "org/small",
        fault(Garble(), method="GET", **WEIGHTS),
        r"not what the Hub announced: it was damaged on the way \(sha256.*Try again",
    ),
    "wrong bytes of a small file": (
        "org/small",
        fault(Garble(), method="GET", path="config.yaml"),
        r'"config.yaml" is not what the Hub announced',
    ),
    "not the bytes of the registry": (
        "shelf-other-hash",
        loaded,
        r'model "shelf-other-hash".*has sha256 \w{16}…, expected 0{16}….*plugin\'s author',
    ),
    "not the size of the registry": (
        "shelf-other-size",
        loaded,
        r"has [\d,]+ bytes, expected 17",
    ),
    "redirected in a circle": (
        "org/small",
        circle,
        r"redirects in a circle.*Check HF_ENDPOINT",
    ),
    "redirected to a store that refuses": (
        "org/small",
        redirected_to_nowhere,
        r"refuses access .*\(403\)",
    ),
    "what answers is no Hub": (
        "org/small",
        fault(Status(200)),
        r"is no Hub .*Check HF_ENDPOINT; a proxy or the login page",
    ),
    "the cache is a file": (
        "org/small",
        cache_is_a_file,
        r"cache cannot be used: .*cache.*set ZOO_CACHE",
    ),
    "a folder of the cache is a file": (
        "org/small",
        folder_is_a_file,
        r"cache cannot be used: .*set ZOO_CACHE",
    ),
    "cache without permission": (
        "org/small",
        no_permission,
        r"cache cannot be used: .*Permission denied.*set ZOO_CACHE",
    ),
    "too little room": (
        "org/small",
        small_disk,
        r"disk of the cache .* is full; nothing of it was kept\. Free space, or set ZOO_CACHE",
    ),
    "the disk fills up": (
        "org/small",
        disk_fills_up,
        r"disk of the cache .* is full; nothing of it was kept",
    ),
    "a write fails": (
        "org/small",
        write_fails,
        r"cache cannot be used: .*File too large",
    ),
    "damaged in the cache, and damaged again": (
        "org/small",
        both(damaged, fault(Garble(), method="GET")),
        r"its cached file is damaged.*seen first",
    ),
    "damaged in the cache, and the Hub is down": (
        "org/small",
        both(damaged, environment(HF_ENDPOINT="http://127.0.0.1:9")),
        r"its cached file is damaged.*refuses the connection",
    ),
    "damaged in the cache, and offline": (
        "org/small",
        both(damaged, environment(HF_HUB_OFFLINE="1")),
        r"model.safetensors is damaged, and HF_HUB_OFFLINE forbids",
    ),
    "exchanged after the first use": (
        "org/small",
        exchanged,
        r"expected \w{16}…, as it was seen first, on \d{4}-\d\d-\d\d by .*small.json: it was ex",
    ),
    "exchanged after the first use of a registry entry": (
        "shelf-first-use",
        exchanged,
        r'model "shelf-first-use".*was seen first, on',
    ),
    "a damaged record": (
        "org/small",
        damaged_record,
        r"record .*small.json: it cannot be read.*without it no hash is known.*delete it",
    ),
}


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 50


@pytest.mark.parametrize("case", CASES)
def test_one_clear_message(
    case: str,
    hub: HubServer,
    small_model: Path,
    small_entry,
    install_models,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    name, arrange, message = CASES[case]
    monkeypatch.setenv("ZOO_HUB_TIMEOUT", str(SECONDS))
    commit = hub.add_directory("org/small", small_model)
    if name.startswith("shelf-"):
        sha256 = hashlib.sha256((small_model / "model.safetensors").read_bytes()).hexdigest()
        pinned = {"repo": "org/small", "revision": commit}
        install_models(
            small_entry("shelf-other-hash", **pinned, sha256="0" * 64),
            small_entry("shelf-other-size", **pinned, sha256=sha256, bytes=17),
            small_entry("shelf-first-use", repo="org/small", trust="first-use"),
        )
    Image.new("RGB", (8, 8)).save(tmp_path / "picture.png")
    stage = Stage(hub, commit, monkeypatch, tmp_path / "cache", small_model)
    arrange(stage)
    command = ["translate", name, str(tmp_path / "picture.png"), "--to", "b", "--out"]
    with _ending(stage):
        start = time.monotonic()
        status = run([*command, str(tmp_path / "out")])
        seconds = time.monotonic() - start
    error = capfd.readouterr().err
    assert status in (1, 2), error
    assert_message(error, message)
    assert seconds < LIMIT
    assert leftovers(tmp_path / "cache") == []
    assert not (tmp_path / "out").exists()


def test_every_message_of_the_page_is_one_that_is_given() -> None:
    table = (ROOT / "docs" / "weights.md").read_text(encoding="utf-8").split("the message says")[1]
    rows = [line.split("|")[1] for line in table.splitlines()[2:] if line.startswith("| `")]
    quoted = [text for row in rows for text in re.findall("`([^`]+)`", row)]
    assert len(quoted) > 20
    files = [*ROOT.glob("zoo_core/src/zoo_core/*/*.py"), *ROOT.glob("plugins/zoo-hub/src/*/*.py")]
    sources = [path.read_text(encoding="utf-8") for path in files]
    given = re.sub(r"\s+", " ", " ".join(re.sub(r'"\s*\n\s*f?"', "", text) for text in sources))
    for text in quoted:
        assert text in given, text


@contextmanager
def _ending(stage: Stage) -> Iterator[None]:
    """Undoes what a case has set outside the reach of monkeypatch."""
    try:
        yield
    finally:
        if callable(stage.outcome):
            stage.outcome()


def assert_message(error: str, message: str) -> None:
    assert "Traceback" not in error
    lines = [line for line in error.splitlines() if line.strip()]
    assert len(lines) == 1, error
    assert lines[0].startswith("zoo: ")
    assert re.search(message, lines[0]), lines[0]
    assert lines[0].endswith(".")


def leftovers(cache: Path) -> list[Path]:
    """Whatever in the cache is neither a whole file, nor a record, nor a lock."""
    files = [path for path in cache.rglob("*") if path.is_file()] if cache.is_dir() else []
    return [path for path in files if path.name.startswith(".") or path.suffix == ".part"]


@pytest.mark.parametrize("name", ["stargan-celeba", "cyclegan-horse2zebra"])
def test_without_a_network_published_models_end_within_ten_seconds(
    name: str, tmp_path: Path, monkeypatch, capfd
) -> None:
    from zoo_core.catalogue.registry import Registry
    from zoo_core.host.plugins import host

    if name not in Registry.load(host()).models:
        pytest.skip(f"{name} is not in the registry yet")
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", "http://no-such-host.invalid")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png")
    start = time.monotonic()
    assert run(["translate", name, str(tmp_path / "x.png"), "--to", "Male"]) in (1, 2)
    assert time.monotonic() - start < 10
    like = name.partition("-")[0]
    assert_message(capfd.readouterr().err, rf"Check the connection.*offline: {like}-[\w-]+, ")
