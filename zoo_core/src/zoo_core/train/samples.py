"""Fixed inputs and their translations: the grids that show how a run goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo_core.codec import Codec, Store
from zoo_core.errors import UsageError
from zoo_core.method import Method
from zoo_core.precision import autocast
from zoo_core.signals import MIXED, Batch, Condition, Domains
from zoo_core.train.watch import alarms

PER_DOMAIN = 4
"""Sample inputs of each domain, where there are several."""
ALONE = 8
"""Sample inputs of the one source of a run with attributes."""
FEWEST = 4
"""Signals of a leg below which the alarms stay silent: too few to tell."""


@dataclass(frozen=True)
class Samples:
    """Sample inputs, spread evenly over each source.

    Attributes:
        batch: Inputs (N, *S) and their own conditions, by domain or under `MIXED`.
        names: File name (or index) of each input, by the same keys.
        domains: The run's domains or attributes.
    """

    batch: Batch
    names: Mapping[str, Sequence[str]]
    domains: Domains

    @classmethod
    def of(cls, stores: Mapping[str, Store], domains: Domains, seed: int = 0) -> Samples:
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
        return cls(Batch(signals, conditions), names, domains)

    def drawn(self, sampling: str) -> Batch:
        """The inputs as a batch of the sampler's kind: by domain, or all under `MIXED`."""
        if sampling != "mixed" or MIXED in self.batch.signals:
            return self.batch
        signals = torch.cat(list(self.batch.signals.values()))  # (N, *S)
        labels = torch.cat([c.label for c in self.batch.conditions.values()])  # (N, K)
        return Batch({MIXED: signals}, {MIXED: Condition(labels)})

    def targets(self, key: str) -> dict[str, Condition]:
        """What each group of inputs is translated to, by column of the grid."""
        source = self.batch.conditions[key]
        if self.domains.kind == "domains":
            return {n: Condition.of(self.domains, n, len(source)) for n in self.domains.names}
        return {name: Condition(self._edited(source.label, name)) for name in self.domains.names}

    def _edited(self, label: Tensor, name: str) -> Tensor:
        """(N, K) the labels with one attribute switched; one of an exclusive group is set."""
        held = any(name in group for group in self.domains.exclusive)
        index = self.domains.index(name)
        rows = [
            self.domains.vector({name: 1.0 if held else 1.0 - row[index]}, row)
            for row in label.tolist()
        ]
        return torch.tensor(rows)  # (N, K)


@torch.inference_mode()
def translate(
    method: Method[Any], samples: Samples, device: torch.device, dtype: torch.dtype
) -> dict[str, dict[str, Tensor]]:
    """The translations (N, *S) of all samples, on the CPU, by input group and column."""
    batch = samples.batch.to(device)
    result: dict[str, dict[str, Tensor]] = {}
    for key, signal in batch.signals.items():
        result[key] = {}
        for name, target in samples.targets(key).items():
            with autocast(device, dtype):
                output = method.translate(signal, batch.conditions[key], target.to(device))
            result[key][name] = output.float().cpu()  # (N, *S)
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
    codec.sheet(rows, ["input", *samples.domains.names], path)


def suspicions(samples: Samples, outputs: Mapping[str, Mapping[str, Tensor]]) -> list[str]:
    """What the alarms say of the translations between different domains, or to each attribute."""
    found = []
    for key, signals in samples.batch.signals.items():
        for name, translated in outputs[key].items():
            if key != name and len(signals) >= FEWEST:
                title = f"{key}->{name}" if key != MIXED else f"to {name}"
                found += alarms(title, signals, translated)
    return found
