"""The figures of one cell: a model, in one direction, on real test pictures.

Shapes: N batch, C H W picture.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from zoo_core.contracts.codec import SignalStore
from zoo_core.contracts.signals import Condition, Domains, TensorSpec
from zoo_core.errors import DataError, PluginError
from zoo_evaluate.bench.instruments import SEED, Instruments
from zoo_evaluate.bench.protocol import Benchmark, Column, Override, Task
from zoo_evaluate.context import Direction, EvalContext
from zoo_evaluate.direction_evaluation import DirectionEvaluation, EvalConfig
from zoo_evaluate.directions import find_directions
from zoo_evaluate.eval_model import EvalModel
from zoo_evaluate.examples import class_labels
from zoo_evaluate.metrics import Metric
from zoo_evaluate.run import metric_classes

_JUDGED = frozenset({"content_judge", "domain_judge"})


@dataclass
class BenchCase:
    """A model in one direction, with all that its figures are found by.

    Attributes:
        instruments: Judges, extractors and real pictures.
        task: The task.
        source: Source domain.
        target: Target domain.
        translator: The model.
        override: What the benchmark grants the method.
        notes: Where measures say what was left out.
        facts: Where measures say how their figure was found.
    """

    instruments: Instruments
    task: Task
    source: str
    target: str
    translator: EvalModel
    override: Override = field(default_factory=Override)
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def benchmark(self) -> Benchmark:
        """The benchmark."""
        return self.instruments.benchmark

    def store(self, domain: str, split: str) -> SignalStore:
        """Real pictures of a domain."""
        return self.instruments.pictures.store(domain, split)

    @torch.no_grad()
    def translate(self, x: Tensor) -> Tensor:
        """(N, C, H, W) float32 on the CPU: pictures of the source, translated."""
        return self._signals(x, self.source, self.target)

    @torch.no_grad()
    def back(self, x: Tensor) -> Tensor:
        """(N, C, H, W) float32 on the CPU: translations, translated back.

        Raises:
            UsageError: If the model knows no way back.
        """
        return self._signals(x, self.target, self.source)

    def batches(self, domain: str, split: str, at: Sequence[int]) -> Iterator[Tensor]:
        """Real pictures (N, C, H, W) at the given positions, batch by batch."""
        store, size = self.store(domain, split), self.instruments.batch
        for start in range(0, len(at), size):
            yield store.batch(at[start : start + size])

    def _signals(self, x: Tensor, source: str, target: str) -> Tensor:
        domains = self.translator.domains
        own, to = (Condition.of(domains, name, len(x)) for name in (source, target))
        return self.translator.signals(x, own, to).float().cpu()


def measure(case: BenchCase, without: Sequence[str] = ()) -> dict[str, float | None]:
    """The figures by column; None where the method or the task has no such figure.

    Args:
        case: The model in a direction.
        without: Columns that say nothing of it; they are None and not computed.
    """
    found = _metrics(case, without)
    _say_who_judged(case)
    values: dict[str, float | None] = dict.fromkeys(c.name for c in case.benchmark.columns)
    for column in case.benchmark.columns:
        if column.name in without:
            continue
        value = _own(column, case) if column.measure else found.get(column.value)
        values[column.name] = None if value is None else round(float(value), 6)
    return values


def chosen(count: int, most: int | None) -> list[int]:
    """Positions of at most ``most`` of ``count`` pictures, at random but always the same."""
    if most is None or most >= count:
        return list(range(count))
    rng = torch.Generator().manual_seed(SEED)
    return sorted(torch.randperm(count, generator=rng)[:most].tolist())


def labels_of(store: SignalStore, domain: str) -> Tensor:
    """(M,) class numbers of a store; raises `DataError` where it has none."""
    labels = class_labels(store)
    if labels is None:
        raise DataError("its pictures have no class labels", asked=f"domain {domain}")
    return labels


@torch.no_grad()
def strip(case: BenchCase, count: int = 10) -> dict[str, Tensor]:
    """Test pictures to look at, (N, C, H, W) each: inputs, translations, references if any."""
    direction = _direction(case)
    references, labels = direction.references, direction.source.labels
    pool = references.sources if references else torch.arange(len(direction.source))
    if labels is None:
        at = pool[torch.linspace(0, len(pool) - 1, min(count, len(pool))).round().long()]
    else:
        own = labels[pool]
        at = torch.stack([pool[own == label][0] for label in torch.unique(own)])[:count]
    x = direction.source.signals(at)  # (N, C, H, W)
    rows = {case.source: x, f"to {case.target}": case.translate(x)}
    if references:
        rows["reference"] = direction.target.signals(references.of(at))
    return rows


def _metrics(case: BenchCase, without: Sequence[str]) -> dict[str, float]:
    """Values of the registered metrics that the columns name; of judges, the jury's mean."""
    columns = [c for c in case.benchmark.columns if c.metric and c.name not in without]
    classes = metric_classes(list(dict.fromkeys(column.metric for column in columns)))
    first, *others = case.instruments.jury(case.task, case.target)
    notes: list[str] = []
    found = _evaluated(case, first, classes, notes)
    case.notes += [note for note in notes if note not in case.notes]
    asked = [cls for cls in classes if cls.needs & _JUDGED] if found else []
    # Of a kind with fewer judges these miss theirs, which is no news of the cell.
    opinions = [_evaluated(case, context, asked, []) for context in others if asked]
    for column in columns:
        said = [values[column.value] for values in (found, *opinions) if column.value in values]
        if len(said) > 1:
            case.facts.setdefault("jury", {})[column.name] = [round(value, 4) for value in said]
            found[column.value] = mean(said)
    return found


