"""What reads the files and answers of strangers: one function per parser, from bytes to anything.

A `zoo_core.errors.ZooError` is the right end of a wrong file; everything else that a target raises
is a fault.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

Target = Callable[[bytes], object]


@cache
def _folder() -> Path:
    """A folder of this process's own, in memory where the system has such."""
    memory = Path("/dev/shm")
    place = memory if memory.is_dir() else None
    return Path(tempfile.mkdtemp(prefix="zoo-fuzz-", dir=place))


def _file(name: str, data: bytes) -> Path:
    path = _folder() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def close() -> None:
    """Removes the files of this process."""
    shutil.rmtree(_folder(), ignore_errors=True)


def config(data: bytes) -> object:
    """``config.yaml`` of a model, and what its codec makes of it."""
    from zoo_core.host.plugins import host
    from zoo_core.models.modeldir import read_config

    read = read_config(_file("model/config.yaml", data).parent)
    return host().load("codec", read.signal.kind)(read.signal, read.preprocessing)


def nets(data: bytes) -> object:
    """The nets that a configuration describes, without their memory."""
    from zoo_core.models.modeldir import build_method, read_config
    from zoo_core.models.weights import sketched
    from zoo_core.untrusted import building

    read = read_config(_file("model/config.yaml", data).parent)
    with building("fuzz"):
        return sketched(lambda: build_method(read), "fuzz")


def card(data: bytes) -> object:
    """``README.md`` of a model."""
    from zoo_core.models.card import read_card
    from zoo_core.models.modeldir import read_card_text

    return read_card(read_card_text(_file("model/README.md", data).parent), "card").data


def registry(data: bytes) -> object:
    """``registry.yaml`` of a plugin."""
    from zoo_core.catalogue.description import read_entries

    return read_entries(_file("registry.yaml", data))


def safetensors(data: bytes) -> object:
    """A safetensors file: its header, its tensors, and as golden outputs."""
    from zoo_core.models.golden import read_golden
    from zoo_core.models.weights import read_tensors

    path = _file("golden.safetensors", data)
    read_tensors(path)
    return read_golden(path)


def checkpoint(data: bytes) -> object:
    """A checkpoint that others trained, and what the importers make of it."""
    from zoo_core.host.plugins import host
    from zoo_import.checkpoint import read_state
    from zoo_import.mapping import AUTO, recognise

    path = _file("checkpoint.pth", data)
    return recognise(path, read_state(path), AUTO, host())


def judge(data: bytes) -> object:
    """``judge.yaml``, and the net that it describes, without its memory."""
    from zoo_core.models.weights import sketched
    from zoo_core.untrusted import building
    from zoo_nn.nets.classifier import make_net
    from zoo_nn.nets.classifier_card import ClassifierCard

    read = ClassifierCard.read(_file("judge/judge.yaml", data).parent)
    with building("fuzz"):
        return sketched(lambda: make_net(read), "fuzz")


def attributes(data: bytes) -> object:
    """CelebA's list, or a table; the first byte says which."""
    from zoo_images.sources.tables import read_table

    suffix = (".txt", ".csv", ".tsv")[data[0] % 3] if data else ".txt"
    return read_table(_file(f"list{suffix}", data[1:]))


def audio(data: bytes) -> object:
    """A recording, whatever its format."""
    from zoo_voice.audio import examine

    return examine(_file("recording.wav", data), name="recording")


def image(data: bytes) -> object:
    """A picture, whatever its format."""
    from zoo_images.decode import open_file

    pages = open_file(_file("picture.png", data), largest=4_000_000)
    return [pages.picture(number) for number in range(min(len(pages), 3))]


def dicom(data: bytes) -> object:
    """A DICOM file."""
    return _pages("slice.dcm", data)


def nifti(data: bytes) -> object:
    """A NIfTI volume, packed or not."""
    return _pages("volume.nii.gz" if data[:2] == b"\x1f\x8b" else "volume.nii", data)


def video(data: bytes) -> object:
    """A video, at a rate of its own and at another."""
    from zoo_video.format import VideoFormat

    path, sizes = _file("clip.mp4", data), []
    for options in ({}, {"fps": 25.0}):
        pages = VideoFormat(options).open(path, largest=4_000_000)
        shown = (picture.size for _, picture in pages.pictures())
        sizes += list(itertools.islice(shown, 8))
    return sizes


def _pages(name: str, data: bytes) -> object:
    from zoo_images.decode import open_file

    pages = open_file(_file(name, data), largest=4_000_000)
    return [pages.picture(number) for number in range(min(len(pages), 3))]


