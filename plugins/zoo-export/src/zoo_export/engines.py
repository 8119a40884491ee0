"""Engines that run exported nets: ONNX Runtime and OpenVINO, on the CPU."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from importlib import metadata
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zoo_core.contracts.signals import Condition
from zoo_core.errors import UsageError, ZooError
from zoo_core.host.isolation import version_of
from zoo_core.translate.engine import Label
from zoo_core.translate.engines import LoadedModel, NetEngine, Route
from zoo_export.graph import Nets
from zoo_export.prepared import PreparedFiles
from zoo_export.tracing import drop_unused_inputs, onnx_of, require_graph

Feed = Mapping[str, npt.NDArray[Any]]
INPUTS = ("signal", "source", "target")
ONE = "nets"
"""Name of the graph of methods whose nets read the condition; others have one for each route."""


class GraphEngine(NetEngine):
    """Runs the nets as an ONNX graph, made once and kept in the user's cache.

    Attributes:
        package: What must be installed.
        graphs: Suffix of the ONNX graphs that are kept.
        suffix: Of the files that are kept of them; the same where nothing is made of a graph.
        centred: Whether its graphs need `zoo_export.graph.CentredNorms`.
    """

    package: ClassVar[str]
    graphs: ClassVar[str]
    centred: ClassVar[bool]

    def __init__(self, model: LoadedModel, name: str) -> None:
        super().__init__(model, name)
        asked = f'engine "{name}"'
        if find_spec(self.package) is None:
            raise UsageError(
                f"{self.package} is not installed",
                asked=asked,
                hint=f"pip install {self.package}",
            )
        if model.config.signal.kind != "image":
            raise UsageError("so far it computes models for pictures only", asked=asked)
        if model.plain.device.type != "cpu":
            raise UsageError(
                "it computes on the CPU only", asked=f"{asked} on {model.plain.device}"
            )
        self._files = PreparedFiles(model)
        self._running: dict[str, Any] = {}
        self._fresh: dict[str, bytes] = {}

    @abstractmethod
    def open(self, content: bytes) -> Any:
        """What runs a graph that `prepare` gave."""

    @abstractmethod
    def run(self, opened: Any, feed: Feed) -> npt.NDArray[np.float32]:
        """(N, C, H, W) the output."""

    def prepare(self, graph: bytes) -> bytes:
        """What is kept of an ONNX graph."""
        return graph

    @property
    def suffix(self) -> str:
        """Of the files that are kept of graphs."""
        return self.graphs

    def chosen(self, routes: Sequence[Route], count: int) -> NetEngine:
        """Itself, prepared for all routes and in agreement with the model.

        A graph that differed once is not prepared again for the same model, versions and processor.

        Raises:
            ZooError: If it cannot compute the model, or differs from it by more than is allowed.
        """
        for name in (ONE, *map(self._name, routes)):
            if (problem := self._files.read(self._refusal(name))) is not None:
                raise ZooError(
                    f"{problem.decode()}, as was found earlier",
                    asked=f'engine "{self.name}"',
                    hint="Use another engine; torch is always there.",
                )
        return super().chosen(routes, count)

    def is_ready(self, route: Route) -> bool:
        """Whether its graph is in memory, or in the cache and whole."""
        return self._found(route) is not None

    def translate(self, x: Tensor, source: Label | None, target: Label) -> Tensor:
        """(N, C, H, W) float32 on the CPU: ``x`` (N, C, H, W) translated."""
        origin = source or [0.0] * len(target)
        rows = [np.tile(np.asarray(row, np.float32), (len(x), 1)) for row in (origin, target)]
        feed = dict(zip(INPUTS, [x.float().contiguous().numpy(), *rows], strict=True))
        return torch.from_numpy(self.run(self._opened((source, target)), feed))  # (N, C, H, W)

    def keep(self) -> None:
        """Writes what was prepared into the cache."""
        for name, content in self._fresh.items():
            self._files.write(name, content)
        self._fresh.clear()

    def _require_agreement(self, made: Tensor, wanted: Tensor) -> None:
        try:
            super()._require_agreement(made, wanted)
        except ZooError as fault:
            name = next(reversed(self._running))  # the graph that was just made
            del self._running[name]
            self._fresh.clear()
            self._files.write(self._refusal(name), fault.problem.encode())
            raise

    def _refusal(self, name: str) -> str:
        """The file that says by how much a graph differs from the model."""
        version, precision = version_of(self.package), self.model.plain.precision
        return f"{name}.{self.package}-{version}-{str(precision).removeprefix('torch.')}.refused"

    def _opened(self, route: Route) -> Any:
        """What runs a route's graph; prepared where it is not there."""
        found = self._found(route)
        if found is None:
            name, graph = self._graph(route)
            content = self.prepare(graph)
            found = self._running[name] = self.open(content)
            self._fresh[f"{name}.{self.suffix}"] = content
        return found

    def _found(self, route: Route) -> Any:
        """What runs a route's graph; None where it is to be prepared first."""
        for name in (ONE, self._name(route)):
            file = f"{name}.{self.suffix}"
            if name not in self._running and (content := self._files.read(file)) is not None:
                try:
                    self._running[name] = self.open(content)
                except Exception:  # both libraries raise many kinds for what another one wrote
                    self._files.remove(file)
            if name in self._running:
                return self._running[name]
        return None

    def _graph(self, route: Route) -> tuple[str, bytes]:
        """Name and content of the ONNX graph of a route."""
        for name in (ONE, self._name(route)):
            if (kept := self._files.read(f"{name}.{self.graphs}")) is not None:
                return name, kept
        method, plain = self.model.build().eval(), self.model.plain
        name, domains = ONE, (None, None)
        zeros = Condition(torch.zeros(2, len(method.domains)))  # (2, K)
        try:
            require_graph(method, zeros, zeros)
        except (UsageError, KeyError):  # nets of their own for each domain: it asks which one
            name, domains = self._name(route), tuple(plain.domain(label) for label in route)
            require_graph(method, *(plain.condition(label, 2) for label in route))
        spec, dynamic = method.signal, torch.export.Dim.DYNAMIC
        height, width = spec.shape[1:]
        axes = {0: dynamic}
        if spec.flexible >= 2:
            width += spec.stride  # equal sizes would be taken for one
            axes |= {2: dynamic, 3: dynamic}
        x, rows = torch.zeros(2, spec.channels, height, width), torch.zeros(2, len(method.domains))
        made = onnx_of(
            Nets(method, domains),
            [x, rows, rows],
            [axes, {0: dynamic}, {0: dynamic}],
            inputs=INPUTS,
            outputs=["translated"],
            asked=f'engine "{self.name}"',
            centred=self.centred,
        )
        drop_unused_inputs(made)
        content: bytes = made.SerializeToString()
        self._fresh[f"{name}.{self.graphs}"] = content
        return name, content

    def _name(self, route: Route) -> str:
        """The name of a graph of one route: positions of the domains."""
        source, target = (
            "x" if label is None else "".join(f"{value:g}" for value in label) for label in route
        )
        return f"{ONE}-{source}-{target}"


