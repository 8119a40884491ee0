"""What a benchmark is made of: data, tasks, judges, columns, overrides, published figures.

All of it is data; `zoo_evaluate.bench.runner` runs it. Importing this module imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from zoo_core.errors import UsageError, unknown
from zoo_evaluate.judge_card import SCALES, Augmentation
from zoo_nn.nets.classifier_card import OWN

MARKS = {
    "V": "read in the source",
    "V2": "read in a third-party copy",
    "R": "recalled from the paper, not read again",
}
"""How sure a published figure is; a figure of which none of these can be said is not printed."""


@dataclass(frozen=True)
class Task:
    """Domains between which is translated, in every direction.

    Attributes:
        name: Name for ``--tasks``.
        domains: Names of the domains, keys of `Benchmark.sources`.
        whole: Whether methods that cannot be trained on all domains at once, but on every pair
            of them, take part only where they are asked for by name.
    """

    name: str
    domains: tuple[str, ...]
    whole: bool = False

    @property
    def directions(self) -> tuple[tuple[str, str], ...]:
        """(source, target) of every direction."""
        return tuple((a, b) for a in self.domains for b in self.domains if a != b)


@dataclass(frozen=True)
class ClassifierConfig:
    """A classifier of real signals, trained once per working folder.

    Attributes:
        name: Name of its directory.
        task: ``domain`` or ``content``, as of ``zoo judge train``.
        domains: Domains whose training signals it learns from.
        steps: Steps of training.
        batch: Signals per step.
        floor: Real accuracy on the test split below which it cannot serve.
        widths: Channels of its stages.
        role: ``instrument``: it measures. ``source``: it learns from one domain, by changes so wide
            that it reads other domains too, is what ``{source_judge}`` stands for, and has a part
            in the choice of the best snapshot; it never measures.
        scales: Smallest and largest scale of those changes.
        architecture: Name of a component of kind ``judge-architecture``, with its ``:REST``.
        arguments: What the architecture is given besides.
        degraded: Whether a judge of domains learns that a blurred, pale or noisy picture belongs to
            the domain that it was taken from.

    Several instruments of one task and the same domains are a jury: what they say is averaged. The
    first of them also chooses snapshots and extracts features.
    """

    name: str
    task: Literal["domain", "content"]
    domains: tuple[str, ...]
    steps: int = 600
    batch: int = 128
    floor: float = 0.0
    widths: tuple[int, ...] = (24, 48, 96, 128)
    role: Literal["instrument", "source"] = "instrument"
    scales: tuple[float, float] = SCALES
    architecture: str = OWN
    arguments: Mapping[str, Any] = field(default_factory=dict)
    degraded: bool = False

    @property
    def augmentation(self) -> Augmentation:
        """How the signals are changed that it learns from."""
        if self.role == "source":
            return "wide"
        return "degraded" if self.degraded else "plain"


@dataclass(frozen=True)
class Column:
    """A figure of each cell. It has either a metric, or a measure of its own.

    Attributes:
        name: Key in the cells and heading in the tables.
        metric: Name of a metric that plugins bring (``zoo evaluate --metrics``).
        value: Which of the metric's values.
        measure: Lazy target of a callable that takes a `zoo_evaluate.bench.measure.BenchCase` and
            returns a number, or None where there is none.
        better: Which way is better, for the reader; ``one``: the closer to 1, the better.
        percent: Whether it is a share, drawn as bars.
        digits: Digits after the point.
    """

    name: str
    metric: str = ""
    value: str = ""
    measure: str = ""
    better: Literal["more", "less", "one"] = "more"
    percent: bool = False
    digits: int = 3


@dataclass(frozen=True)
class Adaptation:
    """How the classifier of the adaptation accuracy is trained.

    Attributes:
        pictures: Most source training pictures that are translated for it.
        steps: Steps of training.
        batch: Pictures per step.
        widths: Channels of its stages.
    """

    pictures: int = 12_000
    steps: int = 500
    batch: int = 128
    widths: tuple[int, ...] = (24, 48, 96, 128)

    @property
    def facts(self) -> dict[str, int]:
        """What a cell records of it."""
        return {"pictures": self.pictures, "steps": self.steps, "batch": self.batch}


@dataclass(frozen=True)
class Override:
    """What a row of the table is given beyond its method's preset in this benchmark.

    Attributes:
        options: Options of the method; ``{source_judge}`` stands for the directory of the source
            domain's classifier. A training that knows its source so serves one direction.
        method: The method, where the row is a variant of it with a name of its own; empty where
            the row has the method's name.
        extra_losses: Losses beside the method's own, as ``--loss`` takes them; with
            ``{source_judge}`` too.
        train: Settings of the loop, as keys of `zoo_core.contracts.spec.TrainConfig`.
        inputs: Most test pictures per direction, for methods that translate slowly.
        pictures: Most pictures translated for the adaptation accuracy, likewise.
        held: Most pictures of the validation that chooses the best snapshot, likewise.
        preset: Another preset than the benchmark's.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    method: str = ""
    extra_losses: tuple[str, ...] = ()
    train: Mapping[str, Any] = field(default_factory=dict)
    inputs: int | None = None
    pictures: int | None = None
    held: int | None = None
    preset: str | None = None

    @property
    def one_way(self) -> bool:
        """Whether a training knows which domain is the source."""
        given = (*self.options.values(), *self.extra_losses)
        return any("{source_judge}" in str(value) for value in given)


