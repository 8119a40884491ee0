"""Files that hold many signals: each is translated to a file of its own form."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from zoo_core.contracts.codec import Codec
from zoo_core.files import replacing
from zoo_core.translate.batch import Tally, TranslateRequest, Work, translate_files
from zoo_core.translate.outputs import Entry, InputSource, prepare, safe_name
from zoo_core.translate.provenance import Outputs
from zoo_core.translate.translator import Translator

SUFFIXES = (".tar", ".parquet")
_TARGET = "output"


@dataclass(frozen=True)
class Member:
    """One signal of a container: its name within it, and the content of its file."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Made:
    """The translation of a member: its content and suffix, or what is wrong with the member."""

    content: bytes | None
    suffix: str = ""
    problem: str | None = None


@dataclass(frozen=True)
class Group:
    """Members that are read together, with what surrounds them, in the container's own form."""

    members: Sequence[Member]
    rest: Any


class Writer(Protocol):
    """Writes a container of translations."""

    def add(self, group: Group, made: Sequence[Made]) -> None:
        """Writes what surrounds a group, with the translations in the place of its members."""


class Container(ABC):
    """A file that holds many signals.

    Args:
        path: The file.
        codec: Says which members are signals.
    """

    def __init__(self, path: Path, codec: Codec) -> None:
        self.path, self.codec = path, codec

    @abstractmethod
    def groups(self, count: int) -> Iterator[Group]:
        """All that it holds, in order, with up to ``count`` members at once.

        Raises:
            DataError: If it is damaged, or holds no signal.
        """

    @abstractmethod
    def writing(self, path: Path) -> AbstractContextManager[Writer]:
        """Opens a container of its form for the translations."""


class Reading:
    """A codec that also takes containers for inputs: what finding and naming files asks.

    Args:
        codec: The codec of their members.
    """

    def __init__(self, codec: Codec) -> None:
        self.suffixes = (*codec.suffixes, *SUFFIXES)
        self.noun, self.recognises = codec.noun, codec.recognises
        self._codec = codec

    def output_suffix(self, path: Path) -> str:
        """A container becomes one of its form."""
        return path.suffix if is_container(path) else self._codec.output_suffix(path)


def is_container(path: Path) -> bool:
    """Whether a file is one that holds many signals, by its name."""
    return path.suffix.lower() in SUFFIXES


def translate_container(
    container: Container,
    translator: Translator,
    request: TranslateRequest,
    entry: Entry,
    *,
    root: Path,
    tally: Tally,
    known: Outputs,
    scratch: Path,
) -> None:
    """Translates what a container holds; members that fail are collected.

    Args:
        container: The container that the entry's source is.
        translator: The model.
        request: What is asked.
        entry: The container with the files of its outputs.
        root: The output folder.
        tally: Takes what became of it.
        known: What is known of the output folder.
        scratch: A folder of the same file system for what is not finished.

    Raises:
        ZooError: If the container cannot be read or written.
    """
    work = Work(translator, request, known, tally)
    missing = work.missing(entry).outputs
    if not missing:
        return
    with TemporaryDirectory(dir=scratch) as folder:
        place = Path(folder)
        parts = {
            target: place / f"{n}{entry.source.path.suffix}" for n, target in enumerate(missing)
        }
        _write(container, translator, request, parts, place=place, tally=tally)
        for target, path in missing.items():
            prepare(path, root)
            with known.noting(path, work.origin(entry, target)), replacing(path) as part:
                parts[target].replace(part)
            tally.written.append(str(path))


def _write(
    container: Container,
    translator: Translator,
    request: TranslateRequest,
    parts: Mapping[str, Path],
    *,
    place: Path,
    tally: Tally,
) -> None:
    """Writes a container per target, group by group."""
    with ExitStack() as stack:
        writers = {
            target: stack.enter_context(container.writing(part)) for target, part in parts.items()
        }
        # Groups of whole batches go through the nets as the files of a folder would.
        for group in container.groups(4 * request.batch):
            with TemporaryDirectory(dir=place) as folder:
                order = _Order(container, translator, request, list(parts), Path(folder))
                made = _translated(group, order, tally)
            for target, writer in writers.items():
                writer.add(group, made[target])


@dataclass(frozen=True)
class _Order:
    """What is asked of the members of a container, and an empty folder for it."""

    container: Container
    translator: Translator
    request: TranslateRequest
    targets: Sequence[str]
    place: Path


def _translated(group: Group, order: _Order, tally: Tally) -> dict[str, list[Made]]:
    """The translations of a group's members by target, made as files in a folder are."""
    container, out = order.container, order.place / "out"
    out.mkdir()
    entries, suffixes, names = [], [], {}
    for number, member in enumerate(group.members):
        folder = order.place / str(number)
        folder.mkdir()
        path = folder / safe_name(PurePosixPath(member.name).name[-60:])
        path.write_bytes(member.content)
        suffixes.append(container.codec.output_suffix(path))
        files = [f"{out}/{number}-{n}{suffixes[-1]}" for n in range(len(order.targets))]
        entries.append(Entry(InputSource(str(path)), order.targets, files))
        names[path] = f"{container.path}/{member.name}"
    inner = Tally()
    translate_files(order.translator, order.request, entries, out, inner)
    problems = {}
    for error in inner.failed:
        path = Path(error.asked or "")
        problems[path] = error.problem
        asked = names.get(path, error.asked)
        tally.failed.append(type(error)(error.problem, asked=asked, hint=error.hint))
    for reason, paths in inner.notes.reasons.items():
        for path in paths:
            tally.notes.add(Path(names[path]), reason)
    return {
        target: [
            _made(entry.outputs[target], suffix, problems.get(entry.source.path))
            for entry, suffix in zip(entries, suffixes, strict=True)
        ]
        for target in order.targets
    }


def _made(path: Path, suffix: str, problem: str | None) -> Made:
    if path.is_file():
        return Made(path.read_bytes(), suffix)
    return Made(None, problem=problem or "it was not translated")
