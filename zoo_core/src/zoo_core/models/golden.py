"""The golden file of a model: a few inputs and conditions with the outputs that must come back."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo_core.contracts.method import Method
from zoo_core.contracts.signals import Condition
from zoo_core.errors import WeightsError

OPTIONAL = ("style", "reference", "lengths")
"""Parts of a condition that not every method has."""


@dataclass(frozen=True)
class Golden:
    """Inputs that go through the nets together, and what must come out.

    Attributes:
        input: (N, *S) within the signal's range.
        source: (N, K) the inputs' own condition.
        target: (N, K) the condition of the output.
        output: (N, *S) what float32 eager execution gave when the model was written.
    """

    input: Tensor
    source: Condition
    target: Condition
    output: Tensor


def read_golden(path: Path) -> list[Golden]:
    """Reads a golden file.

    Raises:
        WeightsError: If it is missing or damaged.
    """
    from zoo_core.models.weights import read_tensors

    tensors, metadata = read_tensors(path)
    try:
        names = json.loads(metadata["domains"])
        if {len(value) for value in tensors.values()} != {len(names)}:
            raise ValueError("its rows are not equally many")
        return list(_groups(tensors, names))
    except (KeyError, TypeError, ValueError) as fault:
        raise WeightsError(
            f"it is no golden file ({type(fault).__name__}: {fault})", asked=str(path)
        ) from fault


@torch.inference_mode()
def eager(method: Method[Any], x: Tensor, source: Condition, target: Condition) -> Tensor:
    """(N, *S) ``x`` translated in float32 on the method's device; the result is on the CPU."""
    device = next((p.device for p in method.parameters()), torch.device("cpu"))
    training = method.training
    method.eval()
    try:
        output = method.translate(x.to(device), source.to(device), target.to(device))  # (N, *S)
    finally:
        method.train(training)
    return output.float().cpu()  # (N, *S)


def _groups(tensors: dict[str, Tensor], names: list[list[str | None]]) -> Iterator[Golden]:
    """The rows that share both domains, since a method may choose its net by the domain."""
    start = 0
    for (source, target), group in itertools.groupby(names):
        part = slice(start, start + len(list(group)))
        start = part.stop

        def condition(role: str, domain: str | None, part: slice = part) -> Condition:
            extras: dict[str, Any] = {key: tensors.get(f"{role}.{key}") for key in OPTIONAL}
            return replace(Condition(tensors[role], domain), **extras)[part]

        yield Golden(
            tensors["input"][part],
            condition("source", source),
            condition("target", target),
            tensors["output"][part],
        )
