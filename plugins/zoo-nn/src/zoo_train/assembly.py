"""What a run is put together from: its codec, its data, and its nets with their players."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from zoo_core.contracts.codec import Codec
from zoo_core.contracts.method import Method, Player
from zoo_core.errors import UsageError
from zoo_core.files import restored
from zoo_core.host.plugins import host
from zoo_core.models.modeldir import build_method
from zoo_core.models.weights import sketched
from zoo_train.config import RunConfig
from zoo_train.data.dataset import DataSet, Progress, open_sources
from zoo_train.data.folders import SourceFiles
from zoo_train.devices import seed_all
from zoo_train.export import model_config
from zoo_train.extra_losses import defend, players_with, show_data
from zoo_train.logs import Display
from zoo_train.pretrained import load_pretrained


def make_codec(config: RunConfig) -> Codec:
    """What reads and writes the run's kind of signal."""
    codec: type[Codec] = host().load("codec", config.signal.kind)
    return codec(config.signal, codec.preprocessing_for(config.signal, config.train))


def open_data(
    config: RunConfig,
    codec: Codec,
    *,
    cache: Path,
    memory: Mapping[str, SourceFiles] | None,
    progress: Progress,
) -> DataSet:
    """The run's data, checked and decoded.

    Args:
        config: The run's configuration.
        codec: Reads the signals.
        cache: Folder for decoded signals.
        memory: Signals of the domains that are given in memory.
        progress: Told how many files are decoded.

    Raises:
        UsageError: If the method does not learn from such data.
        ZooError: If a source cannot be read.
    """
    spec = host().method(config.method)
    data = open_sources(
        {name: restored(source) for name, source in config.domains.items()},
        codec=codec,
        config=config.train,
        memory=memory,
        split="train",
        cache=cache,
        attributes=list(config.attributes) or None,
        data=None if config.data is None else restored(config.data),
        order=[restored(name) for name in config.order],
        progress=progress,
        need=(1, None) if config.attributes else spec.domains,
    )
    if data.domains.kind not in spec.conditions:
        raise UsageError(
            f"{spec.name} learns from {' or '.join(spec.conditions)}, not from {data.domains.kind}",
            asked="the data of the run",
            hint="See zoo list --methods.",
        )
    return data


def make_players(
    config: RunConfig,
    data: DataSet,
    statistics: Mapping[str, Any],
    *,
    directory: Path,
    begins: bool,
    display: Display,
) -> tuple[Method[Any], Sequence[Player]]:
    """The method with its nets, the same in all processes, and the players that train them.

    Args:
        config: The run's configuration.
        data: The run's data.
        statistics: What its codec knows of the data.
        directory: The run's directory, for errors.
        begins: Whether no step is done, so that nets take the weights of the model to start from.
        display: Told what is taken from that model.

    Raises:
        ZooError: If options do not fit, or nets are larger than memory allows.
    """
    build = partial(build_method, model_config(config, data.domains))
    _require_possible(build, directory)
    seed_all(config.train.seed, -1, 0)
    method = build()
    if config.pretrained is not None and begins:
        whole = model_config(config, data.domains, statistics=statistics)
        load_pretrained(method, config.pretrained, whole, note=display.note, warn=display.warn)
    players = players_with(method, config.extra_losses)
    show_data(players, data.stores)
    defend(method, players, config.defence)
    return method, players


def _require_possible(build: Callable[[], Any], directory: Path) -> None:
    """Refuses nets of sizes that nobody means before any memory is taken.

    Raises:
        WeightsError: As `zoo_core.models.weights.sketched`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # frozen weights are loaded into nets without memory
        sketched(build, f"run {directory}")
