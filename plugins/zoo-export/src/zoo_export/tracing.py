"""From nets to an ONNX graph, and whether there can be one."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from zoo_core.contracts.method import Method
from zoo_core.contracts.signals import Condition
from zoo_core.errors import UsageError, ZooError
from zoo_export.graph import CentredNorms, PicturesOnly

if TYPE_CHECKING:
    import onnx

OPSET = 20
"""Version of the ONNX operators."""


def onnx_of(
    module: nn.Module,
    arguments: Sequence[Tensor],
    shapes: Sequence[Mapping[int, Any]],
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    asked: str,
    centred: bool,
) -> onnx.ModelProto:
    """The graph of a module, which runs once.

    Args:
        module: The module.
        arguments: What it is called with.
        shapes: Of each argument the axes of any extent.
        inputs: Names of the arguments.
        outputs: Names of the results.
        asked: What is exported, for the error.
        centred: Whether instance normalisation is made exact for ONNX Runtime; see `CentredNorms`.

    Raises:
        ZooError: If its operations cannot be written as a graph.
    """
    try:
        with _quiet(), CentredNorms() if centred else nullcontext():
            program: Any = torch.onnx.export(
                module.eval(),
                tuple(arguments),
                dynamo=True,
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_shapes=tuple(dict(axes) for axes in shapes),
                verbose=False,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError, ValueError, TypeError) as fault:
        raise _refusal(fault, asked) from fault
    proto: onnx.ModelProto = program.model_proto
    return proto


def program_of(
    module: nn.Module,
    arguments: Sequence[Tensor],
    shapes: Sequence[Mapping[int, Any]],
    *,
    asked: str,
) -> torch.export.ExportedProgram:
    """The program of a module, as `onnx_of`.

    Raises:
        ZooError: If its operations cannot be written as a program.
    """
    try:
        with _quiet(), torch.no_grad():
            given = tuple(arguments)
            return torch.export.export(
                module.eval(), given, dynamic_shapes=_dynamic(module, shapes)
            )
    except (RuntimeError, ValueError, TypeError) as fault:
        raise _refusal(fault, asked) from fault


def _dynamic(module: nn.Module, shapes: Sequence[Mapping[int, Any]]) -> Any:
    axes = tuple(dict(each) for each in shapes)
    return (axes,) if isinstance(module, PicturesOnly) else axes  # its arguments are one tuple


def _refusal(fault: Exception, asked: str) -> ZooError:
    first = str(fault).strip().partition("\n")[0]
    return ZooError(
        f"its nets cannot be written as a graph for any size ({first})",
        asked=asked,
        hint="Use zoo translate.",
    )


def drop_unused_inputs(made: onnx.ModelProto) -> None:
    """Removes inputs that no node reads, which OpenVINO would not find again."""
    read = {name for node in made.graph.node for name in node.input}
    for value in [value for value in made.graph.input if value.name not in read]:
        made.graph.input.remove(value)


class _DescentError(Exception):
    """A translation computes gradients."""


class _NoDescent(TorchFunctionMode):
    """Stops a translation that turns gradients on."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Called for every function of torch."""
        if torch.is_grad_enabled():
            raise _DescentError
        return function(*args, **(kwargs or {}))


def require_graph(method: Method[Any], source: Condition, target: Condition) -> None:
    """Translates two grey pictures, to see whether a graph can.

    Raises:
        UsageError: If that descends along gradients, or the method must know more.
    """
    try:
        with torch.no_grad(), _NoDescent():
            method.translate(torch.zeros(2, *method.signal.shape), source, target)  # (2, C, H, W)
    except _DescentError:
        raise UsageError(
            "it finds the code of each picture by descending along gradients, "
            "which no graph can hold",
            asked=f"export of a {type(method).__name__} model",
            hint="Use zoo translate, or a method that encodes, such as unit.",
        ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter speaks of its own innards, which no user can mend."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
