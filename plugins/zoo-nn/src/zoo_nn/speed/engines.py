"""Engines: nets compiled by torch, and the choice among all engines that are installed."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property

import torch
from torch import Tensor

from zoo_core.errors import ZooError
from zoo_core.translate.engine import AUTO, Engine, Label
from zoo_core.translate.engines import EngineChoice, NetEngine, Route

PAYS = 3.0
"""An engine is prepared for what would take torch this many times as long as preparing it."""
FEW = 16
"""Signals for which nothing is ever prepared."""


class Compiled(NetEngine):
    """Nets that torch compiles for this machine when they first run; nothing is kept of it."""

    speed = 7.0
    seconds = 40.0
    _compiled: Engine | None = None

    def is_ready(self, route: Route) -> bool:
        """Whether the nets have run in this process."""
        return self._compiled is not None

    def translate(self, x: Tensor, source: Label | None, target: Label) -> Tensor:
        """(N, *S) float32 on the CPU: ``x`` (N, *S) translated.

        Raises:
            ZooError: If the nets cannot be compiled here.
        """
        engine = self._compiled or self._prepared()
        try:
            made = engine.translate(x, source, target)  # (N, *S)
        except torch._dynamo.exc.TorchDynamoException as fault:
            raise ZooError(
                f"the nets cannot be compiled here: {str(fault).splitlines()[0]}",
                asked=f'engine "{self.name}"',
                hint="Use another engine, or install a C++ compiler.",
            ) from fault
        self._compiled = engine
        return made

    def _prepared(self) -> Engine:
        """A second set of the nets: windows that share statistics need the plain one."""
        plain = self.model.plain
        precision = str(plain.precision).removeprefix("torch.")
        engine = Engine(self.model.build(), device=plain.device, precision=precision)
        for net in engine.method.nets.values():
            net.compile()
        return engine


class Auto(EngineChoice):
    """The fastest engine that is ready, or pays for as many signals, and agrees with the model."""

    def chosen(self, routes: Sequence[Route], count: int) -> NetEngine | None:
        """What translates ``count`` signals along these routes; None for torch as it is."""
        for engine in list(self._engines):
            ready = all(engine.is_ready(route) for route in routes)
            if ready or self._pays(engine, routes[0], count):
                try:
                    return engine.chosen(routes, count)
                except ZooError as fault:  # the next one, and torch in the end
                    text = f"engine {engine.name} is passed over: {fault.problem}"
                    warnings.warn(text, stacklevel=2)
                    self._engines.remove(engine)
        return None

    @cached_property
    def _engines(self) -> list[NetEngine]:
        """The engines that can compute the model here, the fastest first."""
        return sorted(self._found(), key=lambda engine: -engine.speed)

    def _found(self) -> Iterator[NetEngine]:
        host = self.model.host
        for name in host.components("engine"):
            cls = host.load("engine", name) if name != AUTO else None
            if isinstance(cls, type) and issubclass(cls, NetEngine):
                try:
                    yield cls(self.model, name)
                except ZooError:
                    continue  # it lacks a package, or does not know this device or precision

    def _pays(self, engine: NetEngine, route: Route, count: int) -> bool:
        """Whether torch would take much longer than preparing the engine."""
        return count > FEW and count * self._per_signal(route) > PAYS * engine.seconds

    def _per_signal(self, route: Route) -> float:
        """Seconds that torch takes for a signal of the trained size."""
        if self._seconds is None:
            x = torch.zeros(4, *self.model.config.signal.shape)  # (4, *S)
            self.model.plain.translate(x, *route)  # the first time is slower
            begin = time.perf_counter()
            self.model.plain.translate(x, *route)
            self._seconds = (time.perf_counter() - begin) / len(x)
        return self._seconds

    _seconds: float | None = None
