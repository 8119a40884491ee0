"""The evaluation of one direction: inputs chosen, translated in batches, metrics updated.

Shapes: N batch, ``*S`` any signal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zoo_core.errors import UsageError
from zoo_evaluate.metrics import NEEDS, Metric
from zoo_evaluate.report import Panel
from zoo_evaluate.setting import Sample, Setting
from zoo_evaluate.sides import own_condition, target_condition
from zoo_evaluate.translates import Translates

Told = Callable[[str, int, int], None]


@dataclass(frozen=True)
class EvalConfig:
    """Settings of an evaluation that its figures depend on.

    Attributes:
        split: Name of the data's split.
        count: Most inputs per direction, and most real signals per domain; None for all.
        seed: Seed of the choice of inputs, of random subsets and of random translations.
        batch: Signals at once; None fits them to the size.
        partners: Whether true partners are looked for.
        samples: Sample pictures per direction.
    """

    split: str = "test"
    count: int | None = None
    seed: int = 0
    batch: int | None = None
    partners: bool = True
    samples: int = 8


class Direction:
    """The evaluation of one direction.

    Args:
        setting: The direction.
        translator: The model.
        config: Settings.
        notes: Where to say what was left out.
        told: Progress.
    """

    def __init__(
        self,
        setting: Setting,
        translator: Translates,
        config: EvalConfig,
        notes: list[str],
        told: Told | None,
    ) -> None:
        self.setting, self.translator, self.config = setting, translator, config
        self.notes, self.told = notes, told
        self.panels: list[Panel] = []

    def measure(
        self, classes: Sequence[type[Metric]]
    ) -> tuple[dict[str, dict[str, float]], dict[str, Any]] | None:
        """Values by metric and the direction's protocol; None where the model has no such way."""
        positions = self.chosen()
        shown = _spread(positions, self.config.samples)
        done = 0
        with torch.inference_mode(), torch.random.fork_rng(devices=[]):
            metrics = self._metrics(classes)
            torch.manual_seed(self.config.seed)
            for at in torch.split(positions, self.setting.tools.batch):
                try:
                    sample = self.sample(at)
                except UsageError as error:
                    self.notes.append(f"{self.setting.name}: left out: {error.problem}")
                    return None
                metrics = [metric for metric in metrics if self._updated(metric, sample)]
                self._keep(sample, shown)
                done += len(at)
                if self.told is not None:
                    self.told(self.setting.name, done, len(positions))
            values = {metric.name: metric.compute() for metric in metrics}
        facts = {metric.name: metric.protocol() for metric in metrics}
        return values, {"count": len(positions), "metrics": facts}

    def chosen(self) -> Tensor:
        """(N,) positions of the inputs: those with a partner where there are partners."""
        partners = self.setting.partners
        every = partners.sources if partners else torch.arange(len(self.setting.source))
        count = self.config.count
        if count is None or count >= len(every):
            return every
        rng = torch.Generator().manual_seed(self.config.seed)
        return every[torch.randperm(len(every), generator=rng)[:count].sort().values]

    def sample(self, at: Tensor) -> Sample:
        """The inputs at the given positions, translated."""
        setting, domains = self.setting, self.translator.domains
        own = own_condition(setting.source, at, domains)
        wanted = target_condition(setting, at, domains)
        source = setting.source.signals(at)  # (N, *S)
        translated = self.translator.signals(source, own, wanted)  # (N, *S)
        device = setting.tools.device
        return Sample(
            setting,
            at,
            source.to(device),
            translated.to(device),
            lambda: self.translator.signals(translated, wanted, own).to(device),
        )

    def _metrics(self, classes: Sequence[type[Metric]]) -> list[Metric]:
        metrics = []
        for cls in classes:
            missing = sorted(need for need in cls.needs if not self.setting.has(need))
            if missing:
                self._without(cls.name, "needs " + "; ".join(NEEDS[need] for need in missing))
            else:
                metrics.append(cls(self.setting))
        return metrics

    def _updated(self, metric: Metric, sample: Sample) -> bool:
        """Updates a metric; False where the model cannot give what it asks (no way back)."""
        try:
            metric.update(sample)
        except UsageError as error:
            self._without(metric.name, error.problem)
            return False
        return True

    def _without(self, metric: str, reason: str) -> None:
        self.notes.append(f"{self.setting.name}: no {metric}: {reason}")

    def _keep(self, sample: Sample, shown: Tensor) -> None:
        if self.translator.signal.kind != "image":
            return
        partner = sample.partner if self.setting.partners else None
        names = self.setting.source.names()
        for row in torch.nonzero(torch.isin(sample.positions, shown))[:, 0].tolist():
            self.panels.append(
                Panel(
                    names[int(sample.positions[row])],
                    sample.source[row].cpu(),
                    sample.translated[row].cpu(),
                    None if partner is None else partner[row].cpu(),
                )
            )


def _spread(positions: Tensor, count: int) -> Tensor:
    """At most ``count`` of the positions, evenly spread."""
    if count <= 0:
        return positions[:0]
    at = torch.linspace(0, len(positions) - 1, min(count, len(positions))).round().long()
    return positions[at]
