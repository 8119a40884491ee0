"""From a model to verified ONNX files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

import zoo
from zoo_core.catalogue.registry import Registry
from zoo_core.cli.translate import parse_target
from zoo_core.contracts.method import Method
from zoo_core.contracts.signals import Condition
from zoo_core.errors import UsageError, ZooError
from zoo_core.files import file_sha256, replacing
from zoo_core.host.isolation import version_of
from zoo_core.host.plugins import host
from zoo_core.models.golden import check_golden
from zoo_core.models.modeldir import GOLDEN, weights_file
from zoo_core.models.sources import find_model
from zoo_core.translate.outputs import safe_name
from zoo_core.translate.translator import Translator
from zoo_export import graph
from zoo_export.tracing import onnx_of, require_graph
from zoo_export.verify import Agreement, Direction, compared, session
from zoo_images.tiles import LEAST

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        path: Where.
        agreement: How far it is from the model.
        metadata: What the file says of itself, in texts.
    """

    path: Path
    agreement: Agreement
    metadata: Mapping[str, str]

    def facts(self) -> dict[str, Any]:
        """All of it as plain values."""
        psnr = min(self.agreement.psnr, 999.0)  # JSON has no infinity
        figures = {"difference": self.agreement.difference, "psnr": psnr}
        return {"path": str(self.path), **figures, "metadata": dict(self.metadata)}


def export_model(
    model: str | Path,
    path: Path,
    *,
    target: str | None = None,
    source: str | None = None,
    overwrite: bool = False,
) -> list[Exported]:
    """Writes a model as ONNX graphs, each compared with the model: all of them, or none.

    Args:
        model: As for `zoo.load`.
        path: The file; where several are written, ``NAME.TARGET.onnx`` beside it.
        target: Just this target, fixed in the graph; None: an input of the graph where the nets
            read it, else a graph for each target.
        source: Domain of the inputs, for methods that must know it.
        overwrite: Whether files that are there are replaced.

    Raises:
        UsageError: If the model cannot be exported, or the request is wrong.
        ZooError: If a graph differs from the model, or cannot be written.
        WeightsError: If the weights are missing, damaged, or do not give their golden output.
    """
    translator = zoo.load(model, device="cpu", precision="float32")
    if translator.config.signal.kind != "image":
        raise UsageError(
            f"it translates signals of kind {translator.config.signal.kind}; "
            "so far only models for pictures can be exported",
            asked=f"export of {model}",
            hint="Use zoo translate.",
        )
    directory = find_model(model, Registry.load(host()), host())
    golden = directory / GOLDEN if (directory / GOLDEN).is_file() else None
    if golden is not None:
        check_golden(translator.method, golden)
    directions = _directions(translator, target, source)
    several = len(directions) > 1
    files = [
        path.with_name(f"{path.stem}.{safe_name(way.names[1] or '')}.onnx") if several else path
        for way in directions
    ]
    for file in files if not overwrite else ():
        if file.exists():
            raise UsageError(
                "it is there already", asked=f"output {file}", hint="--overwrite replaces it."
            )
    facts, asked = _facts(translator, model, directory), f"export of {model}"
    with ExitStack() as whole:
        return [
            _write(whole, translator, way, file, facts, golden=golden, asked=asked)
            for way, file in zip(directions, files, strict=True)
        ]


def _directions(translator: Translator, target: str | None, source: str | None) -> list[Direction]:
    """What the graphs translate: one with a choice of target, or one for each target."""
    engine, method = translator.engine, translator.method
    if target is None and not method.needs_source and len(method.targets) > 1:
        zeros = Condition(torch.zeros(2, len(method.domains)))  # (2, K)
        try:
            require_graph(method, zeros, zeros)
            return [Direction(engine.label(source), None, (source, None))]
        except (UsageError, KeyError):
            pass  # nets of their own for each domain: the method asks which one it is
    names = [name for name in method.targets if name != source] if target is None else [target]
    found = []
    for name in names:
        wanted = parse_target(name, translator)
        label = engine.vector(wanted, engine.label(source))
        origin = engine.source(source, label)
        asked = engine.domain(label) or name
        way = Direction(origin, label, (engine.domain(origin), asked))
        require_graph(method, *(engine.condition(row, 2) for row in (origin, label)))
        found.append(way)
    return found


