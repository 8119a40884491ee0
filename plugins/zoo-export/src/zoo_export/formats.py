"""The formats of exported models: each is made, run, written, and read again by its own engine."""

from __future__ import annotations

import io
import json
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from zoo_core.contracts.method import Method
from zoo_core.errors import UsageError
from zoo_export import graph
from zoo_export.tracing import drop_unused_inputs, onnx_of, program_of
from zoo_export.verify import Direction, Feed, session

Arrays = Sequence[npt.NDArray[Any]]
Run = Callable[[Feed], Arrays]
"""Takes the inputs by name; gives the outputs in order."""


class GraphFormat(ABC):
    """One direction of a model as a graph of one format.

    Args:
        method: The model's method, in float32 on the CPU.
        way: What the graph translates.
        asked: What is exported, for errors.

    Attributes:
        suffixes: Of the files, the one that is named first.

    Raises:
        UsageError: If the package that the format needs is not installed.
        ZooError: If its nets cannot be written as a graph.
    """

    suffixes: ClassVar[Sequence[str]]

    def __init__(self, method: Method[Any], way: Direction, asked: str) -> None:
        self.method, self.way, self.asked = method, way, asked

    @abstractmethod
    def run(self, feed: Feed) -> Arrays:
        """``translated`` (N, H, W, 3) and ``signal`` (N, C, h, w), what the nets gave."""

    @abstractmethod
    def contents(self, metadata: Mapping[str, str]) -> Mapping[str, bytes]:
        """What the files hold, by suffix: the graph, of which the pictures are the one output."""

    @staticmethod
    @abstractmethod
    def read(files: Sequence[Path]) -> tuple[Mapping[str, str], Run]:
        """The metadata of files that were written, and what runs them."""


class Onnx(GraphFormat):
    """ONNX.

    Attributes:
        centred: Whether its graphs need `zoo_export.graph.CentredNorms`.
    """

    suffixes, centred = ("onnx",), True

    def __init__(self, method: Method[Any], way: Direction, asked: str) -> None:
        super().__init__(method, way, asked)
        module, arguments, shapes, names = _parts(method, way)
        outputs = ["translated", "signal"]
        self.made = onnx_of(
            module,
            arguments,
            shapes,
            inputs=names,
            outputs=outputs,
            asked=asked,
            centred=self.centred,
        )
        self._open()

    def _open(self) -> None:
        self._session = session(self.made.SerializeToString())

    def run(self, feed: Feed) -> Arrays:
        """By ONNX Runtime."""
        made: Arrays = self._session.run(["translated", "signal"], feed)
        return made

    def contents(self, metadata: Mapping[str, str]) -> Mapping[str, bytes]:
        """The graph, which says what it is."""
        return {self.suffixes[0]: self._finished(metadata)}

    def _finished(self, metadata: Mapping[str, str]) -> bytes:
        import onnx

        made, signal = self.made, self.method.signal
        del made.graph.output[1:]  # what the nets gave, which the comparison needed
        del made.graph.value_info[:]  # the exporter's own names of sizes
        sizes: Sequence[Any] = ("height", "width") if signal.flexible >= 2 else signal.shape[1:]
        for value in (made.graph.input[0], made.graph.output[0]):
            shape = onnx.helper.make_tensor_type_proto(onnx.TensorProto.UINT8, ["batch", *sizes, 3])
            value.type.CopyFrom(shape)
        for value in made.graph.input[1:]:
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
        onnx.helper.set_model_props(made, dict(metadata))
        onnx.checker.check_model(made)
        content: bytes = made.SerializeToString()
        return content

    @staticmethod
    def read(files: Sequence[Path]) -> tuple[Mapping[str, str], Run]:
        """By ONNX Runtime."""
        engine = session(files[0])
        metadata: Mapping[str, str] = engine.get_modelmeta().custom_metadata_map
        return metadata, lambda feed: engine.run(None, feed)


