"""The models that the page offers, and their translators, loaded when first used."""

from __future__ import annotations

import io
import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from zoo_core.catalogue.registry import Model, Registry
from zoo_core.errors import UsageError, unknown
from zoo_core.host.plugins import host
from zoo_core.models.modeldir import GOLDEN, MODEL, SAMPLES
from zoo_ui.watch import go_on

if TYPE_CHECKING:
    from zoo_core.translate.translator import Translator

LARGEST = 48
"""Most megapixels of a picture, of three bytes."""
KEPT = 2
"""Translators that are kept in memory; the one that was used longest ago goes first."""
KINDS = ("image", "speech")
"""Kinds of signal that the page can show."""


@dataclass(frozen=True)
class Offer:
    """A model that the page offers.

    Attributes:
        name: What `zoo.load` takes.
        summary: What it does.
        kind: Kind of its signals, one of `KINDS`.
        directory: Where it is; None where only `zoo.load` knows.
        own: Whether the user named it.
    """

    name: str
    summary: str
    kind: str
    directory: Path | None = None
    own: bool = False

    @property
    def picture(self) -> Path | None:
        """Its samples; None where it has none."""
        return self._file(SAMPLES)

    @property
    def golden(self) -> Path | None:
        """What it was tried with, where that is pictures."""
        return self._file(GOLDEN) if self.kind == "image" else None

    def plain(self) -> dict[str, Any]:
        """What the page is told."""
        return {
            "name": self.name,
            "summary": self.summary,
            "kind": self.kind,
            "own": self.own,
            "picture": self.picture is not None,
            "example": self.golden is not None,
        }

    def _file(self, name: str) -> Path | None:
        path = None if self.directory is None else self.directory / name
        # A link may lead to what nobody meant to show.
        return path if path is not None and path.is_file() and not path.is_symlink() else None


@dataclass(frozen=True)
class Choices:
    """What can be asked of a model.

    Attributes:
        kind: ``domains``, of which one is the target, or ``attributes``, each more or less.
        targets: What a signal may become, or the attributes.
        sources: What it may be now, where there is a choice.
        needs_source: Whether that must be said.
        lens: Whether pictures can be sent back, to look for hidden information.
    """

    kind: str
    targets: tuple[str, ...]
    sources: tuple[str, ...]
    needs_source: bool
    lens: bool

    @classmethod
    def of(cls, translator: Translator) -> Choices:
        """The choices that a translator has."""
        names, targets = translator.domains.names, tuple(translator.method.targets)
        exclusive = translator.domains.kind == "domains"
        many = exclusive and len(names) > 2  # of two the one that is not the target is meant
        return cls(
            translator.domains.kind,
            targets,
            names if many else (),
            many and translator.method.needs_source,
            lens=exclusive and translator.codec.kind == "image" and set(targets) == set(names),
        )


@dataclass
class _Loaded:
    """A translator, used by one request at a time."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    translator: Translator | None = None


class Shelf:
    """What can be translated with.

    Args:
        directories: Model directories and runs to offer besides the catalogue's.
        device: Where to compute.

    Raises:
        ZooError: If one of ``directories`` is no model of a kind that the page can show.
    """

    def __init__(self, directories: Sequence[str] = (), device: str = "auto") -> None:
        self._device = device
        self._lock = threading.Lock()
        self._loaded: OrderedDict[str, _Loaded] = OrderedDict()
        self._choices: dict[str, Choices] = {}
        self.offers = {offer.name: offer for offer in self._own(directories)} | _embedded()

    def use(self, name: str, stop: threading.Event | None = None) -> _Use:
        """A model's translator for a ``with`` block; nobody else uses it meanwhile.

        Args:
            name: The model.
            stop: Once set, nobody waits for it any more.

        Raises:
            UsageError: If it is not offered.
            ZooError: On entering, if it cannot be loaded.
            CancelledError: On entering, if it is not waited for.
        """
        self._require(name)
        with self._lock:
            loaded = self._loaded.setdefault(name, _Loaded())
            self._loaded.move_to_end(name)
            while len(self._loaded) > KEPT:
                self._loaded.popitem(last=False)
        return _Use(self, loaded, name, stop or threading.Event())

    def choices(self, name: str) -> Choices:
        """What can be asked of a model; raises as `use` does."""
        self._require(name)
        if name not in self._choices:
            with self.use(name):
                pass
        return self._choices[name]

    def example(self, name: str) -> bytes | None:
        """A PNG of a picture that a model was tried with; None where there is none.

        Raises:
            ZooError: If the model is not offered, or its golden file is damaged.
        """
        from zoo_core.models.golden import read_golden
        from zoo_images.pixels import to_bytes

        self._require(name)
        if (path := self.offers[name].golden) is None:
            return None
        with self.use(name) as translator:
            spec = translator.codec.spec
        stream = io.BytesIO()
        Image.fromarray(to_bytes(read_golden(path)[0].input[0], spec)).save(stream, "PNG")
        return stream.getvalue()

    def load(self, name: str, precision: str = "auto") -> Translator:
        """Loads a model; raises `ZooError` where it cannot be."""
        import zoo

        translator = zoo.load(name, device=self._device, precision=precision)
        if translator.codec.kind == "image":
            translator.codec.ask(largest=LARGEST)
        self._choices[name] = Choices.of(translator)
        return translator

    def _require(self, name: str) -> None:
        if name not in self.offers:
            raise unknown("model", name, self.offers, next_step="Load the page again.")

    def _own(self, directories: Sequence[str]) -> list[Offer]:
        offers = []
        for name in directories:
            codec = self.load(name).codec
            if codec.kind not in KINDS:
                raise UsageError(
                    f"it translates {codec.noun}s, which the page cannot show",
                    asked=f"model {name}",
                    hint="Use zoo translate.",
                )
            places = (Path(name), Path(name) / "model")  # of a model, of a run
            directory = next((path for path in places if (path / MODEL).is_file()), None)
            offers.append(Offer(name, "Your own", codec.kind, directory, own=True))
        return offers


class _Use:
    """Holds a translator for a ``with`` block."""

    def __init__(self, shelf: Shelf, loaded: _Loaded, name: str, stop: threading.Event) -> None:
        self._shelf, self._loaded, self._name, self._stop = shelf, loaded, name, stop

    def __enter__(self) -> Translator:
        while not self._loaded.lock.acquire(timeout=0.2):
            go_on(self._stop)
        try:
            go_on(self._stop)
            if self._loaded.translator is None:
                self._loaded.translator = self._shelf.load(self._name)
        except BaseException:
            self._loaded.lock.release()
            raise
        return self._loaded.translator

    def __exit__(self, *error: object) -> None:
        self._loaded.lock.release()


def _embedded() -> dict[str, Offer]:
    """The catalogue's models whose weights are installed, those of the largest signals first."""
    found = {}
    for name, model in sorted(Registry.load(host()).models.items(), key=_smallness):
        signal: Any = model.config.get("signal", {})
        if model.embedded is None or not model.installed or signal.get("kind") not in KINDS:
            continue
        summary = str(model.data.get("summary", ""))
        found[name] = Offer(name, summary, signal["kind"], model.embedded.parent)
    return found


def _smallness(known: tuple[str, Model]) -> tuple[int, str]:
    """A key to sort models by: how many values they were trained with, then their names."""
    name, model = known
    return -math.prod(model.config.get("signal", {}).get("shape", [0])), name
