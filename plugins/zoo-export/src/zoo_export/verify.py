"""Whether a graph gives what the model gives: at its golden inputs, and at another batch and size.

Shapes: N batch, H and W of the picture, h and w as the nets see it, C their channels, K domains.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zoo_core.contracts.method import Method
from zoo_core.contracts.signals import Condition
from zoo_core.errors import ZooError
from zoo_core.models.golden import eager, read_golden
from zoo_images.pixels import to_bytes, to_tensor
from zoo_images.tiles import LEAST, padded_extent

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

DIFFERENCE = 1e-4
"""Most by which what the nets give may differ from float32 torch, in units of the signal."""
PSNR = 45.0
"""Least peak signal-to-noise ratio of the pictures, in dB."""

Bytes = npt.NDArray[np.uint8]
Feed = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Agreement:
    """How far a graph is from the model, over all comparisons.

    Attributes:
        difference: Largest difference of what the nets give, in units of the signal.
        psnr: Smallest peak signal-to-noise ratio of a batch of pictures in dB; infinite where
            all are the same.
    """

    difference: float
    psnr: float

    def sentence(self) -> str:
        """Both figures, for people."""
        pictures = "the same pictures" if math.isinf(self.psnr) else f"{self.psnr:.0f} dB"
        return f"differs from float32 torch by at most {self.difference:.1g}, {pictures}"


@dataclass(frozen=True)
class Direction:
    """What a graph translates.

    Attributes:
        source: Condition vector (K,) of the inputs; None where the nets need none.
        target: Condition vector (K,) of the outputs; None where it is an input of the graph.
        names: The domains of both, where they stand for one.
    """

    source: list[float] | None
    target: list[float] | None
    names: tuple[str | None, str | None] = (None, None)


def session(graph: bytes | Path) -> InferenceSession:
    """A graph in ONNX Runtime, on the CPU, with as many threads as torch has."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    content = graph if isinstance(graph, bytes) else str(graph)
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def compared(
    run: Callable[[Feed], Sequence[npt.NDArray[Any]]],
    method: Method[Any],
    direction: Direction,
    golden: Path | None,
    asked: str,
) -> Agreement:
    """Runs a graph with the outputs ``translated`` and ``signal``, and compares it with torch.

    Args:
        run: Takes its inputs by name, and gives both outputs.
        method: The model's method, in float32 on the CPU.
        direction: What the graph translates.
        golden: The model's golden file, whose inputs are taken too.
        asked: What is exported, for the error.

    Raises:
        ZooError: If it differs by more than `DIFFERENCE`, or has less than `PSNR`.
    """
    worst = Agreement(0.0, math.inf)
    for pictures, target in _cases(method, direction, golden):
        feed: Feed = {"picture": pictures}
        if direction.target is None:
            feed["target"] = _as_input(method, target.label)
        made, signal = run(feed)
        wanted, expected = _reference(method, pictures, _source(method, direction, target), target)
        ratio, difference = psnr(made, wanted), math.inf
        if signal.shape == expected.shape:
            difference = float(np.abs(signal - expected).max())
        if not (difference <= DIFFERENCE and ratio >= PSNR):  # also true for NaN
            raise ZooError(
                f"the graph differs from the model by {difference:.2g} and {ratio:.1f} dB for "
                f"{pictures.shape[0]} pictures of {pictures.shape[1]} x {pictures.shape[2]}; "
                f"allowed are {DIFFERENCE:g} and {PSNR:g} dB",
                asked=asked,
                hint="Nothing is kept. Translate with zoo translate.",
            )
        worst = Agreement(max(worst.difference, difference), min(worst.psnr, ratio))
    return worst


def psnr(made: Bytes, wanted: Bytes) -> float:
    """Peak signal-to-noise ratio in dB of pictures of one shape; -inf where the shapes differ."""
    if made.shape != wanted.shape:
        return -math.inf
    error = float(np.mean((made.astype(np.float64) - wanted) ** 2))
    return 10 * math.log10(255**2 / error) if error else math.inf


def _cases(
    method: Method[Any], direction: Direction, golden: Path | None
) -> Iterator[tuple[Bytes, Condition]]:
    """Pictures (N, H, W, 3) with their target."""
    domains, spec = method.domains, method.signal
    for row in read_golden(golden) if golden is not None else ():
        asked = ((direction.source, row.source), (direction.target, row.target))
        if all(
            wanted is None or bool((given.label == torch.tensor(wanted)).all())
            for wanted, given in asked
        ):
            yield np.stack([to_bytes(signal, spec) for signal in row.input]), row.target
    height, width = spec.shape[1:]
    if spec.flexible >= 2:
        height, width = height + spec.stride + 1, max(1, width - 3)
    rng = np.random.default_rng(0)
    labels = [direction.target] if direction.target else [domains.vector(n) for n in method.targets]
    for label in labels:
        name = direction.names[1]
        if direction.target is None and domains.kind == "domains":
            name = domains.names[label.index(1.0)]
        pictures = rng.integers(0, 256, (3, height, width, 3), dtype=np.uint8)
        yield pictures, Condition(torch.tensor(label).expand(3, -1), name)  # (3, K)


def _source(method: Method[Any], direction: Direction, target: Condition) -> Condition:
    """The inputs' own condition: as the graph was made for, or unknown."""
    row = torch.tensor(direction.source or [0.0] * len(method.domains))  # (K,)
    return Condition(row.expand(len(target), -1), direction.names[0])  # (N, K)


def _as_input(method: Method[Any], label: Tensor) -> npt.NDArray[Any]:
    """A target as the graph takes it: positions (N,) of domains, or attributes (N, K)."""
    exclusive = method.domains.kind == "domains"
    return (label.argmax(1) if exclusive else label).numpy()


def _reference(
    method: Method[Any], pictures: Bytes, source: Condition, target: Condition
) -> tuple[Bytes, npt.NDArray[np.float32]]:
    """Pictures (N, H, W, 3) and signals (N, C, h, w) by torch, padded by NumPy."""
    spec, (height, width) = method.signal, pictures.shape[1:3]
    pads = [(0, 0), (0, 0)]
    for extent in (height, width):
        more = 0
        if spec.flexible >= 2:
            more = padded_extent(extent, spec.stride, LEAST) - extent
        pads.append((more // 2, more - more // 2))
    x = to_tensor(torch.from_numpy(pictures), spec)  # (N, C, H, W)
    padded = torch.from_numpy(np.pad(x.numpy(), pads, mode="reflect"))  # (N, C, h, w)
    y = eager(method, padded, source, target)  # (N, C, h, w)
    (top, _), (left, _) = pads[2:]
    inner = y[:, :, top : top + height, left : left + width]  # (N, C, H, W)
    return np.stack([to_bytes(signal, spec) for signal in inner]), y.numpy()
