"""From a model to verified files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import zoo
from zoo_core.catalogue.registry import Registry
from zoo_core.cli.translate import parse_target
from zoo_core.contracts.signals import Condition
from zoo_core.errors import UsageError, ZooError
from zoo_core.files import replacing
from zoo_core.host.isolation import version_of
from zoo_core.host.plugins import host
from zoo_core.models.modeldir import GOLDEN, find_model, weights_file
from zoo_core.translate.outputs import safe_name
from zoo_core.translate.translator import Translator
from zoo_core.untrusted import file_sha256
from zoo_export.formats import FORMATS, GraphFormat
from zoo_export.tracing import require_graph
from zoo_export.verify import Agreement, Direction, compared
from zoo_images.codec import WINDOW_PIXELS
from zoo_images.tiles import LEAST
from zoo_train.golden import check_golden


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
    form: str = "onnx",
    *,
    target: str | None = None,
    source: str | None = None,
    overwrite: bool = False,
) -> list[Exported]:
    """Writes a model as graphs, each compared with the model: all of them, or none.

    Args:
        model: As for `zoo.load`.
        path: The file; where several are written, ``NAME.TARGET.onnx`` beside it.
        form: The format: ``onnx``, ``openvino`` (with a file ``NAME.bin`` beside it) or ``torch``.
        target: Just this target, fixed in the graph; None: an input of the graph where the nets
            read it, else a graph for each target.
        source: Domain of the inputs, for methods that must know it.
        overwrite: Whether files that are there are replaced.

    Raises:
        UsageError: If the model cannot be exported, or the request is wrong.
        ZooError: If a graph differs from the model, or cannot be written.
        WeightsError: If the weights are missing, damaged, or do not give their golden output.
    """
    translator = zoo.load(model, device="cpu", precision="float32", engine="torch")
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
        path.with_name(f"{path.stem}.{safe_name(way.names[1] or '')}{path.suffix}")
        if several
        else path
        for way in directions
    ]
    places = [file.with_suffix(f".{end}") for file in files for end in FORMATS[form].suffixes]
    for file in places if not overwrite else ():
        if file.exists():
            raise UsageError(
                "it is there already", asked=f"output {file}", hint="--overwrite replaces it."
            )
    facts, asked = _facts(translator, model, directory), f"export of {model}"
    with ExitStack() as whole:
        return [
            _write(whole, FORMATS[form](translator.method, way, asked), file, facts, golden)
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
    made: GraphFormat,
    path: Path,
    facts: Mapping[str, str],
    golden: Path | None,
) -> Exported:
    """Writes one graph beside its place; it takes that when ``whole`` is left without an error."""
    way = made.way
    agreement = compared(made.run, made.method, way, golden, made.asked)
    metadata = {
        **facts,
        "source": way.names[0] or "",
        "target": (way.names[1] or "") if way.target else "",
        "largest_difference": f"{agreement.difference:.3g}",
        "psnr": f"{agreement.psnr:.2f}",
    }
    parts = []
    try:
        for suffix, content in made.contents(metadata).items():
            parts.append(whole.enter_context(replacing(path.with_suffix(f".{suffix}"))))
            parts[-1].write_bytes(content)
    except OSError as fault:
        raise ZooError(
            f"cannot be written: {fault.strerror or fault}",
            asked=f"output {path}",
            hint="Free space or choose another place.",
        ) from fault
    _require_readable(made, parts, metadata, made.asked)
    return Exported(path, agreement, metadata)


def _require_readable(
    made: GraphFormat, files: Sequence[Path], metadata: Mapping[str, str], asked: str
) -> None:
    """Raises `ZooError` unless the files, read again, translate and say what they must."""
    method = made.method
    said, run = made.read(files)
    feed: dict[str, Any] = {"picture": np.zeros((1, *method.signal.shape[1:], 3), np.uint8)}
    if made.way.target is None:
        exclusive = method.domains.kind == "domains"
        row = np.zeros((1, len(method.domains)), np.float32)  # (1, K)
        feed["target"] = np.zeros(1, np.int64) if exclusive else row
    (pictures,) = run(feed)
    if pictures.shape != feed["picture"].shape or dict(said) != dict(metadata):
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
        "resample": str(config.preprocessing.get("resample", "bicubic")),
        "crop_first": json.dumps(config.preprocessing.get("crop_first")),
        "exclusive": json.dumps(config.domains.exclusive),
        "window": str(WINDOW_PIXELS),
    }
