"""Nets in stages: windows wait at each normalisation until all of them have come there.

So the statistics of a whole signal cost one pass over its windows. A window that waits is no more
than the values that the rest of the nets needs, and these lie in a file.
"""

from __future__ import annotations

import tempfile
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor
from torch.func import functionalize
from torch.fx import Node
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.node import map_arg

from zoo_core.contracts.codec import Whole, Window
from zoo_nn.moments import Call, Moments, Shared, own_moments

_FIXED = -1
"""The stage of what hangs on no window: weights, conditions, and what is made of them alone."""


class StagedNets:
    """Nets as operations in stages, for windows of one shape.

    Stage k is all that can be computed once the statistics of the first k normalisations are known,
    and not earlier. The last stage gives the output.

    Args:
        compute: The nets: (1, *S) to (1, *S).
        signal: (1, *S) a window, of which only the form is looked at.
        moments: Statistics of each normalisation, of which only the form is looked at.

    Attributes:
        state: Most bytes of a window that waits.
        device: Where the nets compute.

    Raises:
        Exception: Of many kinds, if the nets decide by the values that they see what to compute.
    """

    def __init__(
        self, compute: Callable[[Tensor], Tensor], signal: Tensor, moments: Sequence[Moments]
    ) -> None:
        def noted(x: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
            pairs = zip(values[::2], values[1::2], strict=True)
            with _Noting([Moments(1, mean, var) for mean, var in pairs]) as noting:
                made = compute(x)
            return made, *noting.met

        values = [value for each in moments for value in (each.mean, each.var)]
        # Nothing is computed here, and nothing done in place: that would change what waits.
        trace = make_fx(functionalize(noted), tracing_mode="fake", _allow_non_fake_inputs=True)
        module = trace(signal, *values)
        *nodes, output = module.graph.nodes
        self._signal, *self._statistics = (node for node in nodes if node.op == "placeholder")
        self._made, *self._met = output.args[0]
        self._groups = [len(each.mean) for each in moments]
        self.device = self._met[0].meta["val"].device

        stages = {self._signal: 0} | {n: 1 + i // 2 for i, n in enumerate(self._statistics)}
        for node in nodes:
            if node.op != "placeholder":
                used = node.all_input_nodes
                stages[node] = max((stages[other] for other in used), default=_FIXED)
        operations = [node for node in nodes if node.op != "placeholder"]
        self._operations = [
            [n for n in operations if stages[n] == k] for k in range(self.count + 1)
        ]
        self._held = [_needed(stages, stage, self._statistics) for stage in range(self.count)]
        self._done = _last_uses([node for each in self._operations for node in each])
        self.state = max(sum(node.meta["val"].nbytes for node in held) for held in self._held)
        self._fixed: dict[Node, Any] = {}
        with torch.inference_mode():
            for node in operations:
                if stages[node] == _FIXED:
                    is_held = node.op == "get_attr"
                    made = attrgetter(node.target)(module) if is_held else _made(node, self._fixed)
                    self._fixed[node] = made

    @property
    def count(self) -> int:
        """Number of normalisations."""
        return len(self._met)

    def journey(self, window: Window, states: States, known: Sequence[Moments]) -> Iterator[Any]:
        """A window through all stages; whenever it is left alone it lies in the file.

        Args:
            window: The window.
            states: The file.
            known: Statistics of the normalisations; each next one has to be there ahead of the
                next step.

        Yields:
            The statistics of its own part at each normalisation, and at last (*S) the output.
        """
        values: dict[Node, Any] = {self._signal: window.signal[None]}
        window = replace(window, signal=window.signal.to("meta"))  # its shape alone
        place = states.place(self.state)
        for stage, held in enumerate(self._held):
            self._advance(values, stage)
            moments = own_moments(values[self._met[stage]][0], window, self._groups[stage])
            forms = [node.meta["val"] for node in held]
            states.put(place, [values[node] for node in held], forms)
            values.clear()
            yield moments
            values |= zip(held, states.get(place, forms), strict=True)
            mean, var = self._statistics[2 * stage : 2 * stage + 2]
            values |= {mean: known[stage].mean, var: known[stage].var}
        self._advance(values, self.count)
        yield values[self._made][0]

    def _advance(self, values: dict[Node, Any], stage: int) -> None:
        known = ChainMap(values, self._fixed)
        with torch.inference_mode():
            for node in self._operations[stage]:
                values[node] = _made(node, known)
                for used in self._done[node]:
                    values.pop(used, None)


class _Noting(Shared):
    """Notes what is to be normalised."""

    def __init__(self, moments: Sequence[Moments]) -> None:
        super().__init__(moments)
        self.met: list[Tensor] = []

    def meet(self, number: int, call: Call) -> Tensor:
        self.met.append(call.x)
        return super().meet(number, call)


class States:
    """Tensors in a file, each where there is a place for it."""

    def __init__(self, file: Any) -> None:
        self._file, self._end = file, 0

    def place(self, size: int) -> int:
        """A place for so many bytes."""
        self._end += size
        return self._end - size

    def put(self, place: int, values: Iterable[Tensor], forms: Iterable[Tensor]) -> None:
        """Writes tensors in the order in memory that each one's form has."""
        self._file.seek(place)
        for value, form in zip(values, forms, strict=True):
            flat = value.permute(form.dim_order()).contiguous().flatten()
            self._file.write(_bytes_of(flat))

    def get(self, place: int, forms: Iterable[Tensor]) -> list[Tensor]:
        """Reads tensors of these shapes, types and orders in memory."""
        self._file.seek(place)
        values = []
        for form in forms:
            order = form.dim_order()
            value = torch.empty(form.permute(order).shape, dtype=form.dtype)
            self._file.readinto(_bytes_of(value.flatten()))
            values.append(value.permute([order.index(axis) for axis in range(form.ndim)]))
        return values


def in_stages(
    windows: Iterable[Window],
    whole: Whole,
    nets_of: Callable[[Tensor], StagedNets],
    normalisations: int,
) -> Iterator[tuple[Window, Tensor]]:
    """Each window with what the nets make of it, normalised by the statistics of the whole.

    Args:
        windows: All windows of the signal, in their order.
        whole: The signal.
        nets_of: Gives the nets for windows of the shape of one (1, *S).
        normalisations: How often the nets normalise.
    """
    with tempfile.TemporaryFile() as file:
        states, known = States(file), list[Moments]()
        journeys: Iterable[Iterator[Any]] = (
            nets_of(window.signal[None]).journey(window, states, known)
            for window in whole.windows()
        )
        for _ in range(normalisations):
            waiting, moments = [], []
            for journey in journeys:
                moments.append(next(journey))
                waiting.append(journey)
            known.append(reduce(Moments.merged, moments))
            journeys = waiting
        for window, journey in zip(windows, journeys, strict=True):
            yield window, next(journey)


def _bytes_of(flat: Tensor) -> Any:
    """The memory of a tensor (M,)."""
    return flat.view(torch.uint8).numpy().data


def _made(node: Node, known: Mapping[Node, Any]) -> Any:
    """What an operation gives."""
    args, kwargs = map_arg((node.args, node.kwargs), known.__getitem__)
    function: Any = node.target
    return function(*args, **kwargs)


def _needed(stages: Mapping[Node, int], stage: int, apart: Sequence[Node]) -> list[Node]:
    """What has been made up to a stage, of a window, and is used later."""
    return [
        node
        for node, made in stages.items()
        if _FIXED < made <= stage
        and node not in apart
        and any(stages.get(user, _FIXED) > stage for user in node.users)
    ]


def _last_uses(operations: Sequence[Node]) -> dict[Node, list[Node]]:
    """What is used no more after each operation."""
    seen: set[Node] = set()
    done: dict[Node, list[Node]] = {}
    for node in reversed(operations):
        done[node] = [used for used in node.all_input_nodes if used not in seen]
        seen.update(done[node])
    return done