class OpenVino(Onnx):
    """OpenVINO's own format, made from ONNX; compared in float32."""

    suffixes, centred = ("xml", "bin"), False

    def __init__(self, method: Method[Any], way: Direction, asked: str) -> None:
        try:
            import openvino
        except ImportError as fault:
            raise UsageError(
                "openvino is not installed", asked=asked, hint="pip install openvino"
            ) from fault
        self._openvino = openvino
        super().__init__(method, way, asked)

    def _open(self) -> None:
        drop_unused_inputs(self.made)
        self._run = _compiled(self._openvino.Core().read_model(self.made.SerializeToString()))

    def run(self, feed: Feed) -> Arrays:
        """By OpenVINO."""
        return self._run(feed)

    def contents(self, metadata: Mapping[str, str]) -> Mapping[str, bytes]:
        """The graph and the weights; what it is stands in its runtime information under ``zoo``."""
        model = self._openvino.Core().read_model(self._finished(metadata))
        for name, value in metadata.items():
            model.set_rt_info(value, ["zoo", name])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.xml"
            self._openvino.save_model(model, path, compress_to_fp16=False)
            return {suffix: path.with_suffix(f".{suffix}").read_bytes() for suffix in self.suffixes}

    @staticmethod
    def read(files: Sequence[Path]) -> tuple[Mapping[str, str], Run]:
        """By OpenVINO."""
        import openvino

        xml, weights = (file.read_bytes() for file in files)
        model = openvino.Core().read_model(xml, openvino.Tensor(np.frombuffer(weights, np.uint8)))
        said = model.get_rt_info("zoo").value
        metadata = {name: str(value) for name, value in said.items()}
        return metadata, _compiled(model)


class Torch(GraphFormat):
    """torch.export's format, which torch runs without the zoo."""

    suffixes = ("pt2",)

    def __init__(self, method: Method[Any], way: Direction, asked: str) -> None:
        super().__init__(method, way, asked)
        self._parts = _parts(method, way)
        self._program = program_of(*self._parts[:3], asked=asked)
        self._module = self._program.module()

    def run(self, feed: Feed) -> Arrays:
        """By torch."""
        return _by_torch(self._module, feed)

    def contents(self, metadata: Mapping[str, str]) -> Mapping[str, bytes]:
        """The program; what it is stands in its extra file ``zoo.json``."""
        module, arguments, shapes, _ = self._parts
        program = program_of(graph.PicturesOnly(module), arguments, shapes, asked=self.asked)
        buffer = io.BytesIO()
        extra = {"zoo.json": json.dumps(dict(metadata))}
        torch.export.save(program, buffer, extra_files=extra)
        return {self.suffixes[0]: buffer.getvalue()}

    @staticmethod
    def read(files: Sequence[Path]) -> tuple[Mapping[str, str], Run]:
        """By torch."""
        extra = {"zoo.json": ""}
        program = torch.export.load(io.BytesIO(files[0].read_bytes()), extra_files=extra)
        module = program.module()
        return json.loads(extra["zoo.json"]), lambda feed: _by_torch(module, feed)


FORMATS: Mapping[str, type[GraphFormat]] = {"onnx": Onnx, "openvino": OpenVino, "torch": Torch}


def _parts(
    method: Method[Any], way: Direction
) -> tuple[nn.Module, list[Tensor], list[dict[int, Any]], list[str]]:
    """The module, its arguments, their axes of any extent, and their names."""
    spec, dynamic = method.signal, torch.export.Dim.DYNAMIC
    height, width = spec.shape[1:]
    axes = {0: dynamic}
    if spec.flexible >= 2:
        # Sizes that are equal, or that need no padding, would be taken to be so always.
        height, width = height + 1, width + spec.stride + 1
        axes |= {1: dynamic, 2: dynamic}
    arguments = [torch.zeros(2, height, width, 3, dtype=torch.uint8)]  # (2, H, W, 3)
    if way.target is not None:
        source = torch.tensor(way.source or [0.0] * len(method.domains))  # (K,)
        module = graph.Direction(method, source, torch.tensor(way.target), way.names)
        return module, arguments, [axes], ["picture"]
    exclusive = method.domains.kind == "domains"
    rows = torch.eye(len(method.domains))[:2]  # (2, K)
    arguments.append(rows.argmax(1) if exclusive else rows)
    return graph.Chosen(method), arguments, [axes, {0: dynamic}], ["picture", "target"]


def _compiled(model: Any) -> Run:
    """An OpenVINO model on the CPU, in float32."""
    import openvino

    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    compiled = openvino.Core().compile_model(model, "CPU", settings)

    def run(feed: Feed) -> Arrays:
        made = compiled({each.any_name: feed[each.any_name] for each in compiled.inputs})
        return [made[number].copy() for number in range(len(compiled.outputs))]

    return run


def _by_torch(module: nn.Module, feed: Feed) -> Arrays:
    with torch.inference_mode():
        made = module(*(torch.from_numpy(value) for value in feed.values()))
    outputs = made if isinstance(made, tuple | list) else [made]
    return [each.numpy() for each in outputs]
