"""Writes model directories, whole or not at all: nets, configuration, card and golden file."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from zoo_core.catalogue.description import ModelConfig
from zoo_core.catalogue.registry import CONFIG
from zoo_core.contracts.method import Method
from zoo_core.contracts.signals import Batch
from zoo_core.errors import UsageError, WeightsError, ZooError
from zoo_core.files import aside, sweep, sync
from zoo_core.models.modeldir import CARD, GOLDEN, MODEL, TRAINING, instantiate
from zoo_core.models.weights import loaded, net_state, parameter_counts
from zoo_train.card import Card
from zoo_train.golden import write_golden


def write_model(
    directory: Path,
    method: Method[Any],
    config: ModelConfig,
    *,
    card: Card,
    sample_batch: Batch | None = None,
    half: bool = False,
    files: Mapping[str, Path | str] | None = None,
    check: Callable[[Path], None] | None = None,
) -> None:
    """Writes a model directory, all of it or nothing.

    An existing model directory of this name is replaced only once the new one is complete.

    Args:
        directory: Where; its parent must exist or be creatable.
        method: The method with its trained nets.
        config: Its configuration; must rebuild exactly these nets.
        card: What the card says.
        sample_batch: Real signals for the golden file; None writes no golden file.
        half: Stores weights as float16 (half the bytes; they are float32 again when loaded).
        files: Further files, by name: a path to copy, such as ``{"samples.png": path}``, or text.
        check: Called with the whole directory before it takes its place; if it raises, it does not.

    Raises:
        UsageError: If ``directory`` holds something that is not a model.
        WeightsError: If a weight is not finite or the configuration builds other nets.
        ZooError: If it cannot be written (disk full, no permission).
    """
    directory = Path(directory)
    refuse_foreign(directory)
    with _writing(directory) as fresh:
        translating = method.inference_nets
        others = tuple(name for name in method.nets if name not in translating)
        save_nets(method, fresh / MODEL, translating, half=half)
        if others:
            save_nets(method, fresh / TRAINING, others, half=half)
        (fresh / CONFIG).write_text(config.to_yaml(), encoding="utf-8")
        counts = parameter_counts(method)
        (fresh / CARD).write_text(card.render(config, counts), encoding="utf-8")
        for name, source in (files or {}).items():
            if isinstance(source, Path):
                shutil.copyfile(source, fresh / Path(name).name)
            else:
                (fresh / Path(name).name).write_text(source, encoding="utf-8")
        if sample_batch is not None:
            # From a rebuilt method, so that the golden file also proves config and weights.
            copy = loaded(lambda: instantiate(type(method), config), fresh / MODEL)
            write_golden(fresh / GOLDEN, copy, sample_batch)
        if check is not None:
            check(fresh)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """As `zoo_core.files.replacing`, for a folder: the old one stays until the new one is whole.

    What killed writers left beside it a day ago is removed.

    Args:
        folder: The folder to be.

    Raises:
        OSError: If it cannot be written; nothing is left behind.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    sweep(folder.parent)
    work = aside(folder)
    old = aside(folder)
    try:
        work.mkdir()
        yield work
        for path in work.iterdir():
            sync(path)
        if folder.exists():
            folder.rename(old)
        try:
            work.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
        sync(folder.parent)
    finally:
        for left in (work, old):
            shutil.rmtree(left, ignore_errors=True)


def refuse_foreign(directory: Path) -> None:
    """Raises `UsageError` where a directory exists that is neither empty nor a model."""
    if directory.is_file() or (
        directory.is_dir() and any(directory.iterdir()) and not (directory / CONFIG).is_file()
    ):
        raise UsageError(
            "exists and is no model directory, so it is not replaced",
            asked=f"output {directory}",
            hint="Give another place.",
        )


def save_nets(method: Method[Any], path: Path, names: Sequence[str], *, half: bool = False) -> None:
    """Writes nets to a safetensors file; the same weights give the same bytes.

    Args:
        method: The method.
        path: The file.
        names: Names of the nets.
        half: Whether to store floating-point values as float16.

    Raises:
        WeightsError: If a value is not finite, or too large for float16.
    """
    state: dict[str, Tensor] = {}
    for key, tensor in net_state(method, names).items():
        value = tensor.detach().cpu()
        if value.is_floating_point():
            value = value.to(torch.float16 if half else torch.float32)
            if not value.isfinite().all():
                raise WeightsError(
                    f"{key} holds values that are not finite" + (" in float16" if half else ""),
                    asked=f"weights {path.name}",
                    hint="The training has diverged; use an earlier checkpoint.",
                )
        state[key] = value.contiguous()
    try:
        save_file(state, path, metadata={"format": "pt"})
    except Exception as fault:  # the library wraps a full disk in an exception of its own
        raise ZooError(f"cannot be written: {str(fault)[:200]}", asked=f"weights {path}") from fault


@contextmanager
def _writing(directory: Path) -> Iterator[Path]:
    """A new directory that takes the place of ``directory`` when the block succeeds."""
    try:
        with replacing_folder(directory) as fresh:
            yield fresh
            for path in fresh.iterdir():
                path.chmod(0o644)  # the safetensors library writes for the owner alone
    except OSError as fault:
        raise ZooError(
            f"cannot be written: {fault.strerror or fault}",
            asked=f"model directory {directory}",
            hint="Free space or choose another place; what was there before is kept.",
        ) from fault
