"""One file through one model, told step by step: what the page shows while it waits."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from zoo_core.contracts.codec import Codec, Item
from zoo_core.errors import DataError, UsageError, ZooError, unknown
from zoo_core.translate.engine import Target
from zoo_core.translate.streaming import Result
from zoo_core.translate.translator import Translator
from zoo_ui.shelf import Shelf
from zoo_ui.watch import Event, Job, go_on, watched

BROWSERS_SHOW = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".bmp")
"""Pictures that a browser shows as they are."""


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    Attributes:
        model: Name of the model.
        name: Name of the file as its owner has it; it is shown, and never a path.
        targets: Domains to translate to.
        source: The domain that the signal is of; None where that is not said.
        amounts: Strength of each attribute, 0 to 1, where the model has attributes.
    """

    model: str
    name: str
    targets: tuple[str, ...] = ()
    source: str | None = None
    amounts: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, Sequence[str]]) -> Wish:
        """From the values of a query; raises `UsageError` where a strength is no number."""
        amounts = {}
        for text in values.get("amount", ()):
            name, _, number = text.rpartition(":")
            amounts[name] = _amount(number, name)
        first = {key: (values.get(key) or [""])[0] for key in ("model", "name", "from")}
        targets = tuple(dict.fromkeys(values.get("to", ())))
        return cls(first["model"], first["name"], targets, first["from"] or None, amounts)


def translate(shelf: Shelf, wish: Wish, data: bytes, job: Job) -> None:
    """Translates a file to all targets.

    It tells of the input (with a picture of it where a browser cannot show it), of progress, and of
    each result, with its file and a picture of that where it is needed.

    Args:
        shelf: Has the model.
        wish: What is asked for.
        data: The file.
        job: Where, and for whom.

    Raises:
        ZooError: That calls the file by its own name.
        CancelledError: If it was stopped.
    """
    with shelf.use(wish.model, job.stop) as translator:
        targets = _targets(shelf, wish)
        path = received(wish, data, job.folder)
        work = _Translation(translator, path, wish, len(targets), job)
        try:
            job.tell(Event({"input": wish.name}, _picture(translator.codec, path, wish.source)))
            for number, to in enumerate(targets):
                work.make(to, number)
        except ZooError as error:
            raise owned(error, path, wish) from error


def received(wish: Wish, data: bytes, folder: Path) -> Path:
    """A file of what was sent, with the suffix of its own name alone."""
    suffix = re.sub(r"[^\w.]", "", Path(wish.name).suffix)[:10]  # a NUL is no part of a path
    path = folder / f"input{suffix}"
    path.write_bytes(data)
    return path


def owned(error: ZooError, path: Path, wish: Wish) -> DataError:
    """The same error, about the file as its owner calls it."""
    said = str(error).replace(str(path), Path(wish.name).name or "the file")
    return DataError(said.rstrip("."))


def _targets(shelf: Shelf, wish: Wish) -> list[Target]:
    choices = shelf.choices(wish.model)
    attributes = choices.targets if choices.kind == "attributes" else ()
    for name in wish.amounts:
        if name not in attributes:
            raise unknown("attribute", name, attributes)
    if choices.kind == "attributes":
        return [{name: wish.amounts.get(name, 0.0) for name in choices.targets}]
    if not wish.targets:
        raise UsageError(
            "nothing is chosen that it shall become",
            asked=wish.model,
            hint=f"Choose one of {', '.join(choices.targets)}.",
        )
    for name in wish.targets:
        if name not in choices.targets:
            raise UsageError(
                "it cannot become that",
                asked=f'{wish.model} to "{name}"',
                hint=f"Choose one of {', '.join(choices.targets)}.",
            )
    return list(wish.targets)


@dataclass(frozen=True)
class _Translation:
    """Translations of one file.

    Attributes:
        translator: Nobody else uses it meanwhile.
        path: The file.
        wish: What is asked for.
        count: Number of targets.
        job: Where, and for whom.
    """

    translator: Translator
    path: Path
    wish: Wish
    count: int
    job: Job

    def make(self, to: Target, number: int) -> None:
        """One result, written as ``zoo translate`` writes it; raises `ZooError`."""
        codec = self.translator.codec
        suffix = codec.output_suffix(self.path)
        out = self.job.folder / f"output-{number}{suffix}"

        def written(result: Result) -> None:
            codec.write(result.output, out)

        go_on(self.job.stop)
        self._progress(number)
        with watched(self.translator, partial(self._progress, number), self.job.stop):
            (result,) = self.translator.stream(
                [self.path], to, source=self.wish.source, finish=written
            )
        if result.error is not None:
            raise result.error
        domain, title = (to, to) if isinstance(to, str) else (None, _strengths(to))
        says = {"result": title, "suffix": suffix, "notes": list(result.notes)}
        self.job.tell(Event(says, (out, *_picture(codec, out, domain))))

    def _progress(self, number: int, part: int = 1, parts: int | None = None) -> None:
        """Tells how far it is, 0 to 1, and in words where a target has many parts."""
        share = (part - 1) / parts if parts else 0.0
        words = f"part {part} of {parts}" if parts else f"part {part}" if part > 1 else ""
        self.job.tell(Event({"progress": (number + share) / self.count, "words": words}))


def _picture(codec: Codec, path: Path, domain: str | None) -> tuple[Path, ...]:
    """A picture of a file that is none, or none that browsers show; nothing where it is one."""
    if codec.kind == "image" and path.suffix.lower() in BROWSERS_SHOW:
        return ()
    made = path.with_name(f"{path.name}.png")
    item: Item = codec.read(path)
    title = domain or "" if codec.kind == "image" else ""  # whose value range a picture has
    codec.preview([("", [item])], [title], made)
    return (made,)


def _strengths(to: Mapping[str, float]) -> str:
    """Attributes in words: those that shall hold."""
    held = [(name, value) for name, value in to.items() if value]
    words = [name if value == 1 else f"{name} {value:g}" for name, value in held]
    return ", ".join(words) or "without attributes"


def _amount(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise UsageError("it must be a number from 0 to 1", asked=f'{name} "{text[:20]}"')
    return value