def _say_who_judged(case: BenchCase) -> None:
    """Records the judges, and which of the jury are missing."""
    case.facts["judges"] = case.instruments.hashes(case.task, case.target)
    if missing := case.instruments.left_out(case.task, case.target):
        case.facts["left_out"] = missing


def _evaluated(
    case: BenchCase, context: EvalContext, classes: Sequence[type[Metric]], notes: list[str]
) -> dict[str, float]:
    """Values of metrics, by one member of the jury; what is to be said of them goes to notes."""
    count = case.override.inputs or case.benchmark.inputs
    config = EvalConfig(num_samples=count, seed=SEED, samples=0)
    evaluation = DirectionEvaluation(
        _direction(case, context), case.translator, config, notes, None
    )
    result = evaluation.measure(classes)
    if result is None:
        return {}
    by_metric, facts = result
    case.facts["inputs"] = facts["num_samples"]
    case.facts |= evaluation.titles
    return {name: value for values in by_metric.values() for name, value in values.items()}


def _direction(case: BenchCase, context: EvalContext | None = None) -> Direction:
    stores = {name: case.store(name, "test") for name in (case.source, case.target)}
    context = context or case.instruments.context(case.task, case.target)
    domains, signal = case.translator.domains, case.translator.signal
    directions = find_directions(stores, domains, signal, context, paired=True)
    return next(direction for direction in directions if direction.source.name == case.source)


def _own(column: Column, case: BenchCase) -> float | None:
    module, _, name = column.measure.partition(":")
    try:
        found: Callable[[BenchCase], float | None] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise PluginError(
            f"it cannot be imported: {error}", asked=f"measure {column.measure}"
        ) from error
    return found(case)


class Untranslated:
    """The translator that changes nothing: what every method has to be better than.

    Args:
        task: The task.
        size: Side of the pictures.
    """

    name, precision = "untranslated", "float32"
    device = torch.device("cpu")

    def __init__(self, task: Task, size: int) -> None:
        self._domains, self._signal = Domains(task.domains), TensorSpec(shape=(3, size, size))

    @property
    def domains(self) -> Domains:
        """The task's domains."""
        return self._domains

    @property
    def signal(self) -> TensorSpec:
        """Form of the pictures."""
        return self._signal

    def signals(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, C, H, W) ``x``, as it is."""
        return x


def target_only(case: BenchCase, adapted: Mapping[str, float]) -> dict[str, float | None]:
    """What the instruments say of the target's own real pictures, by column.

    Args:
        case: A direction; its translator is not asked.
        adapted: Accuracies of the classifiers that were trained on real target pictures.
    """
    values: dict[str, float | None] = dict.fromkeys(c.name for c in case.benchmark.columns)
    said: dict[str, list[float]] = {}
    for context in case.instruments.jury(case.task, case.target):
        direction = _direction(case, context)
        reader, domain, side = direction.content_judge, direction.domain_judge, direction.target
        if reader:
            said.setdefault("content_accuracy", []).append(context.real_accuracy(reader, side))
        if domain:
            label = domain.card.classes.index(case.target)
            said.setdefault("domain_accuracy", []).append(
                context.real_accuracy(domain, side, label)
            )
    found = {name: mean(each) for name, each in said.items()} | dict(adapted)
    case.facts["jury"] = {name: [round(one, 4) for one in each] for name, each in said.items()}
    _say_who_judged(case)
    return values | {name: round(value, 6) for name, value in found.items() if name in values}
