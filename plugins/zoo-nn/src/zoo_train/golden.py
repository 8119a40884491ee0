"""Golden files are written with a model, and held against it wherever it goes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from zoo_core.contracts.method import Method
from zoo_core.contracts.signals import Batch, Condition, Domains
from zoo_core.contracts.step import Route
from zoo_core.errors import WeightsError
from zoo_core.models.golden import OPTIONAL, eager, read_golden

PER_ROUTE = 2
"""Signals of each route that the file keeps."""
ROUTES = 6
"""Routes at most, so that a method with many directions keeps a small file."""


def write_golden(path: Path, method: Method[Any], batch: Batch) -> None:
    """Translates a few signals of a batch by the method's own plan and keeps the outputs.

    Args:
        path: Where.
        method: In float32, on the CPU.
        batch: Real signals.
    """
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
                for extra in OPTIONAL
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


def routes_between(domains: Domains, targets: Sequence[str], batch: Batch) -> list[Route]:
    """A route from every part of a batch, be it mixed, to every other of some domains.

    What is translated with a method that plans no route, since it learns from samples (CoGAN).
    """
    return [
        Route(origin, Condition.of(domains, name, len(x), x.device), f"{origin}->{name}")
        for origin, x in batch.signals.items()
        for name in targets
        if name != origin
    ]
