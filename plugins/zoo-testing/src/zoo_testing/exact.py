"""Computations repeated in float64 with all that a gradient takes for constant kept constant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

_STOPS = {
    Tensor.detach,
    Tensor.data.__get__,  # type: ignore[attr-defined]
    Tensor.item,
    Tensor.tolist,
    Tensor.__float__,
}
"""What gives values without a graph."""

_FLAGS = {Tensor.requires_grad_, Tensor.requires_grad.__set__}  # type: ignore[attr-defined]
"""What changes no value."""

_DRAWS = {
    functional.dropout,
    functional.dropout1d,
    functional.dropout2d,
    functional.dropout3d,
    functional.alpha_dropout,
    functional.feature_alpha_dropout,
    torch.bernoulli,
    Tensor.bernoulli,
    torch.rand_like,
    torch.randn_like,
}
"""What draws a number per value, in the order of the memory."""


class Wide(TorchFunctionMode):
    """Within the block, whoever asks for float32, as losses do, gets float64."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Calls ``func``."""
        if func is Tensor.float:
            func = Tensor.double
        args, kwargs = tree_map(
            lambda value: torch.float64 if value is torch.float32 else value, (args, kwargs or {})
        )
        return func(*args, **kwargs)


class LaidOut(TorchFunctionMode):
    """Within the block, pictures (N, C, H, W) lie in one memory format wherever they are made.

    So do their gradients. Left to themselves, some operations keep to the format of their input and
    others do not, as device, type and version of torch have it; a layer must be right with all.
    What is drawn at random does not depend on the format here.

    Args:
        layout: The memory format.
    """

    def __init__(self, layout: torch.memory_format) -> None:
        super().__init__()
        self.layout = layout

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Calls ``func`` and lays out what it gives."""
        if func in _DRAWS:
            args = tree_map(lambda x: x.contiguous() if isinstance(x, Tensor) else x, args)
        return tree_map(self._laid_out, func(*args, **(kwargs or {})))

    def _laid_out(self, value: Any) -> Any:
        if not isinstance(value, Tensor) or value.dim() != 4 or value.grad_fn is None:
            return value
        value = value.contiguous(memory_format=self.layout)  # (N, C, H, W)
        value.register_hook(self._gradient)
        return value

    def _gradient(self, gradient: Tensor | None) -> Tensor | None:
        return None if gradient is None else gradient.contiguous(memory_format=self.layout)


class Repeatable(TorchFunctionMode):
    """A computation of which each later pass takes the first one's constants.

    ``detach``, numbers read from tensors, and all that is computed without a graph are constants to
    a gradient. A finite difference must not see them move either: the first pass notes them, each
    later one is given the same.
    """

    def __init__(self) -> None:
        super().__init__()
        self._noted: list[Any] = []
        self._position: int | None = None

    @contextmanager
    def once(self) -> Iterator[None]:
        """One pass: what is computed within the block."""
        with self:
            yield
        self._position = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Calls ``func``, or gives what it gave in the first pass."""
        constant = func in _STOPS or not (torch.is_grad_enabled() or func in _FLAGS)
        result = func(*args, **(kwargs or {}))
        if not constant:
            return result
        return tree_map(self._into if _writes(func, kwargs or {}) else self._instead, result)

    def _into(self, value: Any) -> Any:
        return value.copy_(self._instead(value)) if isinstance(value, Tensor) else value

    def _instead(self, value: Any) -> Any:
        if self._position is None:
            self._noted.append(value.clone() if isinstance(value, Tensor) else value)
            return value
        noted = self._noted[self._position]
        self._position += 1
        return noted.clone() if isinstance(noted, Tensor) else noted


def _writes(func: Callable[..., Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether a function writes into tensors that it is given, which stay in use."""
    return "out" in kwargs or (func.__name__.endswith("_") and not func.__name__.endswith("__"))
