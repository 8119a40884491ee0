"""The real signals that a model is measured on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from zoo_core.contracts.signals import MIXED
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import UsageError, unknown
from zoo_core.translate.translator import Translator
from zoo_train.data.dataset import DataSet, open_sources


def open_real_data(
    translator: Translator,
    domains: Mapping[str, str | Path],
    data: str | Path | None,
    split: str,
) -> DataSet:
    """The real signals of the model's domains, prepared as the model was trained.

    Args:
        translator: The model.
        domains: Source of each domain by name: a folder, or a text as for ``--domain``.
        data: A folder that holds all domains or attributes.
        split: Name of the split.

    Raises:
        UsageError: If nothing is given, or a domain is unknown to the model.
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
    config = TrainConfig(crop_first=translator.codec.preprocessing.get("crop_first"))
    dataset = open_sources(
        {name: str(source) for name, source in domains.items()},
        codec=translator.codec,
        config=config,
        split=split,
        attributes=attributes,
        data=None if data is None else str(data),
    )
    if data is not None and not attributes:
        # A folder may hold more domains than the model knows.
        dataset.stores = {n: s for n, s in dataset.stores.items() if n in (*known.names, MIXED)}
    return dataset
