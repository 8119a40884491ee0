"""What the checks examine: a tiny instance of any method, with random batches for it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from typing import Any, Literal, cast

import torch
from torch import Tensor

from zoo_core.contracts.component import MethodSpec
from zoo_core.contracts.method import Method, make_options
from zoo_core.contracts.signals import Batch, Condition, Domains, TensorSpec
from zoo_core.contracts.spec import Preset
from zoo_core.errors import PluginError
from zoo_core.host.isolation import resolve
from zoo_core.host.plugins import GROUP, PluginHost
from zoo_nn.synthetic import random_batch
from zoo_train.golden import routes_between

Kind = Literal["domains", "attributes"]

TINY = "tiny"
"""Name of the preset that the kit prefers; a method may leave it out of its spec."""

COUNT = 3
"""Signals per part of a batch."""


@dataclass(frozen=True)
class TranslationCase:
    """One translation that a method offers.

    Attributes:
        name: For messages, such as ``first->second``.
        x: (N, *S) the input.
        source: The input's own condition.
        target: The condition of the output.
    """

    name: str
    x: Tensor
    source: Condition
    target: Condition


@dataclass(frozen=True)
class Subject:
    """A method under one kind of condition, at its smallest.

    Attributes:
        spec: What the plugin registers.
        kind: Kind of the condition: one of ``spec.conditions``.
        entry: The plugin's entry module; None where the method is not registered.
        known: The class, where it is at hand; None to import ``spec.target``.
    """

    spec: MethodSpec
    kind: Kind = "domains"
    entry: str | None = None
    known: type[Method[Any]] | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """Name of the method."""
        return self.spec.name

    @cached_property
    def method_class(self) -> type[Method[Any]]:
        """The class of the method."""
        found = self.known or resolve(self.spec.target, owner=self.name)
        if not (isinstance(found, type) and issubclass(found, Method)):
            raise PluginError(
                "it is no subclass of zoo_core.contracts.method.Method",
                asked=f"target {self.spec.target} of method {self.name}",
            )
        return found

    @cached_property
    def preset(self) -> Preset:
        """The preset ``tiny`` where the method has it, else the one with the smallest signals."""
        presets = self.method_class.presets
        if TINY in presets:
            return presets[TINY]
        return min(presets.values(), key=lambda preset: math.prod(preset.signal.shape))

    @property
    def signal(self) -> TensorSpec:
        """Form of the signals."""
        return self.preset.signal

    @cached_property
    def domains(self) -> Domains:
        """Two or three domains (or attributes, the first two exclusive), as the spec allows."""
        fewest, most = self.spec.domains
        count = max(fewest, min(3, most or 3))
        names = tuple(f"{self.kind[:-1]}{number}" for number in range(1, count + 1))
        groups = (names[:2],) if self.kind == "attributes" and count > 2 else ()
        return Domains(names, self.kind, groups)

    @property
    def mixed(self) -> bool:
        """Whether all domains share one part of the batch."""
        return self.kind == "attributes" or self.method_class.sampling == "mixed"

    def build(self, seed: int = 0) -> Method[Any]:
        """A new instance whose weights are drawn from ``seed``."""
        options = make_options(self.method_class.Options, self.preset.options, asked=self.name)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.method_class(options, self.domains, self.signal)

    def batch(self, seed: int = 0, count: int = COUNT) -> Batch:
        """A random batch; the same for the same seed."""
        return random_batch(self.domains, self.signal, mixed=self.mixed, count=count, seed=seed)

    def translations(self, method: Method[Any], batch: Batch) -> list[TranslationCase]:
        """The translations that the method plans for a batch, and what it is asked for later.

        A method that plans several random routes is asked a few times; one that plans none (it only
        samples) is taken to translate between any two domains. In a mixed batch every domain is
        also asked for by name, as ``zoo translate`` does.
        """
        found: dict[str, TranslationCase] = {}
        for seed in range(3):
            rng = torch.Generator().manual_seed(seed)
            for route in method.plan(batch, rng):
                source = batch.conditions[route.source]
                case = TranslationCase(
                    route.name, batch.signals[route.source], source, route.target
                )
                found.setdefault(route.name, case)
        if not found or self.mixed:
            found |= {case.name: case for case in self._named(batch, method.targets)}
        return list(found.values())

    def _named(self, batch: Batch, targets: Sequence[str]) -> Iterator[TranslationCase]:
        for route in routes_between(self.domains, targets, batch):
            source = batch.conditions[route.source]
            yield TranslationCase(route.name, batch.signals[route.source], source, route.target)


def subjects(name: str, host: PluginHost) -> list[Subject]:
    """A subject per kind of condition that a registered method declares.

    Raises:
        UsageError: If no method has this name.
    """
    spec = host.method(name)
    entry = entry_module(host.owner("method", name))
    return [Subject(spec, cast("Kind", kind), entry) for kind in spec.conditions]


def entry_module(distribution: str) -> str | None:
    """The module that a distribution names as its entry point for zoo."""
    for entry in metadata.entry_points(group=GROUP):
        if entry.dist is not None and entry.dist.name == distribution:
            return entry.module
    return None