@dataclass(frozen=True)
class PublishedFigure:
    """A figure that a paper prints.

    Attributes:
        name: Method or row as the paper calls it.
        direction: Direction, such as ``mnist->usps``.
        value: The figure as printed, in per cent.
        mark: How sure it is; a key of `MARKS`.
        source: Where it is printed.
        note: What differs from this protocol.
        column: The column that it is to be compared with.

    Raises:
        UsageError: If the mark is unknown: uncertain figures are not printed.
    """

    name: str
    direction: str
    value: str
    mark: str
    source: str
    note: str = ""
    column: str = "adaptation_accuracy"

    def __post_init__(self) -> None:
        if self.mark not in MARKS:
            raise UsageError(
                f"only figures marked {', '.join(MARKS)} are printed",
                asked=f'published figure of {self.name} marked "{self.mark}"',
                hint="Read the figure in its source first.",
            )


@dataclass(frozen=True)
class Benchmark:
    """A protocol and what it is applied to.

    Attributes:
        name: Name of the command and of the files.
        title: Heading of the page.
        sources: Source of each domain as ``zoo train`` takes it; ``{root}`` is the data's folder.
        tasks: The tasks.
        preset: Preset of every method.
        size: Side of the pictures; 0 for signals that keep their own.
        judges: Recipes of the judges.
        columns: The figures.
        factors: What the score that chooses the best snapshot is the product of; keys of
            `zoo_evaluate.bench.selection.FACTORS`.
        protocol: The protocol in words, a sentence or two per line.
        methods: Rows by default: methods, and names of variants; empty for all methods that
            translate its signals between domains, and all variants.
        adaptation: Recipe of the adaptation accuracy; None where there are no labels.
        short: Recipe of a shorter one, which stands in a column of its own.
        extractor: Which judge's features FID compares: the target's content judge, or the
            domain judge.
        inputs: Most test pictures per direction.
        held: Most pictures of the validation that chooses the best snapshot.
        snapshots: Models that each training keeps for that choice, the last one included.
        overrides: By row: by method, or by the name of a variant.
        published: Figures of papers.
        signal: Kind of the signals.
        evaluator: Lazy target of the `zoo_evaluate.bench.assess.CellEvaluator` that fills cells.
        selection: How the best snapshot is chosen, in words; empty: by the product of `factors`.
        baselines: Rows that frame the tables, in their order; those not named come in that of
            names.
        last: The row of them that stands below the methods.
        shown: What the pictures of the page show.
        shades: Most colours of a picture of the page that shows signals; None: as they are.
        one_seed: Whether the page shows pictures of one seed alone, the first.
        all_bars: Whether the frame's rows are drawn as bars, too.
    """

    name: str
    title: str
    sources: Mapping[str, str]
    tasks: tuple[Task, ...]
    preset: str
    size: int
    judges: tuple[ClassifierConfig, ...]
    columns: tuple[Column, ...]
    factors: tuple[str, ...]
    protocol: tuple[str, ...]
    methods: tuple[str, ...] = ()
    adaptation: Adaptation | None = None
    short: Adaptation | None = None
    extractor: Literal["content", "domain"] = "domain"
    inputs: int = 2000
    held: int = 500
    snapshots: int = 4
    overrides: Mapping[str, Override] = field(default_factory=dict)
    published: tuple[PublishedFigure, ...] = ()
    signal: str = "image"
    evaluator: str = "zoo_evaluate.bench.picture_cells:PictureCellEvaluator"
    selection: str = ""
    baselines: tuple[str, ...] = ()
    last: str = "target only"
    shown: str = (
        "Test pictures: inputs, translations, and references where there are any. Last state, "
        "not chosen by hand."
    )
    shades: int | None = None
    one_seed: bool = False
    all_bars: bool = False

    def task(self, name: str) -> Task:
        """A task; an unknown name is an error with the near match."""
        found = {task.name: task for task in self.tasks}
        if name not in found:
            raise unknown(f"task of {self.name}", name, found)
        return found[name]

    def source(self, domain: str, root: object, split: str) -> str:
        """Source of a domain as ``zoo train`` takes it."""
        return self.sources[domain].replace("{root}", str(root)).replace("{split}", split)

    def override(self, row: str) -> Override:
        """What a row is given beyond its method's preset."""
        return self.overrides.get(row, Override())

    def method_of(self, row: str) -> str:
        """The method of a row."""
        return self.override(row).method or row

    def with_adaptation(self, pictures: int, steps: int) -> Benchmark:
        """The same, with another length of the adaptation classifier's training.

        Raises:
            UsageError: If it has none.
        """
        if self.adaptation is None:
            raise UsageError(
                "it has no adaptation accuracy",
                asked=f"--adaptation {pictures} {steps} of benchmark {self.name}",
                hint="Leave --adaptation out.",
            )
        return replace(self, adaptation=replace(self.adaptation, pictures=pictures, steps=steps))

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of the rows that are variants of a method."""
        return tuple(row for row, override in self.overrides.items() if override.method)

    def recipes(self, task: Task) -> tuple[ClassifierConfig, ...]:
        """The judges that a task needs."""
        return tuple(r for r in self.judges if set(r.domains) <= set(task.domains))

    def source_classifier(self, domain: str) -> ClassifierConfig | None:
        """The classifier of a source domain, if there is one."""
        wanted = ("source", (domain,))
        return next((r for r in self.judges if (r.role, r.domains) == wanted), None)
