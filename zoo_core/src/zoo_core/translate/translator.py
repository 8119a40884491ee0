"""The inference artefact: preprocess, translate in batches, postprocess."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import torch
from torch import Tensor

from zoo_core.catalogue.description import ModelConfig
from zoo_core.contracts.codec import FAR, Codec
from zoo_core.contracts.interfaces import Code
from zoo_core.contracts.signals import Domains
from zoo_core.errors import UsageError
from zoo_core.translate.engine import ALL, TORCH, Engine, Target
from zoo_core.translate.streaming import Job, Result, StreamPlan, jobs_of, stream

if TYPE_CHECKING:
    from zoo_core.contracts.method import Method
    from zoo_core.models.card import ModelCard
    from zoo_core.translate.engines import EngineChoice, NetEngine, Route


class Settings(TypedDict, total=False):
    """How signals go through the nets; `Translator.translate` says what each of these means."""

    size: int | None
    batch: int
    limit: int | None
    windows: str


class Translator:
    """A model that translates; made by `zoo.load`.

    Args:
        method: The method with its weights. It is moved, and nets of training are dropped.
        config: The configuration it was built from.
        codec: Reads, windows and joins the signals.
        card: Text of the model card.
        name: Name for messages.
        device: ``auto`` or a device.
        precision: ``auto``, ``float32`` (exact, eager) or ``bfloat16``.
        engines: Finds another engine than torch for what is to be translated; None for torch.

    Attributes:
        name: Name of the model.
        config: Its configuration.
        codec: The codec of its kind of signal.
        engine: Runs the nets in torch.
        net: What translates in its place, as far as `choose` found another engine.
    """

    def __init__(
        self,
        method: Method[Any],
        config: ModelConfig,
        codec: Codec,
        *,
        card: str = "",
        name: str = "model",
        device: str | torch.device = "auto",
        precision: str = "auto",
        engines: Callable[[Engine], EngineChoice] | None = None,
    ) -> None:
        self.name, self.config, self.codec = name, config, codec
        codec.identity = partial(getattr, self, "fingerprint")  # unlike a lambda, pickled
        self.engine = Engine(method, device=device, precision=precision)
        self.net: NetEngine | None = None
        self._engines = None if engines is None else engines(self.engine)
        self._card = card

    def __getstate__(self) -> dict[str, Any]:
        """A copy, here or in another process, computes with the nets themselves."""
        return self.__dict__ | {"net": None, "_engines": None}

    @property
    def method(self) -> Method[Any]:
        """The method that it runs, with the nets that translate."""
        return self.engine.method

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.engine.device

    @property
    def precision(self) -> torch.dtype:
        """In what it computes: ``torch.float32`` or ``torch.bfloat16``."""
        return self.engine.precision

    @property
    def domains(self) -> Domains:
        """The domains or attributes; iterating gives their names."""
        return self.config.domains

    @cached_property
    def card(self) -> ModelCard:
        """The model card; ``str(card)`` is its text, ``card.data`` its front matter.

        Raises:
            WeightsError: If its front matter is damaged.
        """
        from zoo_core.models.card import read_card  # a translation needs none of it

        return read_card(self._card, f"model {self.name}")

    @property
    def fingerprint(self) -> str:
        """Hash of the nets, of what they were built from, and of how they are computed."""
        return f"{self._nets} {self.net.name}" if self.net else self._nets

    @cached_property
    def _nets(self) -> str:
        return self.engine.digest(repr((self.config, self.precision)))

    def __repr__(self) -> str:
        names = ", ".join(self.domains)
        dtype = str(self.precision).removeprefix("torch.")
        return f"<Translator {self.name}: {names}; {dtype} on {self.device}>"

    def __call__(self, x: Any, to: Target, **options: Any) -> Any:
        """Same as `translate`."""
        return self.translate(x, to, **options)

    def translate(
        self,
        x: Any,
        to: Target,
        *,
        source: Target | None = None,
        size: int | None = None,
        batch: int = 8,
        limit: int | None = None,
        windows: str = "fast",
    ) -> Any:
        """Translates signals.

        Args:
            x: For pictures: a path, PIL image, array (H, W, 3) uint8, tensor (N, 3, H, W) or
                (3, H, W) float in [-1, 1], a list of them, or a folder.
            to: A domain; for attributes also a mapping such as ``{"Blond_Hair": 1, "Male": 0}``;
                or ``"all"``.
            source: The input's own domain or attributes. With two domains the other one is taken
                where the method needs it; attributes that are not given count as 0.
            size: Working size; None keeps the input's own.
            batch: Most windows that go through the nets at once.
            limit: Bound of one window's extent (pixels, frames); None for the codec's own.
            windows: What a signal larger than that is normalised by, where the nets normalise:
                ``fast`` takes the statistics of a reduced copy (of up to four windows); ``exact``
                those of the whole, with a temporary file where windows wait; ``own`` leaves
                each window to itself, which shows as borders.

        Returns:
            What came, translated, in kind and size: a PIL image for a path, a list for a list or
            a folder (in the order of the file names); for ``"all"`` a dict of that by domain.

        Raises:
            UsageError: If ``to``, ``source`` or the type of ``x`` is wrong.
            DataError: If a file cannot be used.
        """
        x, count = self._listed(x)
        plan = self._plan(to, source, count, size=size, batch=batch, limit=limit, windows=windows)
        outputs = self._collect(plan, x)
        return outputs if to == ALL and ALL not in self.domains else next(iter(outputs.values()))

    def cycle(
        self,
        x: Any,
        to: Target,
        *,
        source: Target | None = None,
        **settings: Unpack[Settings],
    ) -> tuple[Any, Any]:
        """Translates signals and translates the result back.

        Args:
            x: As for `translate`.
            to: As for `translate`, without ``"all"``.
            source: The input's own domain or attributes; may be left out with two domains.
            settings: ``size``, ``batch``, ``limit`` and ``windows``, as for `translate`.

        Returns:
            (translated, restored), each in kind and size.

        Raises:
            UsageError: As `translate`, and if the way back is not known.
        """
        engine, origin = self.engine, self.engine.label(source)
        target = engine.vector(to, origin)
        back = engine.back(source, target)
        if back is None:
            raise UsageError(
                "the way back needs the domain of the input",
                asked=f"cycle through {to}",
                hint=f"Give source=, one of {', '.join(self.domains)}.",
            )

        x, count = self._listed(x)
        self._choose([(back, target), (target, back)], count)

        def compute(net: Engine | NetEngine, x: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
            made = {"translated": net.translate(x, back, target)}  # (N, *S)
            if "restored" in names:
                made["restored"] = net.translate(made["translated"], target, back)  # (N, *S)
            return made

        own = engine.domain(back)
        plan = StreamPlan(
            self.codec,
            partial(compute, self.net or engine),
            {"translated": engine.domain(target), "restored": own},
            source=own,
            plain=partial(compute, engine),
            **settings,
        )
        outputs = self._collect(plan, x)
        return outputs["translated"], outputs["restored"]

    def encode(self, x: Any, source: Target | None = None, *, size: int | None = None) -> Code:
        """The code of signals of one shape, for methods that translate through a common space.

        Args:
            x: As for `translate`; all of one size, small enough for one window each.
            source: The input's own domain or attributes.
            size: Working size; None keeps the input's own.

        Raises:
            UsageError: If the method has no code, or the signals differ in shape.
        """
        label = self.engine.label(source)
        windows = [
            window.signal
            for job in jobs_of(self.codec, x)
            for window in self.codec.windows(
                job.open(), size=size, source=self.engine.domain(label)
            )
        ]
        if len({window.shape for window in windows}) != 1:
            raise UsageError("the signals differ in shape", asked="encode", hint="Give size=.")
        return self.engine.encode(torch.stack(windows), label)

    def decode(self, code: Code, to: Target) -> Tensor:
        """(N, *S) float32 signals, on the CPU: a code (N codes) decoded into a domain.

        Raises:
            UsageError: If the method has no code, or ``to`` is wrong.
        """
        return self.engine.decode(code, self.engine.vector(to))  # (N, *S)

    def stream(
        self,
        paths: Iterable[str | Path | Job],
        to: Target,
        *,
        source: Target | None = None,
        finish: Callable[[Result], Any] | None = None,
        **settings: Unpack[Settings],
    ) -> Iterator[Result]:
        """Translates any number of files in bounded memory; a broken one stops nothing.

        Args:
            paths: Files (or jobs), taken as they are needed.
            to: As for `translate`.
            source: As for `translate`.
            finish: Called with each result that has outputs, in another thread, to write files;
                the outputs are dropped afterwards.
            settings: ``size``, ``batch``, ``limit`` and ``windows``, as for `translate`.

        Returns:
            One result per file, in order, with ``outputs`` by target or an ``error``.
        """
        plan = self._plan(to, source, finish=finish, **settings)
        return stream(plan, (job for path in paths for job in jobs_of(self.codec, path)))

    def targets(self, to: Target, source: Target | None = None) -> list[str]:
        """Names of the outputs that a request gives, as results and file names carry them."""
        return list(self.engine.targets(to, source))

    def choose(self, to: Target, source: Target | None = None, count: int = 1) -> str:
        """Finds the engine for a number of signals, and prepares it where that pays.

        Returns:
            Its name, or ``torch``.

        Raises:
            ZooError: If the engine that was asked for cannot compute the model.
        """
        self._plan(to, source, count)
        return TORCH if self.net is None else self.net.name

    def _choose(self, routes: Sequence[Route], count: int) -> None:
        self.net = None if self._engines is None else self._engines.chosen(routes, count)

    def _plan(self, to: Target, source: Target | None, count: int = 1, **more: Any) -> StreamPlan:
        """What happens to the inputs of a request."""
        engine = self.engine
        targets = engine.targets(to, source)
        origin = {name: engine.source(source, label) for name, label in targets.items()}
        self._choose([(origin[name], label) for name, label in targets.items()], count)
        net = self.net

        def plain(x: Tensor, names: Sequence[str]) -> Mapping[str, Tensor]:
            return engine.translate_each(
                x, {name: origin[name] for name in names}, {name: targets[name] for name in names}
            )

        def compute(x: Tensor, names: Sequence[str]) -> Mapping[str, Tensor]:
            if net is None:
                return plain(x, names)
            return {name: net.translate(x, origin[name], targets[name]) for name in names}

        names = {name: engine.domain(label) for name, label in targets.items()}
        of = self._source(source, targets)
        return StreamPlan(self.codec, compute, names, source=of, plain=plain, **more)

    def _source(self, source: Target | None, targets: Mapping[str, Sequence[float]]) -> str | None:
        """The domain of the inputs: as given, or the other of two where one is the target."""
        label = self.engine.label(source)
        if label is None and len(targets) == 1:
            label = self.engine.other(next(iter(targets.values())))
        return self.engine.domain(label)

    def _listed(self, x: Any) -> tuple[Any, int]:
        """Of a folder the list of its files; and how many signals these are, roughly."""
        if isinstance(x, str | os.PathLike) and Path(x).is_dir():
            from zoo_core.finding import LeftOut
            from zoo_core.translate.outputs import expand

            x = [source.path for source in expand([os.fspath(x)], self.codec, LeftOut())]
        return x, len(x) if isinstance(x, list | tuple) else 1

    def _collect(self, plan: StreamPlan, x: Any) -> dict[str, Any]:
        results = list(stream(plan, jobs_of(self.codec, x)))
        for result in results:
            if result.error is not None:
                raise result.error
            for note in result.notes:
                if FAR in note:
                    warnings.warn(f"{result.name}: {note}", stacklevel=3)
        return {
            name: self.codec.unwrap(x, [result.outputs[name] for result in results])
            for name in plan.names
        }
