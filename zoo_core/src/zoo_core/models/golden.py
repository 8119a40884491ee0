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

from zoo_core.contracts.method import Method, routes_between
from zoo_core.contracts.signals import Batch, Condition
from zoo_core.errors import WeightsError

PER_ROUTE = 2
"""Signals of each route that the file keeps."""
ROUTES = 6
"""Routes at most, so that a method with many directions keeps a small file."""
_OPTIONAL = ("style", "reference", "lengths")


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


def write_golden(path: Path, method: Method[Any], batch: Batch) -> None:
    """Translates a few signals of a batch by the method's own plan and keeps the outputs.

    Args:
        path: Where.
        method: In float32, on the CPU.
        batch: Real signals.
    """
    from safetensors.torch import save_file

    rows: dict[str, list[Tensor]] = {}
    names: list[list[str | None]] = []
    routes = method.plan(batch.to("cpu"), torch.Generator().manual_seed(0))
    for route in (routes or routes_between(method.domains, method.targets, batch))[:ROUTES]:
        signal = batch.signals[route.source][:PER_ROUTE].detach().cpu().float()  # (N, *S)
        source = batch.conditions[route.source][: len(signal)].to("cpu")
        target = route.target[: len(signal)].to("cpu")
        parts = {"input": signal, "output": eager(method, signal, source, target)}
        for role, condition in (("source", source), ("target", target)):
            parts[role] = condition.label
            parts |= {
                f"{role}.{extra}": getattr(condition, extra)
                for extra in _OPTIONAL
                if getattr(condition, extra) is not None
            }
        for key, value in parts.items():
            rows.setdefault(key, []).append(value)
        names += [[source.domain, target.domain]] * len(signal)
    # One metadata key only: the library writes several in no fixed order.
    save_file(
        {key: torch.cat(value).contiguous() for key, value in rows.items()},
        path,
        metadata={"domains": json.dumps(names)},
    )


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


def check_golden(method: Method[Any], path: Path, tolerance: float = 1e-3) -> float:
    """Translates the golden inputs again and compares.

    Args:
        method: The method with its weights, on any device.
        path: A golden file, or the model directory that holds one.
        tolerance: Largest absolute difference allowed, in units of the signal.

    Returns:
        The largest absolute difference.

    Raises:
        WeightsError: If the file is missing or damaged, or an output differs by more.
    """
    path = path / "golden.safetensors" if path.is_dir() else path
    worst = 0.0
    for golden in read_golden(path):
        output = eager(method, golden.input, golden.source, golden.target)  # (N, *S)
        if output.shape != golden.output.shape:
            raise WeightsError(
                f"the output has shape {tuple(output.shape)}, expected "
                f"{tuple(golden.output.shape)}",
                asked=str(path),
            )
        difference = float((output - golden.output).abs().max())
        if not difference <= tolerance:  # also true for NaN
            raise WeightsError(
                f"an output differs from the golden one by {difference:.2g}, allowed is "
                f"{tolerance:.2g}",
                asked=str(path),
                hint="The weights or the code of the method are not those that wrote it.",
            )
        worst = max(worst, difference)
    return worst


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
            extras: dict[str, Any] = {key: tensors.get(f"{role}.{key}") for key in _OPTIONAL}
            return replace(Condition(tensors[role], domain), **extras)[part]

        yield Golden(
            tensors["input"][part],
            condition("source", source),
            condition("target", target),
            tensors["output"][part],
        )
