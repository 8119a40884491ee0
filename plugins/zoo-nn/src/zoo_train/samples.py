"""Fixed inputs and their translations: the grids that show how a run goes."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoo_core.contracts.codec import Codec, SignalStore
from zoo_core.contracts.method import Method
from zoo_core.contracts.signals import MIXED, Batch, Condition, Domains
from zoo_core.errors import UsageError
from zoo_core.translate.engine import Engine

PER_DOMAIN = 4
"""Sample inputs of each domain, where there are several."""
ALONE = 8
"""Sample inputs of the one source of a run with attributes."""


@dataclass(frozen=True)
class Samples:
    """Sample inputs, spread evenly over each source.

    Attributes:
        batch: Inputs (N, *S) and their own conditions, by domain or under `MIXED`.
        names: File name (or index) of each input, by the same keys.
        domains: The run's domains or attributes.
        wanted: Those that the inputs are translated to; None for all.
    """

    batch: Batch
    names: Mapping[str, Sequence[str]]
    domains: Domains
    wanted: tuple[str, ...] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The domains or attributes that the inputs are translated to."""
        return self.domains.names if self.wanted is None else self.wanted

    @classmethod
    def of(
        cls,
        stores: Mapping[str, SignalStore],
        domains: Domains,
        wanted: tuple[str, ...] | None = None,
    ) -> Samples:
        """Chooses inputs from each source, in the form that evaluation sees."""
        count = ALONE if len(stores) == 1 else PER_DOMAIN
        signals, conditions, names = {}, {}, {}
        for key, store in stores.items():
            chosen = [
                i * len(store) // min(count, len(store)) for i in range(min(count, len(store)))
            ]
            signals[key] = store.batch(chosen)  # (N, *S)
            names[key] = [store.names[i] for i in chosen]
            if key == MIXED:
                if store.labels is None:
                    raise UsageError("it has no attribute labels", asked="the data of the run")
                conditions[key] = Condition(store.labels[chosen].float())  # (N, K)
            else:
                conditions[key] = Condition.of(domains, key, len(chosen))  # (N, K)
        return cls(Batch(signals, conditions), names, domains, wanted)

    def drawn(self, sampling: str) -> Batch:
        """The inputs as a batch of the sampler's kind: by domain, or all under `MIXED`."""
        if sampling != "mixed" or MIXED in self.batch.signals:
            return self.batch
        signals = torch.cat(list(self.batch.signals.values()))  # (N, *S)
        labels = torch.cat([c.label for c in self.batch.conditions.values()])  # (N, K)
        return Batch({MIXED: signals}, {MIXED: Condition(labels)})

    def targets(self, key: str) -> dict[str, list[list[float]]]:
        """By column of the grid: the condition vector (K,) that each input is translated to."""
        labels = self.batch.conditions[key].label.tolist()
        if self.domains.kind == "domains":
            return {n: [self.domains.vector(n)] * len(labels) for n in self.columns}
        return {n: [self._edited(row, n) for row in labels] for n in self.columns}

    def _edited(self, row: list[float], name: str) -> list[float]:
        """A label (K,) with one attribute switched; one of an exclusive group is set."""
        held = any(name in group for group in self.domains.exclusive)
        value = 1.0 if held else 1.0 - row[self.domains.index(name)]
        return self.domains.vector({name: value}, row)


def engine_of(method: Method[Any], device: torch.device) -> Engine:
    """What ``zoo translate`` would run by default with the method's weights as they are.

    It works on a copy, in the precision and memory format of translation, so that the grids show
    exactly the pictures that the exported model gives on this device.
    """
    judges = [net for name, net in method.nets.items() if name not in method.inference_nets]
    without: dict[int, Any] = {id(net): nn.Identity() for net in judges}
    return Engine(copy.deepcopy(method, without), device=device, precision="auto")


def translate(engine: Engine, samples: Samples) -> dict[str, dict[str, Tensor]]:
    """The translations (N, *S) of all samples, on the CPU, by input group and column."""
    result: dict[str, dict[str, Tensor]] = {}
    for key, signal in samples.batch.signals.items():
        sources = samples.batch.conditions[key].label.tolist()
        result[key] = {}
        for name, targets in samples.targets(key).items():
            if samples.domains.kind == "domains":  # one condition for the whole group
                output = engine.translate(signal, sources[0], targets[0])  # (N, *S)
            else:
                rows = zip(signal[:, None], sources, targets, strict=True)
                output = torch.cat([engine.translate(*row) for row in rows])  # (N, *S)
            result[key][name] = output
    return result


def write_sheet(
    codec: Codec, samples: Samples, outputs: Mapping[str, Mapping[str, Tensor]], path: Path
) -> None:
    """Writes inputs and translations as one labelled grid."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        (
            key if key != MIXED else samples.names[key][index],
            [signal, *(column[index] for column in outputs[key].values())],
        )
        for key, signals in samples.batch.signals.items()
        for index, signal in enumerate(signals)
    ]
    codec.sheet(rows, ["input", *samples.columns], path)
