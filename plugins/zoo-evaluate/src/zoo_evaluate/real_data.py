"""The real signals that a model is measured on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo_core.contracts.signals import MIXED
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import UsageError, unknown
from zoo_core.translate.translator import Translator
from zoo_train.data.dataset import DataSet, open_sources
from zoo_train.data.folders import SourceFiles
from zoo_train.data.memory import is_path, signals_of, source_text


def open_real_data(
    translator: Translator,
    domains: Mapping[str, Any],
    data: str | Path | None,
    split: str,
    ranges: Mapping[str, str] | None = None,
) -> DataSet:
    """The real signals of the model's domains, prepared as the model was trained.

    Args:
        translator: The model.
        domains: Data of each domain by name: a folder, a text as for ``--domain``, or signals in
            memory (see `zoo_train.data.memory.signals_of`).
        data: A folder that holds all domains or attributes.
        split: Name of the split.
        ranges: ``LOW,HIGH`` by domain: values of black and white, which floats in memory need.

    Raises:
        UsageError: If nothing is given, a domain is unknown to the model, or what is in memory
            holds no signals.
        DataError: If a source cannot be read.
    """
    known = translator.domains
    if not domains and data is None:
        raise UsageError(
            "no test data is given",
            asked=f"test of {translator.name}",
            hint=f"Add --domain NAME=SOURCE for each of {', '.join(known.names)}, or --data ROOT.",
        )
    attributes = known.names if known.kind == "attributes" else None
    if attributes and domains:
        raise UsageError(
            "the model edits attributes, which are read from a list",
            asked="--domain",
            hint="Give --data ROOT, a folder in CelebA's layout.",
        )
    for name in domains:
        if name not in known.names:
            raise unknown("domain of the model", name, known.names)
    config = TrainConfig(
        crop_first=translator.codec.preprocessing.get("crop_first"), ranges=ranges or {}
    )
    dataset = open_sources(
        {name: source_text(source) for name, source in domains.items()},
        codec=translator.codec,
        config=config,
        memory={
            name: _with_names(signals_of(name, source))
            for name, source in domains.items()
            if not is_path(source)
        },
        split=split,
        attributes=attributes,
        data=None if data is None else str(data),
    )
    if data is not None and not attributes:
        # A folder may hold more domains than the model knows.
        dataset.stores = {n: s for n, s in dataset.stores.items() if n in (*known.names, MIXED)}
    return dataset


def _with_names(found: SourceFiles) -> SourceFiles:
    """Signals in memory whose names are no plain numbers, but those of files.

    Equal numbers in two indexed data sets, MNIST and USPS, say nothing. Equal places in two arrays
    are references where the caller says so, as equal names of files are.
    """
    return replace(found, names=[f"memory/{name}" for name in found.names])
