"""Checks on translations: shape, range, finiteness, independence, sizes, precision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from zoo_core.contracts.method import Method
from zoo_nn.synthetic import random_signals
from zoo_testing.error import ConformanceError
from zoo_testing.subject import Subject, TranslationCase

FACTORS = (1.0, 3.0, 10.0)
"""Weights are also tried larger: an unbounded output stays within range only while they are small.
"""

_TOLERANCE = 1e-3
"""Relative to the largest output: batch sizes change the order of sums, never more than that."""


def shapes(subject: Subject) -> None:
    """A translation has the shape and type of its input."""
    for case, output in _translations(subject):
        if output.shape != case.x.shape or output.dtype != case.x.dtype:
            raise ConformanceError(
                "shapes",
                f"{case.name} turned {_form(case.x)} into {_form(output)}",
                "A translation (N, *S) has its input's shape and type.",
            )


def finite(subject: Subject) -> None:
    """A translation holds no NaN and no infinity."""
    for case, output in _translations(subject):
        if not torch.isfinite(output).all():
            raise ConformanceError(
                "finite",
                f"{case.name} gave values that are not finite",
                "Look for divisions by zero, logarithms and square roots of 0 in the nets.",
            )


def in_range(subject: Subject) -> None:
    """A translation lies within the signal's range, whatever the weights."""
    low, high = subject.signal.low, subject.signal.high
    for factor in FACTORS:
        method = subject.build().eval()
        with torch.no_grad():
            for name in method.inference_nets:
                for parameter in method.nets[name].parameters():
                    parameter.mul_(factor)
        for case, output in _translations(subject, method):
            below = low is not None and bool((output < low - 1e-4).any())
            above = high is not None and bool((output > high + 1e-4).any())
            if below or above:
                found = f"{float(output.min()):.3g} to {float(output.max()):.3g}"
                raise ConformanceError(
                    "in-range",
                    f"{case.name} gave {found} where the range is {low} to {high} "
                    f"(weights times {factor:g})",
                    "End the net with tanh or another function that bounds it.",
                )


def independent(subject: Subject) -> None:
    """Each output depends on its own input, and on no other signal of the batch."""
    method = subject.build().eval()
    other = subject.batch(seed=1)
    for case, output in _translations(subject, method):
        limit = _TOLERANCE * float(output.abs().max()) + 1e-7
        fresh = next(iter(other.signals.values()))  # (N, *S)
        mixed = torch.cat([case.x[:1], fresh[1:]])  # (N, *S)
        changed = _translate(method, replace(case, x=mixed))  # (N, *S)
        alone = _translate(method, _first(case))  # (1, *S)
        for name, seen in (("in another batch", changed[:1]), ("alone", alone)):
            gap = float((seen - output[:1]).abs().max())
            if not gap <= limit:
                raise ConformanceError(
                    "independent",
                    f"{case.name} of a signal differs by {gap:.2g} when it is translated {name}",
                    "Use no statistics over the batch at inference: instance norm instead of "
                    "batch norm, or batch norm that uses its running statistics in eval mode.",
                )
        if torch.equal(changed[1:], output[1:]):
            raise ConformanceError(
                "independent",
                f"{case.name} gives the same output for different inputs",
                "The translation must depend on its input.",
            )


def input_untouched(subject: Subject) -> None:
    """Translating changes neither the input nor the conditions."""
    method = subject.build().eval()
    batch = subject.batch()
    for case in subject.translations(method, batch):
        tensors = {
            "input": case.x,
            "source condition": case.source.label,
            "target condition": case.target.label,
        }
        before = {name: tensor.clone() for name, tensor in tensors.items()}
        _translate(method, case)
        for name, tensor in tensors.items():
            if not torch.equal(tensor, before[name]):
                raise ConformanceError(
                    "input-untouched",
                    f"{case.name} changed its {name}",
                    "Work on a copy: an in-place operation (such as ReLU(inplace=True) as the "
                    "first layer, or add_) writes into the caller's tensor.",
                )


def other_sizes(subject: Subject) -> None:
    """Flexible axes may have other sizes, as far as they are multiples of the stride."""
    signal = subject.signal
    method = subject.build().eval()
    rng = torch.Generator().manual_seed(2)
    for shape in _other_shapes(signal.shape, signal.flexible, signal.stride):
        for case in subject.translations(method, subject.batch(count=2)):
            x = random_signals(shape, signal, 2, rng)  # (N, *S)
            try:
                output = _translate(method, replace(case, x=x))
            except RuntimeError as error:
                raise ConformanceError(
                    "other-sizes",
                    f"{case.name} fails on shape {shape}: {str(error).splitlines()[0]}",
                    "Mend the net, or lower `flexible` in the signal's TensorSpec (0: fixed size).",
                ) from error
            if output.shape != x.shape:
                raise ConformanceError(
                    "other-sizes",
                    f"{case.name} turned shape {tuple(x.shape)} into {tuple(output.shape)}",
                    "Give the TensorSpec the stride that the net needs, or flexible=0.",
                )


def bfloat16(subject: Subject) -> None:
    """Under bfloat16 autocast translations are finite and keep their shape."""
    method = subject.build().eval()
    for case in subject.translations(method, subject.batch()):
        with torch.autocast("cpu", torch.bfloat16):
            output = _translate(method, case)
        if output.shape != case.x.shape or not torch.isfinite(output).all():
            raise ConformanceError(
                "bfloat16",
                f"{case.name} in bfloat16 is not finite or loses its shape",
                "Compute what overflows or cancels in float32 (`with torch.autocast(..., "
                "enabled=False)`).",
            )


def repeatable(subject: Subject) -> None:
    """In eval mode the same input gives the same bits."""
    method = subject.build().eval()
    for case, output in _translations(subject, method):
        if not torch.equal(_translate(method, case), output):
            raise ConformanceError(
                "repeatable",
                f"{case.name} of the same input differs from call to call",
                "Draw no random numbers in eval mode: decode the mean of the code.",
            )


def _translations(
    subject: Subject, method: Method[Any] | None = None
) -> Iterator[tuple[TranslationCase, Tensor]]:
    method = method or subject.build().eval()
    routes = subject.translations(method, subject.batch())
    if not routes:
        raise ConformanceError(
            "shapes", "the method plans no translation at all", "Return routes from `plan`."
        )
    for case in routes:
        yield case, _translate(method, case)


def _translate(method: Method[Any], case: TranslationCase) -> Tensor:
    with torch.no_grad():
        output: Tensor = method(case.x, case.source, case.target)
    return output


def _first(case: TranslationCase) -> TranslationCase:
    return TranslationCase(case.name, case.x[:1], case.source[slice(1)], case.target[slice(1)])


def _form(x: Tensor) -> str:
    return f"{tuple(x.shape)} {str(x.dtype).removeprefix('torch.')}"


def _other_shapes(shape: tuple[int, ...], flexible: int, stride: int) -> list[tuple[int, ...]]:
    """One shape per flexible axis that is a stride longer, and one with all of them longer."""
    axes = range(len(shape) - flexible, len(shape))
    found = {
        tuple(size + stride * (at in grown) for at, size in enumerate(shape))
        for grown in [{axis} for axis in axes] + [set(axes)]
    }
    return sorted(found - {shape})