def page(data: bytes) -> object:
    """A request to ``zoo ui``: method and path, headers, an empty line, what is sent."""
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.decode("latin-1").split("\n")
    method, _, path = first.partition(" ")
    headers = dict(line.split(": ", 1) for line in lines if ": " in line)
    return _asked(method, path, headers, body)


def _asked(method: str, path: str, headers: dict[str, str], body: bytes) -> int:
    """The status of an answer, by the application itself: no server comes between."""
    import asyncio
    from urllib.parse import unquote

    raw, _, query = path.partition("?")
    scope = {
        "type": "http", "http_version": "1.1", "method": method, "scheme": "http",
        "path": unquote(raw), "raw_path": raw.encode("latin-1"), "root_path": "",
        "query_string": query.encode("latin-1"), "server": ("127.0.0.1", 7860),
        "headers": [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in headers.items()],
    }  # fmt: skip
    said: list[dict[str, Any]] = []
    sent = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not sent:
            await asyncio.Event().wait()  # whoever asked waits for the answer
        return sent.pop()

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    asyncio.run(_page()(scope, receive, send))
    content = b"".join(message.get("body", b"") for message in said)
    if b"root:" in content or b"Traceback" in content:
        raise AssertionError("it tells what it must not")
    return int(said[0]["status"])


@cache
def _page() -> Any:
    from zoo_ui.app import build_app

    return build_app(device="cpu")


def prepare(name: str) -> None:
    """Loads what a target loads once, so that no execution is charged with it."""
    if name == "page":
        seed = Path(__file__).parent / "corpus" / name / "translate"
        page(seed.read_bytes())


def outputs(data: bytes) -> object:
    """The record of what outputs were made from."""
    from zoo_core.translate.provenance import RECORDS, Outputs

    root = _file(f"outputs/{RECORDS}", data).parent
    return Outputs(root).is_unchanged(root / "a.png")


def reference(data: bytes) -> object:
    """The name of a file on the Hub: it stays inside the cache."""
    from zoo_hub.cache import RepoCache
    from zoo_hub.reference import parse

    read = parse(data.decode("utf-8", "replace"))
    place = RepoCache(read, Path("/cache")).path("ab" * 20, read.file or "x")
    if Path("/cache/hub") not in place.parents or ".." in place.parts:
        raise AssertionError(f"{place} is outside the cache")
    return place


def record(data: bytes) -> object:
    """What the cache remembers of a repository."""
    from zoo_hub.cache import RepoCache
    from zoo_hub.reference import Reference

    root = _folder() / "record"
    cache_of = RepoCache(Reference("org/name"), root)
    _file(str(cache_of.trust.relative_to(_folder())), data)
    return cache_of.record()


def answers(data: bytes) -> object:
    """What a server says: status, headers and body of each answer, in turn, a line ``--`` between.

    What ends in the cache must be what the last answer announced, and nothing lies elsewhere.
    """
    import huggingface_hub

    from zoo_hub.cache import fetch
    from zoo_hub.reference import parse

    # The library's own client: its name differs between versions of huggingface_hub.
    httpx: Any = import_module(type(huggingface_hub.get_session()).__module__.partition(".")[0])
    huggingface_hub.close_session()
    parts = itertools.cycle(data.split(b"\n--\n"))

    def answer(request: Any) -> Any:
        head, _, body = next(parts).partition(b"\n\n")
        first, *lines = head.split(b"\n")
        status = int(first) if first.isdigit() and len(first) == 3 else 200
        pairs = [line.partition(b":")[::2] for line in lines]
        headers = [(key.strip(), value.strip()) for key, value in pairs if key.strip()]
        content = b"" if request.method == "HEAD" else body
        return httpx.Response(max(status, 100), headers=headers, content=content)

    root = _folder() / "home"
    shutil.rmtree(root, ignore_errors=True)
    (root / "cache").mkdir(parents=True)
    made = httpx.MockTransport(answer)
    huggingface_hub.set_client_factory(lambda: httpx.Client(transport=made, timeout=0.2))
    before = set(_folder().iterdir())
    try:
        with _environment(ZOO_CACHE=str(root / "cache"), ZOO_HUB_TIMEOUT="0.2"):
            return fetch(parse("org/name:x.bin"))
    finally:
        huggingface_hub.close_session()
        kept = {path.relative_to(root).parts[:2] for path in root.rglob("*") if path.is_file()}
        strange = kept - {("cache", name) for name in ("hub", "trust", "locks")}
        if strange or set(_folder().iterdir()) != before:
            raise AssertionError(f"it wrote {strange or 'beside the cache'}")


@contextlib.contextmanager
def _environment(**values: str) -> Any:
    old = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in old.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (
        config, nets, card, registry, safetensors, checkpoint, judge, attributes, audio, image,
        dicom, nifti, video, page, outputs, reference, record, answers,
    )
}  # fmt: skip
