"""What the commands that measure a model share: its test data, and progress by direction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from zoo_core.errors import UsageError, unknown

if TYPE_CHECKING:
    from zoo_core.translate.translator import Translator
    from zoo_train.data.dataset import DataSet

T = TypeVar("T")


def open_test_data(
    translator: Translator, domains: Sequence[str], data: str | None, split: str
) -> DataSet:
    """The real signals of the model's domains, prepared as the model was trained.

    Args:
        translator: The model.
        domains: ``NAME=SOURCE`` for each domain.
        data: A folder that holds all domains or attributes.
        split: Name of the split.

    Raises:
        UsageError: If nothing is given, or a domain is unknown to the model.
        DataError: If a source cannot be read.
    """
    from zoo_core.contracts.signals import MIXED
    from zoo_core.contracts.spec import TrainConfig
    from zoo_train.data.dataset import open_sources
    from zoo_train.data.sources import parse_domains

    known, named = translator.domains, parse_domains(domains)
    if not named and data is None:
        raise UsageError(
            "no test data is given",
            asked=f"test of {translator.name}",
            hint=f"Add --domain NAME=SOURCE for each of {', '.join(known.names)}, or --data ROOT.",
        )
    attributes = known.names if known.kind == "attributes" else None
    if attributes and named:
        raise UsageError(
            "the model edits attributes, which are read from a list",
            asked="--domain",
            hint="Give --data ROOT, a folder in CelebA's layout.",
        )
    for name in named:
        if name not in known.names:
            raise unknown("domain of the model", name, known.names)
    config = TrainConfig(crop_first=translator.codec.preprocessing.get("crop_first"))
    dataset = open_sources(
        named,
        codec=translator.codec,
        config=config,
        split=split,
        attributes=attributes,
        data=data,
    )
    if data is not None and not attributes:
        # A folder may hold more domains than the model knows.
        dataset.stores = {n: s for n, s in dataset.stores.items() if n in (*known.names, MIXED)}
    return dataset


def asked_paired(options: Mapping[str, Any]) -> bool | None:
    """Whether files of one name show the same: as asked for, else as the data set declares."""
    from zoo_evaluate.held_out import declared_paired

    given: bool | None = options["paired"]
    return declared_paired(options["data"]) if given is None else given


def with_progress(work: Callable[[Any], T]) -> T:
    """What ``work`` gives, told of progress by ``told(direction, done, total)`` on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
    )
    tasks: dict[str, Any] = {}
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:

        def on_progress(direction: str, done: int, total: int) -> None:
            if direction not in tasks:
                tasks[direction] = progress.add_task(direction, total=total)
            progress.update(tasks[direction], completed=done)

        return work(on_progress)
