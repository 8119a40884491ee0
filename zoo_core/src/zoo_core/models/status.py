"""What this machine has of a model: in its plugin, in the cache, seen when. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo_core.catalogue.registry import Model
from zoo_core.errors import WeightsError
from zoo_core.files import verify
from zoo_core.hub.cache import FileRecord, RepoCache, cached_files
from zoo_core.hub.reference import Reference, of_weights


@dataclass(frozen=True)
class Cached:
    """What the cache knows of a file of the Hub.

    Attributes:
        path: The cached file; None where it is not there.
        seen: What it was when it came first; None where it never was here.
    """

    path: Path | None = None
    seen: FileRecord | None = None


def cached(reference: Reference) -> Cached:
    """What the cache knows of a file, which is not opened."""
    return Cached(*RepoCache(reference).known(reference))


@dataclass(frozen=True)
class Finding:
    """What a check of one file found.

    Attributes:
        name: The model or repository with the file, as ``NAME:FILE``.
        place: ``embedded``, ``cache``, or ``nowhere`` where it has not been fetched yet.
        path: The file.
        problem: What is wrong with it; None where nothing is.
    """

    name: str
    place: str
    path: Path | None = None
    problem: str | None = None


def check_model(model: Model) -> Iterator[Finding]:
    """Compares all files of a model that are here with the hashes that they must have."""
    entry = model.entry
    weights, golden = entry.weights, entry.golden
    embedded = model.path(weights.path) if weights.path is not None else None
    reference = of_weights(model.data["weights"])
    if embedded is not None and (embedded.exists() or reference is None):
        name = f"{model.id}:{embedded.name}"
        yield _finding(name, "embedded", embedded, weights.sha256, weights.bytes)
    if golden is not None:
        path = model.path(golden.path)
        yield _finding(f"{model.id}:{path.name}", "embedded", path, golden.sha256, golden.bytes)
    if reference is None:
        return
    known = cached(reference)
    if known.path is not None:
        sha256 = weights.sha256 or (known.seen.sha256 if known.seen else None)
        size = weights.bytes or (known.seen.bytes if known.seen else None)
        yield _finding(f"{model.id}:{reference.file}", "cache", known.path, sha256, size)
    elif embedded is None or not embedded.exists():
        yield Finding(f"{model.id}:{reference.file}", "nowhere")


def check_reference(reference: Reference) -> Iterator[Finding]:
    """Compares the cached files that a reference means with what was seen first."""
    commit = RepoCache(reference).record().commit(reference)
    for other, path, seen in cached_files():
        same = (other.repo, other.kind, other.revision) == (reference.repo, reference.kind, commit)
        if same and reference.file in (None, other.file):
            yield _finding(str(other), "cache", path, seen.sha256, seen.bytes)


def check_cache() -> Iterator[Finding]:
    """Compares all files of the cache with what was seen first."""
    for reference, path, seen in cached_files():
        yield _finding(str(reference), "cache", path, seen.sha256, seen.bytes)


def _finding(name: str, place: str, path: Path, sha256: str | None, size: int | None) -> Finding:
    try:
        if sha256 is None:
            return Finding(name, place, path, "no hash of it is known")
        verify(path, sha256=sha256, size=size)
    except WeightsError as error:
        return Finding(name, place, path, error.problem)
    except OSError as error:
        return Finding(name, place, path, error.strerror or str(error))
    return Finding(name, place, path)
