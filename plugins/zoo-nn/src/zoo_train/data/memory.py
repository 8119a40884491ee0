"""Data that is given in memory: arrays, tensors, lists, and data sets of torch or Hugging Face.

No package is asked for: a data set is whatever has a length and gives its rows by number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo_core.contracts.codec import InMemorySignal
from zoo_core.errors import DataError, UsageError
from zoo_train.data.folders import SourceFiles
from zoo_train.data.sources import MEMORY

_LABELS = ("label", "labels", "target", "class")
_CHANNELS = (1, 3, 4)
_HINT = (
    "Give an array (N, H, W, 3), a tensor (N, 3, H, W), a list of signals, or a data set whose "
    "rows can be had by number."
)


def source_text(data: Any) -> str:
    """What stands for the data of a domain in a run's configuration: a path, or its type."""
    return str(data) if is_path(data) else f"{MEMORY}{type(data).__name__}"


def is_path(data: Any) -> bool:
    """Whether it is a source by name, and not data itself."""
    return isinstance(data, str) or hasattr(data, "__fspath__")


def by_domain(
    domains: Mapping[str, Any] | None, data: Any
) -> tuple[Mapping[str, Any], str | Path | None]:
    """The data of each domain by name, and the folder that holds all, of which one is given.

    Args:
        domains: Data of each domain by name.
        data: The folder, or the same as ``domains``.

    Raises:
        UsageError: If ``data`` is neither, or both name domains.
    """
    if data is None or is_path(data):
        return domains or {}, data
    if not isinstance(data, Mapping):
        raise UsageError(
            "it is neither a folder nor data by the name of its domain",
            asked=f"data ({type(data).__name__})",
            hint='Give domains={"NAME": …, "NAME": …}, an array or data set for each domain.',
        )
    if domains:
        raise UsageError(
            "both name the data", asked="domains and data", hint="Give one of the two."
        )
    return data, None


def signals_of(domain: str, data: Any) -> SourceFiles:
    """The signals of a domain that is given in memory, each read once.

    Args:
        domain: Its name.
        data: An array or tensor with one signal for each place of its first axis; or a list, a data
            set of torch or of Hugging Face (`datasets`), or anything else that has a length and
            gives rows by number. A row is a signal, a tuple that begins with one, in which a whole
            number may follow as label, or a mapping in which one column holds signals.

    Raises:
        UsageError: If it is no such thing, or the column of the signals cannot be told.
        DataError: If it is empty, or a row cannot be read.
    """
    asked = f'domain "{domain}" ({type(data).__name__} in memory)'
    rows: list[Any] = []
    labels: list[int | None] = []
    unused: set[str] = set()
    for row in _rows(data, asked):
        signal, label, more = _taken_apart(row, asked)
        rows.append(_plain(signal))
        labels.append(label)
        unused.update(more)
    if not rows:
        raise DataError("it is empty", asked=asked)
    names = [f"{number:08d}" for number in range(len(rows))]
    known = [label for label in labels if label is not None]
    return SourceFiles(
        [InMemorySignal(name, value) for name, value in zip(names, rows, strict=True)],
        names,
        torch.tensor(known) if len(known) == len(rows) else None,  # (M,)
        f"{type(data).__name__} in memory",
        notes=[f"not used: {', '.join(sorted(unused))}"] if unused else (),
    )


def _rows(data: Any, asked: str) -> Iterator[Any]:
    if isinstance(data, np.ndarray | Tensor):
        channels = 0 if data.ndim != 3 else data.shape[0 if isinstance(data, Tensor) else -1]
        if data.ndim < 2 or channels in _CHANNELS:
            raise UsageError(
                f"its shape {tuple(data.shape)} may be that of one signal",
                asked=asked,
                hint="The first axis counts signals: (N, H, W, 3) or (N, 3, H, W).",
            )
    if isinstance(data, Mapping):
        raise UsageError(
            f"it holds several data sets or columns ({', '.join(map(str, list(data)[:5]))})",
            asked=asked,
            hint='Give one of them, such as data["train"].',
        )
    if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")) or isinstance(data, bytes):
        raise UsageError("its rows cannot be had by number", asked=asked, hint=_HINT)
    for number in range(len(data)):
        try:
            row = data[number]
        except Exception as fault:  # whatever another's data set raises
            raise DataError(
                f"row {number} cannot be read: {type(fault).__name__}: {fault}", asked=asked
            ) from fault
        yield row


def _taken_apart(row: Any, asked: str) -> tuple[Any, int | None, Sequence[str]]:
    """The signal of a row, its label, and what of the row is not used."""
    if isinstance(row, tuple | list) and row:
        signal, *more = row
        label = _whole_number(more[0]) if more else None
        beyond = more if label is None else more[1:]
        return (
            signal,
            label,
            [f"what follows the signal in each row ({len(beyond)})"] * bool(beyond),
        )
    if not isinstance(row, Mapping):
        return row, None, ()
    found = [name for name, value in row.items() if _is_signal(value)]
    if len(found) != 1:
        raise UsageError(
            f"{'several columns hold' if found else 'no column holds'} signals: "
            f"{', '.join(found or map(str, row))}",
            asked=asked,
            hint="Leave one column of pictures (select_columns), decoded or as arrays.",
        )
    label_name = next((name for name in _LABELS if _whole_number(row.get(name)) is not None), None)
    label = None if label_name is None else _whole_number(row[label_name])
    unused = [f"column {name}" for name in row if name not in (found[0], label_name)]
    return row[found[0]], label, unused


def _is_signal(value: Any) -> bool:
    """Whether the value of a column may be a signal: an array, or an object such as an image."""
    if isinstance(value, np.ndarray | Tensor):
        return value.ndim >= 2
    return value is not None and not isinstance(
        value, str | bytes | int | float | np.generic | Mapping | Sequence
    )


def _whole_number(value: Any) -> int | None:
    """A label; None for anything else."""
    if isinstance(value, np.ndarray | Tensor | np.generic) and np.ndim(value) == 0:
        value = value.item()
    return value if isinstance(value, int) else None


def _plain(signal: Any) -> Any:
    """A tensor on the CPU, of a type that NumPy has, without a graph."""
    if not isinstance(signal, Tensor):
        return signal
    signal = signal.detach().cpu()
    return signal.float() if signal.dtype == torch.bfloat16 else signal
