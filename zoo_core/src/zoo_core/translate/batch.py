"""Translates planned files and accounts for each: written, kept, made anew, left out or failed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core.contracts.codec import Codec, StreamedOutput
from zoo_core.errors import DataError, ZooError
from zoo_core.finding import LeftOut
from zoo_core.host.isolation import version_of
from zoo_core.notes import Notes
from zoo_core.translate.outputs import Entry, prepare
from zoo_core.translate.provenance import Origin, Outputs, sha256_of

if TYPE_CHECKING:
    from zoo_core.translate.streaming import Result
    from zoo_core.translate.translator import Translator


@dataclass
class Tally:
    """What became of the files, which are told as text where they can be all that there are.

    Attributes:
        written: Outputs written.
        kept: Outputs that were there already, made from the same by the same model.
        remade: Outputs that were there, but made from something else.
        failed: Errors, each naming its file.
        left_out: Files that were found and not used.
        notes: Files of which a part was not used, or is doubtful, by what it is.
    """

    written: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    remade: list[str] = field(default_factory=list)
    failed: list[ZooError] = field(default_factory=list)
    left_out: LeftOut = field(default_factory=LeftOut)
    notes: LeftOut = field(default_factory=LeftOut)


@dataclass(frozen=True)
class TranslateRequest:
    """What is asked of the nets, for all files alike; ``wishes`` of reading and writing."""

    to: Any
    source: Any
    size: int | None
    batch: int
    limit: int | None
    overwrite: bool
    wishes: Mapping[str, str] = field(default_factory=dict)
    windows: str = "fast"


class Runner:
    """Translates planned files: here, or elsewhere by a component of kind ``runner``."""

    def codec(self, codec: Codec) -> Codec:
        """What says which files are inputs and what their outputs end in."""
        return codec

    def run(
        self,
        translator: Translator,
        request: TranslateRequest,
        entries: Sequence[Entry],
        root: Path,
        tally: Tally,
        *,
        opening: Callable[..., Translator],
        progress: Callable[[float], None],
    ) -> None:
        """As `translate_files`; ``opening`` (picklable) opens the model elsewhere."""
        translate_files(translator, request, entries, root, tally, progress=progress)


def translate_files(
    translator: Translator,
    request: TranslateRequest,
    entries: Sequence[Entry],
    root: Path,
    tally: Tally,
    *,
    progress: Callable[[float], None] = lambda part: None,
    known: Outputs | None = None,
) -> None:
    """Translates what is not there yet; files that fail are collected.

    Args:
        translator: The model.
        request: What is asked.
        entries: Inputs with the files of their outputs.
        root: The output folder, which no output leaves.
        tally: Takes what became of the files.
        progress: Called with the part (0 to 1) of a file that was done since the call before.
        known: What is known of the output folder, for who calls this more than once.
    """
    translator.choose(request.to, request.source, len(entries))  # what outputs are made by
    known = known or Outputs(root)
    work = Work(translator, request, known, tally)
    todo = [missing for entry in entries if (missing := work.missing(entry)).files]
    done = [0.0] * len(todo)

    def finish(result: Result) -> Sequence[str]:
        entry = todo[result.index]

        def advance(part: float) -> None:
            done[result.index] += part / len(entry.files)
            progress(part / len(entry.files))

        for target, path in entry.outputs.items():
            prepare(path, root)
            origin, output = work.origin(entry, target), result.outputs[target]
            with known.noting(path, origin):
                if isinstance(output, StreamedOutput):
                    output.write(path, origin=origin.digest, progress=advance)
                else:
                    lost = translator.codec.write(output, path) or ()
                    result.notes = (*result.notes, *lost)
        return entry.files

    results = translator.stream(
        (entry.source.path for entry in todo),
        request.to,
        source=request.source,
        size=request.size,
        batch=request.batch,
        limit=request.limit,
        windows=request.windows,
        finish=finish,
    )
    notes = Notes()
    for result in results:
        progress(1 - done[result.index])
        notes.add(result.index, result.notes)
        if result.error is not None:
            tally.failed.append(result.error)
        else:
            tally.written += result.value
    for note, numbers in notes.things().items():
        for number in numbers:
            tally.notes.add(todo[number].source.path, f"with {note}")


class Work:
    """Decides which outputs have to be written, and says what each is made from.

    Args:
        translator: The model.
        request: What is asked.
        known: What the outputs that are there were made from.
        tally: Takes what is kept, made anew, or refused.
    """

    def __init__(
        self, translator: Translator, request: TranslateRequest, known: Outputs, tally: Tally
    ) -> None:
        self.translator, self.request = translator, request
        self.known, self.tally = known, tally
        self.version = version_of("zoo-core")  # looked up once: it takes longer than a small PNG

    def missing(self, entry: Entry) -> Entry:
        """An input with those of its outputs that have to be written."""
        outputs: dict[str, str] = {}
        for target, file in zip(entry.targets, entry.files, strict=True):
            path = Path(file)
            if self.request.overwrite or not os.path.lexists(path):
                outputs[target] = file
            elif self.known.is_current(path, self.origin(entry, target)):
                self.tally.kept.append(file)
            elif self.known.is_unchanged(path):
                self.tally.remade.append(file)
                outputs[target] = file
            else:
                fault = f"{path} is there already, and was not made here or was changed since"
                hint = "--overwrite replaces it; or choose another folder with --out."
                self.tally.failed.append(DataError(fault, asked=entry.source.file, hint=hint))
        if len(outputs) == len(entry.files):
            return entry
        return Entry(entry.source, list(outputs), list(outputs.values()))

    def origin(self, entry: Entry, target: str) -> Origin:
        """What an output of an input is made from."""
        request = self.request
        options = {"from": request.source, "size": request.size, "limit": request.limit}
        options |= request.wishes
        if request.windows != "fast":
            options["windows"] = request.windows
        return Origin(
            input=sha256_of(entry.source.path) or "",
            model=self.translator.fingerprint,
            target=target,
            options=options,
            version=self.version,
        )
