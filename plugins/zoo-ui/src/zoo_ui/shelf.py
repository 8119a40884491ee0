"""The models that the page offers, and their translators, loaded when first used."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core.catalogue.registry import Model, Registry
from zoo_core.errors import UsageError, unknown
from zoo_core.host.plugins import host
from zoo_core.models.modeldir import SAMPLES

if TYPE_CHECKING:
    from zoo_core.translate.translator import Translator

LARGEST = 48
"""Most megapixels of a picture, of three bytes: the page shows results at a fraction of that."""
KEPT = 2
"""Translators that are kept in memory; the one that was used longest ago goes first."""


@dataclass(frozen=True)
class Offer:
    """A model that the page offers.

    Attributes:
        name: What `zoo.load` takes.
        summary: What it does.
        targets: What a picture may become.
        picture: Its samples; None where it has none.
    """

    name: str
    summary: str
    targets: tuple[str, ...]
    picture: Path | None = None


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
        ZooError: If one of ``directories`` is no model for pictures.
    """

    def __init__(self, directories: Sequence[str] = (), device: str = "auto") -> None:
        self._device = device
        self._lock = threading.Lock()
        self._loaded: OrderedDict[str, _Loaded] = OrderedDict()
        self.offers = {offer.name: offer for offer in self._own(directories)} | _embedded()

    def use(self, name: str) -> _Use:
        """A model's translator for a ``with`` block; nobody else uses it meanwhile.

        Raises:
            UsageError: If it is not offered.
            ZooError: On entering, if it cannot be loaded.
        """
        if name not in self.offers:
            raise unknown("model", name, self.offers, next_step="Load the page again.")
        with self._lock:
            loaded = self._loaded.setdefault(name, _Loaded())
            self._loaded.move_to_end(name)
            while len(self._loaded) > KEPT:
                self._loaded.popitem(last=False)
        return _Use(loaded, name, self._device)

    def _own(self, directories: Sequence[str]) -> list[Offer]:
        offers = []
        for name in directories:
            with _Use(_Loaded(), name, self._device) as translator:
                if translator.codec.kind != "image":
                    raise UsageError(
                        f"it translates {translator.codec.noun}s, and the page shows pictures",
                        asked=f"model {name}",
                        hint="Use zoo translate.",
                    )
                targets = tuple(translator.method.targets)
            places = [Path(name) / SAMPLES, Path(name) / "model" / SAMPLES]  # of a model, a run
            # A link may lead to what nobody meant to show.
            picture = next((p for p in places if p.is_file() and not p.is_symlink()), None)
            offers.append(Offer(name, "your own", targets, picture))
        return offers


class _Use:
    """Holds a translator for a ``with`` block."""

    def __init__(self, loaded: _Loaded, name: str, device: str) -> None:
        self._loaded, self._name, self._device = loaded, name, device

    def __enter__(self) -> Translator:
        import zoo

        self._loaded.lock.acquire()
        try:
            if self._loaded.translator is None:
                translator = zoo.load(self._name, device=self._device)
                if translator.codec.kind == "image":
                    translator.codec.ask(largest=LARGEST)
                self._loaded.translator = translator
        except BaseException:
            self._loaded.lock.release()
            raise
        return self._loaded.translator

    def __exit__(self, *error: object) -> None:
        self._loaded.lock.release()


def _embedded() -> dict[str, Offer]:
    """The catalogue's models for pictures whose weights are installed, of the largest first."""
    found = {}
    for name, model in sorted(Registry.load(host()).models.items(), key=_smallness):
        signal: Any = model.config.get("signal", {})
        if model.embedded is None or not model.installed or signal.get("kind") != "image":
            continue
        picture = model.embedded.parent / SAMPLES
        found[name] = Offer(
            name,
            str(model.data.get("summary", "")),
            _targets(model.config),
            picture if picture.is_file() else None,
        )
    return found


def _smallness(known: tuple[str, Model]) -> tuple[int, str]:
    """A key to sort models by: how many pixels they were trained with, then their names."""
    name, model = known
    return -math.prod(model.config.get("signal", {}).get("shape", [0])), name


def _targets(config: Any) -> tuple[str, ...]:
    """What a model translates to: its domains, but of one-way methods those that have a net."""
    names = tuple(config.get("domains", {}).get("names", ()))
    asked = config.get("options", {}).get("generators") or names
    return tuple(name for name in names if name in asked)
