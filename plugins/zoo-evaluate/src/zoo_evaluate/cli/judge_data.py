"""The data of ``zoo judge train``: opened in the form that the judge's architecture reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from zoo_core.errors import UsageError

if TYPE_CHECKING:
    from zoo_evaluate.examples import LabeledSubset
    from zoo_evaluate.judge_card import Task
    from zoo_train.data.dataset import DataSet

    Reader = Callable[[dict[str, Any], str], DataSet]


def sources(domains: Sequence[str], data: str | None) -> dict[str, Any]:
    """What is asked of `open_sources`, as named; raises `UsageError` where nothing is."""
    from zoo_train.data.sources import parse_domains

    if not domains and data is None:
        raise UsageError(
            "no data is given", asked="judge", hint="Add --domain NAME=SOURCE, or --data ROOT."
        )
    return {"domains": parse_domains(domains), "data": data}


def reader(architecture: str, size: int | None) -> Reader:
    """Opens a split of sources in the form that an architecture reads."""
    from zoo_core.contracts.spec import TrainConfig
    from zoo_core.host.plugins import host
    from zoo_nn.nets.judge_architecture import architecture_class
    from zoo_train.data.dataset import open_sources

    cls = architecture_class(architecture)
    codec = host().load("codec", cls.signal)(cls.form(cls.size if size is None else size))
    return lambda sources, split: open_sources(
        **sources, codec=codec, config=TrainConfig(), split=split
    )


def open_test(
    sources: dict[str, Any], tests: Sequence[str], read: Reader, learnt: DataSet, *, others: bool
) -> DataSet | None:
    """The test data: as named, else the test split of what was learnt from; None without one.

    ``others``: whether domains may be named that nothing was learnt from.
    """
    from zoo_core.errors import DataError, unknown
    from zoo_train.data.sources import parse_domains

    if tests:
        named = parse_domains(tests)
        for name in named:
            if name not in learnt.stores and not others:
                raise unknown("domain", name, learnt.stores)
        return read({"domains": named, "data": None}, "test")
    try:
        tested = read(sources, "test")
    except DataError as error:
        click.echo(f"zoo: there is no test data, so none is measured on: {error}", err=True)
        return None
    same = [name for name in tested.stores if tested.places[name] == learnt.places.get(name)]
    if same:
        click.echo(
            f"zoo: {', '.join(same)} has no test split, so no test accuracy is measured; "
            "name test data with --test NAME=SOURCE.",
            err=True,
        )
        return None
    return tested


def words(dataset: DataSet, name: str) -> str:
    """A domain's data in words that travel: the end of its path, not where this machine has it."""
    from zoo_train.data.dataset import ending

    store = dataset.stores[name]
    return f"{len(store):,} {dataset.noun}s from {ending(dataset.places[name])} ({store.summary})"


def examples(
    task: Task, learnt: DataSet, tested: DataSet | None
) -> tuple[tuple[str, ...], list[LabeledSubset], list[LabeledSubset]]:
    """Names of the classes, and the labelled signals to learn from and to test on."""
    from zoo_core.errors import DataError
    from zoo_evaluate.examples import content_parts, domain_parts

    tests, files = (tested.stores, tested.files) if tested else ({}, {})
    if task == "domain":
        names = tuple(learnt.stores)
        parts = domain_parts(learnt.stores, names, learnt.files)
        return names, parts, domain_parts(tests, names, files)
    parts, test_parts = content_parts(learnt.stores, learnt.files), content_parts(tests, files)
    count = 1 + max(int(part.labels.max()) for part in parts)
    for part in test_parts:
        if int(part.labels.max()) >= count:
            raise DataError(
                f"its test signals show class {int(part.labels.max())}, its training signals "
                f"only 0 to {count - 1}",
                asked=f"domain {part.domain}",
            )
    return tuple(str(number) for number in range(count)), parts, test_parts
