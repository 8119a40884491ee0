"""Ways to compute translations other than torch as it is: the contract of components ``engine``."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from zoo_core.catalogue.description import ModelConfig
from zoo_core.errors import UsageError, ZooError
from zoo_core.models.golden import read_golden
from zoo_core.translate.engine import PRECISIONS, Engine, Label

if TYPE_CHECKING:
    from zoo_core.contracts.method import Method
    from zoo_core.host.plugins import PluginHost

PSNR, DIFFERENCE = 45.0, 1e-4
"""Least PSNR to float32 in dB; most by which outputs may differ where float32 is asked for."""

Route = tuple[Label | None, Label]
"""The condition vectors (K,) of inputs, where it is known, and of outputs."""


@dataclass(frozen=True)
class LoadedModel:
    """What an engine is made from.

    Attributes:
        plain: The model in torch, on the device and in the precision that are asked for.
        config: Its configuration.
        weights: The file of its weights.
        golden: Its golden file, which need not be there.
        build: Makes its method anew, in float32 on the CPU.
        host: The plugins.
    """

    plain: Engine
    config: ModelConfig
    weights: Path
    golden: Path
    build: Callable[[], Method[Any]]
    host: PluginHost


class EngineChoice(ABC):
    """Finds what computes the translations of a job: what a component of kind ``engine`` names.

    Args:
        model: The model.
        name: Name of the component.

    Attributes:
        precisions: What it can compute in.

    Raises:
        UsageError: If it cannot compute this model here, such as for want of a package.
    """

    precisions: ClassVar[Sequence[str]] = tuple(PRECISIONS)

    def __init__(self, model: LoadedModel, name: str) -> None:
        self.model, self.name = model, name
        precision = str(model.plain.precision).removeprefix("torch.")
        if precision not in self.precisions:
            raise UsageError(
                f"it computes in {' or '.join(self.precisions)} only",
                asked=f'engine "{name}" in {precision}',
            )

    @abstractmethod
    def chosen(self, routes: Sequence[Route], count: int) -> NetEngine | None:
        """What translates ``count`` signals along these routes; None for torch as it is.

        Raises:
            ZooError: If it cannot compute the model, or differs from it by more than is allowed.
        """


class NetEngine(EngineChoice):
    """Computes translations itself; codes, and windows that share statistics, stay with torch.

    Attributes:
        speed: How fast it is, as a multiple of torch in float32, for those who choose.
        seconds: How long it takes to prepare a model, roughly.
    """

    speed: ClassVar[float] = 1.0
    seconds: ClassVar[float] = 0.0

    @abstractmethod
    def is_ready(self, route: Route) -> bool:
        """Whether nothing slow has to be prepared for a route."""

    @abstractmethod
    def translate(self, x: Tensor, source: Label | None, target: Label) -> Tensor:
        """(N, *S) float32 on the CPU: ``x`` (N, *S) translated; prepares what is not ready."""

    def keep(self) -> None:
        """Keeps what was prepared for later processes; called once it agrees with the model."""

    def chosen(self, routes: Sequence[Route], count: int) -> NetEngine:
        """Itself, once it is prepared for all routes and agrees with the model."""
        fresh = [route for route in routes if not self.is_ready(route)]
        for route in fresh:
            for x, wanted in self._cases(*route):
                self._require_agreement(self.translate(x, *route), wanted)
        if fresh:
            self.keep()
        return self

    def _cases(self, source: Label | None, target: Label) -> Iterator[tuple[Tensor, Tensor]]:
        """What the golden file holds of a route, else noise, with what torch makes of it."""
        found = False
        for golden in read_golden(self.model.golden) if self.model.golden.is_file() else ():
            fits = (golden.target.label == torch.tensor(target)).all(1)  # (N,)
            if source is not None:
                fits &= (golden.source.label == torch.tensor(source)).all(1)  # (N,)
            if fits.any():
                found = True
                yield golden.input[fits], golden.output[fits]
        if not found:
            shape = self.model.config.signal.shape
            x = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))  # (2, *S)
            yield x, self.model.plain.translate(x, source, target)

    def _require_agreement(self, made: Tensor, wanted: Tensor) -> None:
        spec, exact = self.model.config.signal, self.model.plain.precision == torch.float32
        span = 2.0 if spec.low is None or spec.high is None else spec.high - spec.low
        difference = (made - wanted).abs()  # (N, *S)
        psnr = 20 * math.log10(span / max(float(difference.square().mean().sqrt()), 1e-9))
        largest = float(difference.max())
        if not (largest <= DIFFERENCE if exact else psnr >= PSNR):  # also true for NaN
            raise ZooError(
                f"it differs from the model by {largest:.2g} ({psnr:.0f} dB)",
                asked=f'engine "{self.name}"',
                hint="Use another engine; torch is always there.",
            )
