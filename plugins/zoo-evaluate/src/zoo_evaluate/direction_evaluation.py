"""The evaluation of one direction: inputs chosen, translated in batches, metrics updated.

Shapes: N batch, ``*S`` any signal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zoo_core.contracts.signals import Condition
from zoo_core.errors import UsageError
from zoo_evaluate.context import Direction, TranslatedBatch
from zoo_evaluate.directions import own_condition, target_condition
from zoo_evaluate.eval_model import EvalModel, WholeEvalModel
from zoo_evaluate.metrics import NEEDS, Metric
from zoo_evaluate.report import SamplePanel

ProgressCallback = Callable[[str, int, int], None]


@dataclass(frozen=True)
class EvalConfig:
    """Settings of an evaluation that its figures depend on.

    Attributes:
        split: Name of the data's split.
        num_samples: Most inputs per direction, and most real signals per domain; None for all.
        seed: Seed of the choice of inputs, of random subsets and of random translations.
        batch: Signals at once; None fits them to the size.
        paired: Whether signals of one name are references; see
            `zoo_evaluate.directions.find_directions`.
        samples: Sample pictures per direction.
        allow_few: Whether FID and KID are measured of fewer signals than they state anything of.

    Raises:
        UsageError: If a number is too small.
    """

    split: str = "test"
    num_samples: int | None = None
    seed: int = 0
    batch: int | None = None
    paired: bool | None = None
    samples: int = 8
    allow_few: bool = False

    def __post_init__(self) -> None:
        for name, least in (("num_samples", 2), ("batch", 1), ("samples", 0), ("seed", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(f"it must be at least {least}", asked=f"{name} {value}")


class DirectionEvaluation:
    """The evaluation of one direction.

    Args:
        direction: The direction.
        translator: The model.
        config: Settings.
        notes: Where to say what was left out.
        on_progress: Progress.
    """

    def __init__(
        self,
        direction: Direction,
        translator: EvalModel,
        config: EvalConfig,
        notes: list[str],
        on_progress: ProgressCallback | None,
    ) -> None:
        self.direction, self.translator, self.config = direction, translator, config
        self.notes, self.on_progress = notes, on_progress
        self.panels: list[SamplePanel] = []
        self.titles: dict[str, str] = {}

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
            for at in torch.split(positions, self.direction.context.batch):
                try:
                    sample = self.sample(at)
                except UsageError as error:
                    self.notes.append(f"{self.direction.name}: left out: {error.problem}")
                    return None
                metrics = [metric for metric in metrics if self._updated(metric, sample)]
                self._keep(sample, shown)
                done += len(at)
                if self.on_progress is not None:
                    self.on_progress(self.direction.name, done, len(positions))
            computed = [(metric, self._computed(metric)) for metric in metrics]
        values = {metric.name: found for metric, found in computed if found is not None}
        facts = {metric.name: metric.protocol() for metric, found in computed if found is not None}
        for metric, found in computed:
            if found is not None:
                self.titles |= metric.titles()
                self.notes += [f"{self.direction.name}: {text}" for text in metric.caveats()]
        return values, {"num_samples": len(positions), "metrics": facts}

    def chosen(self) -> Tensor:
        """(N,) positions of the inputs: those with a reference where there are references."""
        references = self.direction.references
        every = references.sources if references else torch.arange(len(self.direction.source))
        count = self.config.num_samples
        if count is None or count >= len(every):
            return every
        rng = torch.Generator().manual_seed(self.config.seed)
        return every[torch.randperm(len(every), generator=rng)[:count].sort().values]

    def sample(self, at: Tensor) -> TranslatedBatch:
        """The inputs at the given positions, translated."""
        direction, domains = self.direction, self.translator.domains
        own = own_condition(direction.source, at, domains)
        wanted = target_condition(direction, at, domains)
        source = direction.source.signals(at)  # (N, *S)
        translated = self.translator.signals(source, own, wanted)  # (N, *S)
        device = direction.context.device
        return TranslatedBatch(
            direction,
            at,
            source.to(device),
            translated.to(device),
            lambda: self.translator.signals(translated, wanted, own).to(device),
            self._whole(own, wanted),
        )

    def _whole(self, own: Condition, wanted: Condition) -> Callable[[list[Any]], list[Any]] | None:
        model = self.translator
        if not isinstance(model, WholeEvalModel):
            return None
        return lambda inputs: model.outputs(inputs, own, wanted)

    def _metrics(self, classes: Sequence[type[Metric]]) -> list[Metric]:
        metrics = []
        for cls in classes:
            missing = sorted(need for need in cls.needs if not self.direction.has(need))
            if missing:
                self._without(cls.name, "needs " + "; ".join(NEEDS[need] for need in missing))
                continue
            try:
                metrics.append(cls(self.direction))
            except UsageError as error:
                self._without(cls.name, f"{error.problem}. {error.hint or ''}".rstrip(". "))
        return metrics

    def _updated(self, metric: Metric, sample: TranslatedBatch) -> bool:
        """Updates a metric; False where the model cannot give what it asks (no way back)."""
        try:
            metric.update(sample)
        except UsageError as error:
            self._without(metric.name, error.problem)
            return False
        return True

    def _computed(self, metric: Metric) -> dict[str, float] | None:
        """The values of a metric; None where it refuses to state any."""
        try:
            return metric.compute()
        except UsageError as error:
            self._without(metric.name, error.problem)
            return None

    def _without(self, metric: str, reason: str) -> None:
        self.notes.append(f"{self.direction.name}: no {metric}: {reason}")

    def _keep(self, sample: TranslatedBatch, shown: Tensor) -> None:
        reference = sample.reference if self.direction.references else None
        names = self.direction.source.names()
        for row in torch.nonzero(torch.isin(sample.positions, shown))[:, 0].tolist():
            self.panels.append(
                SamplePanel(
                    names[int(sample.positions[row])],
                    sample.source[row].cpu(),
                    sample.translated[row].cpu(),
                    None if reference is None else reference[row].cpu(),
                )
            )


def _spread(positions: Tensor, count: int) -> Tensor:
    """At most ``count`` of the positions, evenly spread."""
    if count <= 0:
        return positions[:0]
    at = torch.linspace(0, len(positions) - 1, min(count, len(positions))).round().long()
    return positions[at]