class OnnxRuntime(GraphEngine):
    """ONNX Runtime, in float32."""

    speed, seconds = 1.2, 15.0
    precisions = ("float32",)
    package, graphs, centred = "onnxruntime", "onnx", True

    def open(self, content: bytes) -> Any:
        """A session, with as many threads as torch has."""
        from zoo_export.verify import session

        return session(content)

    def run(self, opened: Any, feed: Feed) -> npt.NDArray[np.float32]:
        """(N, C, H, W) the output."""
        (made,) = opened.run(None, {each.name: feed[each.name] for each in opened.get_inputs()})
        return made  # type: ignore[no-any-return]


class OpenVino(GraphEngine):
    """OpenVINO, in bfloat16 or float32; what it compiled is kept."""

    speed, seconds = 9.0, 20.0
    package, graphs, centred = "openvino", "openvino.onnx", False

    @property
    def suffix(self) -> str:
        """Names the version and the precision, since a compiled model is of use to no other."""
        return f"{metadata.version(self.package)}-{self._precision}.blob"

    def prepare(self, graph: bytes) -> bytes:
        """The graph compiled for this CPU."""
        core = _core()
        compiled = core.compile_model(core.read_model(graph), "CPU", self._settings)
        content: bytes = compiled.export_model().getvalue()
        return content

    def open(self, content: bytes) -> Any:
        """The compiled model."""
        return _core().import_model(content, "CPU", self._settings)

    def run(self, opened: Any, feed: Feed) -> npt.NDArray[np.float32]:
        """(N, C, H, W) the output."""
        names = [each.any_name for each in opened.inputs]
        made: npt.NDArray[np.float32] = opened({name: feed[name] for name in names})[0]
        return made.copy()  # its memory is used again

    @property
    def _precision(self) -> str:
        return "f32" if self.model.plain.precision == torch.float32 else "bf16"

    @property
    def _settings(self) -> dict[str, Any]:
        return {
            "INFERENCE_PRECISION_HINT": self._precision,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }


def _core() -> Any:
    import openvino

    return openvino.Core()
