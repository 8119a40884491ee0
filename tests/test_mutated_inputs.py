"""Files from elsewhere, mutated: they are read, or one clear error says what is wrong with them."""

from __future__ import annotations

import json
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from zoo_core.catalogue.description import read_entries
from zoo_core.errors import ZooError
from zoo_core.models.modeldir import read_config
from zoo_core.models.weights import read_tensors
from zoo_core.translate.translator import Translator
from zoo_core.untrusted import is_sha256
from zoo_hub.cache import RepoCache
from zoo_hub.reference import Reference, parse

ROOT = Path(__file__).parents[1]
STARGAN = ROOT / "plugins/zoo-stargan/src/zoo_stargan"
REGISTRY = (STARGAN / "registry.yaml").read_bytes()
CONFIG = (STARGAN / "weights/stargan-emoji/config.yaml").read_bytes()
CARD = (STARGAN / "weights/stargan-emoji/README.md").read_bytes()
RECORD = json.dumps(
    {
        "commits": {"": "ab" * 20, "main": "cd" * 20},
        "files": {f"{'ab' * 20}/x.bin": {"sha256": "ef" * 32, "bytes": 9, "date": "2026-01-31"}},
    }
).encode()
TENSORS = save({"net.weight": torch.ones(2, 3), "net.bias": torch.zeros(2)}, {"format": "pt"})
SNIPPETS = [
    b"", b"\0", b"\xff", b"\n", b" ", b"- ", b": ", b"[", b"]", b"{", b"}", b'"', b"&a ", b"*a",
    b"!!python/object:os.system x", b"---\n", b"null", b"true", b"-1", b"1e999", b".nan", b"9" * 30,
    b"F32", b"F64", b"BF16", b"data_offsets", b"shape", b"..", b"/", b"models:\n",
]  # fmt: skip
EXAMPLES = 350
"""For each of the five kinds of file, and the references: more than 2,000 in all."""
FOLDER = Path(tempfile.mkdtemp(prefix="zoo-mutated-"))


@st.composite
def mutated(draw: st.DrawFn, original: bytes, limit: int | None = None) -> bytes:
    """A file with one to four parts of it cut, doubled, or replaced by something odd."""
    content = original
    for _ in range(draw(st.integers(1, 4))):
        bound = min(len(content), limit or len(content))
        start = draw(st.integers(0, max(bound - 1, 0)))
        length = draw(st.sampled_from([0, 1, 2, 8, 40, 1000]))
        part = draw(st.sampled_from(SNIPPETS) | st.binary(max_size=6) | st.just(None))
        piece = content[start : start + length] * 2 if part is None else part
        content = content[:start] + piece + content[start + length :]
    return content


def read_or_refuse(name: str, content: bytes, read: Callable[[Path], object]) -> None:
    path = FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    clear(lambda: read(path))


def clear(read: Callable[[], object]) -> bool:
    """Whether it is read; what else happens must be an error for people."""
    fault = None
    try:
        read()
    except ZooError as error:
        fault = str(error)
    if fault is not None:
        assert fault.endswith(".")
        assert "Traceback" not in fault
        assert len(fault) < 2500
    return fault is None


@pytest.fixture(scope="module", autouse=True)
def _clean() -> Iterator[None]:
    """Removes the folder in the end; hypothesis takes no fixture per example."""
    yield
    shutil.rmtree(FOLDER)


def many(strategy: st.SearchStrategy[bytes]) -> Callable[..., Callable[..., None]]:
    def decorate(test: Callable[[bytes], None]) -> Callable[..., None]:
        return settings(max_examples=EXAMPLES, deadline=None)(given(strategy)(test))

    return decorate


@many(mutated(REGISTRY))
def test_registry(content: bytes) -> None:
    read_or_refuse("registry.yaml", content, read_entries)


@many(mutated(CONFIG))
def test_configuration(content: bytes) -> None:
    read_or_refuse("config.yaml", content, lambda path: read_config(path.parent))


@many(mutated(CARD, limit=1500))
def test_card(content: bytes) -> None:
    def read(path: Path) -> object:
        text = path.read_text(encoding="utf-8", errors="replace")
        translator = SimpleNamespace(_card=text, name="x")
        return Translator.card.func(translator).data

    read_or_refuse("README.md", content, read)


@many(mutated(TENSORS) | mutated(TENSORS[8:]).map(lambda b: struct.pack("<Q", len(b) // 2) + b))
def test_safetensors(content: bytes) -> None:
    read_or_refuse("model.safetensors", content, read_tensors)


@many(mutated(RECORD))
def test_record_of_first_uses(content: bytes) -> None:
    def read(path: Path) -> object:
        store = RepoCache(Reference("org/name"), path.parents[3])
        assert store.trust == path
        record = store.record()
        assert all(is_sha256(seen.sha256) for seen in record.files.values())
        return record.commit(Reference("org/name"))

    read_or_refuse("trust/models/org/name.json", content, read)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.text("ab/@:.-_ \n\0é~", max_size=20) | mutated(b"spaces/org/repo@refs/pr/1:a/b").map(str))
def test_references(text: str) -> None:
    if not clear(lambda: parse(text)):
        return
    reference = parse(text)
    assert str(reference) == text.removeprefix("models/")
    place = RepoCache(reference, Path("/cache")).path("ab" * 20, reference.file or "x")
    assert Path("/cache/hub") in place.resolve().parents


def test_the_originals_are_read(tmp_path: Path) -> None:
    for name, content in (("registry.yaml", REGISTRY), ("config.yaml", CONFIG)):
        (tmp_path / name).write_bytes(content)
    assert read_entries(tmp_path / "registry.yaml")
    assert read_config(tmp_path).method == "stargan"
    (tmp_path / "x.safetensors").write_bytes(TENSORS)
    assert set(read_tensors(tmp_path / "x.safetensors")[0]) == {"net.weight", "net.bias"}
    card = Translator.card.func(SimpleNamespace(_card=CARD.decode(), name="x"))
    assert card.data["license"]
    with pytest.raises(ZooError):
        read_config(tmp_path / "nowhere")