def _write(
    whole: ExitStack,
    translator: Translator,
    way: Direction,
    path: Path,
    facts: Mapping[str, str],
    *,
    golden: Path | None,
    asked: str,
) -> Exported:
    """Writes one graph beside its place; it takes that when ``whole`` is left without an error."""
    made = _traced(translator.method, way, asked)
    agreement = compared(made.SerializeToString(), translator.method, way, golden, asked)
    metadata = {
        **facts,
        "source": way.names[0] or "",
        "target": (way.names[1] or "") if way.target else "",
        "largest_difference": f"{agreement.difference:.3g}",
        "psnr": f"{agreement.psnr:.2f}",
    }
    _finish(made, translator.method, metadata)
    try:
        part = whole.enter_context(replacing(path))
        part.write_bytes(made.SerializeToString())
    except OSError as fault:
        raise ZooError(
            f"cannot be written: {fault.strerror or fault}",
            asked=f"output {path}",
            hint="Free space or choose another place.",
        ) from fault
    _require_readable(part, translator.method, way, metadata, asked)
    return Exported(path, agreement, metadata)


def _traced(method: Method[Any], way: Direction, asked: str) -> onnx.ModelProto:
    """The graph, with the outputs ``translated`` (N, H, W, 3) and ``signal`` (N, C, h, w)."""
    spec, dynamic = method.signal, torch.export.Dim.DYNAMIC
    height, width = spec.shape[1:]
    axes = {0: dynamic}
    if spec.flexible >= 2:
        width += spec.stride  # equal sizes would be taken for one
        axes |= {1: dynamic, 2: dynamic}
    arguments = [torch.zeros(2, height, width, 3, dtype=torch.uint8)]  # (2, H, W, 3)
    names, shapes = ["picture"], [axes]
    module: nn.Module
    if way.target is None:
        module = graph.Chosen(method)
        exclusive = method.domains.kind == "domains"
        rows = torch.eye(len(method.domains))[:2]  # (2, K)
        arguments.append(rows.argmax(1) if exclusive else rows)
        names.append("target")
        shapes.append({0: dynamic})
    else:
        source = torch.tensor(way.source or [0.0] * len(method.domains))  # (K,)
        module = graph.Direction(method, source, torch.tensor(way.target), way.names)
    return onnx_of(
        module, arguments, shapes, inputs=names, outputs=["translated", "signal"], asked=asked
    )


def _finish(made: onnx.ModelProto, method: Method[Any], metadata: Mapping[str, str]) -> None:
    """Leaves the pictures as the one output, and says what the graph is."""
    import onnx

    del made.graph.output[1:]  # what the nets gave, which the comparison needed
    del made.graph.value_info[:]  # the exporter's own names of sizes
    sizes: Sequence[Any] = (
        ("height", "width") if method.signal.flexible >= 2 else method.signal.shape[1:]
    )
    for value in (made.graph.input[0], made.graph.output[0]):
        shape = onnx.helper.make_tensor_type_proto(onnx.TensorProto.UINT8, ["batch", *sizes, 3])
        value.type.CopyFrom(shape)
    for value in made.graph.input[1:]:
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.helper.set_model_props(made, dict(metadata))
    onnx.checker.check_model(made)


def _require_readable(
    file: Path, method: Method[Any], way: Direction, metadata: Mapping[str, str], asked: str
) -> None:
    """Raises `ZooError` unless the file, read again, translates and says what it must."""
    engine = session(file)
    said = engine.get_modelmeta().custom_metadata_map
    feed: dict[str, Any] = {"picture": np.zeros((1, *method.signal.shape[1:], 3), np.uint8)}
    if way.target is None:
        exclusive = method.domains.kind == "domains"
        row = np.zeros((1, len(method.domains)), np.float32)  # (1, K)
        feed["target"] = np.zeros(1, np.int64) if exclusive else row
    (made,) = engine.run(None, feed)
    if made.shape != feed["picture"].shape or dict(said) != dict(metadata):
        raise ZooError("the file that was written is not the graph that was compared", asked=asked)


def _facts(translator: Translator, model: str | Path, directory: Path) -> dict[str, str]:
    """What every graph of a model says of itself."""
    config, registry = translator.config, Registry.load(host())
    signal = config.signal
    licence = str(translator.card.data.get("license", "not stated"))
    if str(model) in registry.models:
        licence = registry.get(str(model)).entry.licence.weights
    name = str(model) if str(model) in registry.models else Path(model).resolve().name
    return {
        "model": name,
        "method": config.method,
        "weights_sha256": file_sha256(weights_file(directory)),
        "licence": licence,
        "zoo_version": version_of("zoo-core"),
        "domains": json.dumps(config.domains.names),
        "domains_kind": config.domains.kind,
        "targets": json.dumps(translator.method.targets),
        "trained_size": json.dumps(signal.shape[1:]),
        "any_size": json.dumps(signal.flexible >= 2),
        "stride": str(signal.stride),
        "least_size": str(LEAST if signal.flexible >= 2 else signal.shape[1]),
        "scale": str(config.preprocessing.get("scale", "own")),
    }
