"""What an evaluation asks of a model: whole batches of signals under conditions.

Shapes: N batch, ``*S`` any signal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from zoo_core.contracts.method import Method
from zoo_core.contracts.signals import Condition, Domains, TensorSpec
from zoo_core.errors import UsageError
from zoo_core.translate.engine import Engine
from zoo_core.translate.translator import Translator


class EvalModel(Protocol):
    """What is evaluated: anything that translates signals under conditions."""

    name: str
    device: torch.device
    precision: str

    @property
    def domains(self) -> Domains:
        """Domains or attributes."""
        ...

    @property
    def signal(self) -> TensorSpec:
        """Form of the signals."""
        ...

    def signals(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, *S) ``x`` translated; float32, within the signal's range.

        Raises:
            UsageError: If it does not translate there; such a direction is left out.
        """
        ...


@runtime_checkable
class WholeEvalModel(Protocol):
    """A model that also translates whole signals, files or the codec's own form, as users do."""

    def outputs(self, inputs: Sequence[Any], source: Condition, target: Condition) -> list[Any]:
        """The translations of N whole signals, in the codec's own form.

        Raises:
            UsageError: If it does not translate there.
        """
        ...


class MethodEvalModel:
    """A method's nets as they are, such as in the middle of a training.

    Args:
        method: The method, in evaluation mode.
    """

    def __init__(self, method: Method[Any]) -> None:
        self.method, self.name = method, type(method).__name__
        first = next(method.parameters(), torch.zeros(()))
        self.device, self.precision = first.device, str(first.dtype).removeprefix("torch.")

    @property
    def domains(self) -> Domains:
        """The method's domains."""
        return self.method.domains

    @property
    def signal(self) -> TensorSpec:
        """The method's form of signals."""
        return self.method.signal

    def signals(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, *S) ``x`` translated."""
        _require(self.method, target)
        return self.method.translate(
            x.to(self.device), source.to(self.device), target.to(self.device)
        ).float()


class EngineEvalModel:
    """A model in the device, precision and memory format in which people use it.

    Args:
        engine: Translates.
        name: Name of the model.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine, self.name = engine, name
        self.device = self.engine.device
        self.precision = str(self.engine.precision).removeprefix("torch.")

    @property
    def domains(self) -> Domains:
        """The model's domains."""
        return self.engine.domains

    @property
    def signal(self) -> TensorSpec:
        """The model's form of signals."""
        return self.engine.method.signal

    def signals(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, *S) ``x`` translated."""
        _require(self.engine.method, target)
        with self.engine.computing():
            return self.engine.method.translate(
                self.engine.ready(x), source.to(self.device), target.to(self.device)
            ).float()


class TranslatorEvalModel(EngineEvalModel):
    """A loaded model.

    Args:
        translator: What `zoo.load` gives.
    """

    def __init__(self, translator: Translator) -> None:
        super().__init__(translator.engine, translator.name)
        self.translator = translator

    def outputs(self, inputs: Sequence[Any], source: Condition, target: Condition) -> list[Any]:
        """The translations of N whole signals; see `WholeEvalModel`."""
        _require(self.engine.method, target)
        if target.domain is None:
            raise UsageError("whole signals are translated between domains", asked="an attribute")
        return list(self.translator(list(inputs), to=target.domain, source=source.domain))


def as_eval_model(model: EvalModel | Translator | Method[Any]) -> EvalModel:
    """A model in the form in which it is evaluated."""
    if isinstance(model, Translator):
        return TranslatorEvalModel(model)
    if isinstance(model, Method):
        return MethodEvalModel(model)
    return model


def _require(method: Method[Any], target: Condition) -> None:
    if target.domain is not None:
        method.require_target(target.domain)
