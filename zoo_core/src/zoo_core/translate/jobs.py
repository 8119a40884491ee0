"""What goes through the nets and what becomes of it: a job for each input, a result of each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo_core.contracts.codec import Codec, Item, Window
from zoo_core.errors import PluginError, WeightsError, ZooError


@dataclass(frozen=True)
class Job:
    """One input: its name, and how to get it (called in a reader thread)."""

    name: str
    open: Callable[[], Item]


def jobs_of(codec: Codec, x: Any) -> Iterator[Job]:
    """Jobs of a signal, a batch, or a list of either; files are opened when their turn comes.

    Raises:
        UsageError: If a value is of no accepted type.
    """
    if isinstance(x, Job):
        yield x
    elif isinstance(x, list | tuple) and x:
        for part in x:
            yield from jobs_of(codec, part)
    elif isinstance(x, str | os.PathLike):
        yield Job(str(Path(x)), partial(codec.read, Path(x)))
    else:
        for item in codec.wrap(x):
            yield Job(item.name, partial(_itself, item))


@dataclass
class Result:
    """What became of one input.

    Attributes:
        index: Number of the input, counted from 0.
        name: Its name.
        outputs: Output by target, in the form in which the input came; empty where it failed.
        error: Why it failed; None where it did not.
        value: What ``finish`` returned.
        notes: What of the input was not used or is doubtful, in plain words.
    """

    index: int
    name: str
    outputs: dict[str, Any] = field(default_factory=dict)
    error: ZooError | None = None
    value: Any = None
    notes: tuple[str, ...] = ()

    @property
    def output(self) -> Any:
        """The first (or only) output; raises the error where there is none."""
        if self.error is not None:
            raise self.error
        return next(iter(self.outputs.values()))


def checked(item: Item, window: Window, output: Tensor) -> Tensor:
    """What the nets made of a window of an item, (C, *S) as the window.

    Raises:
        PluginError: If it has another shape.
        WeightsError: If any value is not finite.
    """
    made, wanted = tuple(output.shape), tuple(window.signal.shape)
    if made != wanted:
        raise PluginError(f"the net made shape {made} of {wanted}", asked=item.name)
    if not torch.isfinite(output).all():
        raise WeightsError(
            "the nets gave values that are not finite numbers",
            asked=item.name,
            hint="Try float32 precision; if that fails too, the weights are damaged.",
        )
    return output


def _itself(item: Item) -> Item:
    return item
