"""``zoo import``: checkpoints on disk become a model directory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from zoo_core.catalogue.description import ModelConfig
from zoo_core.contracts.signals import Domains, TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import UsageError
from zoo_core.host.plugins import PluginHost
from zoo_import.checkpoint import checkpoint_sha256, read_checkpoint
from zoo_import.convert import write_import
from zoo_import.mapping import AUTO, CheckpointSource, configure, recognise, renamed, tensors_for
from zoo_train.card import Card
from zoo_train.writing import refuse_foreign


@dataclass(frozen=True)
class ImportRequest:
    """What the files do not tell.

    Attributes:
        domains: Names in the order in which the weights were trained; where a layout holds one
            direction, it leads from the first to the second. Empty for the layout's own names.
        kind: Kind of the conditions; None for what the layout usually has.
        exclusive: Groups of attributes of which at most one may hold.
        size: Height and width of the signals as trained; None for what the layout usually has.
        crop: Centre crop ahead of the resizing (CelebA: 178).
        licence: Licence of the weights, for the card.
        provenance: Where they come from, for the card.
    """

    domains: tuple[str, ...]
    kind: Literal["domains", "attributes"] | None = None
    exclusive: tuple[tuple[str, ...], ...] = ()
    size: int | None = None
    crop: int | None = None
    licence: str = "not stated"
    provenance: str = ""


@dataclass(frozen=True)
class Import:
    """What became of the files.

    Attributes:
        config: The configuration of the model.
        layouts: Name of the layout of each file.
        nets: Number of parameters of each net.
        left_out: What each file holds beside its tensors, by its name; files of tensors alone are
            not named.
    """

    config: ModelConfig
    layouts: tuple[str, ...]
    nets: dict[str, int]
    left_out: dict[str, tuple[str, ...]]


def import_files(
    files: Sequence[str],
    out: Path,
    request: ImportRequest,
    *,
    layout: str = AUTO,
    key: str | None = None,
    host: PluginHost,
) -> Import:
    """Reads foreign checkpoints and writes one model directory, all of it or nothing.

    Args:
        files: Paths of files, or of folders of arrays; ``NET=PATH`` where a file does not tell
            which of our nets it holds, ``PATH:KEY`` where it holds several state dicts.
        out: The model directory.
        request: What the files do not tell.
        layout: Name of the layout, or ``auto``.
        key: Name of the state dict, where a file holds several and its path says nothing.
        host: The plugins.

    Raises:
        ZooError: If a file is not of a known layout, does not fit, or the request is incomplete.
    """
    refuse_foreign(out)
    sources = [_source(text, layout, key, host) for text in files]
    importer = sources[0].importer
    names = request.domains or importer.domains
    if not names:
        counts = [part.conditions for source in sources for part in source.parts]
        count = next((count for count in counts if count is not None), None)
        raise UsageError(
            f"the names of the {importer.kind} are missing"
            + (f": the file has {count}" if count else ""),
            asked=f"import as {importer.method}",
            hint="Give them in the order in which it was trained: --domain NAME --domain NAME …",
        )
    domains = Domains(names, request.kind or importer.kind, request.exclusive)
    config = configure(sources, domains)
    if request.size is not None:
        config = replace(config, signal=_resized(config.signal, request.size))
    codec = host.load("codec", config.signal.kind)
    trained = codec.preprocessing_for(
        config.signal, TrainConfig(crop_first=request.crop, scale=importer.scale)
    )
    config = replace(config, preprocessing=trained)
    tensors = tensors_for(config, sources, host)
    write_import(out, config, tensors, card=_card(out, sources, config, request, host), host=host)
    counts_of: dict[str, int] = {}
    for name, tensor in tensors.items():
        net = name.partition(".")[0]
        counts_of[net] = counts_of.get(net, 0) + tensor.numel()
    left_out = {source.path.name: source.left_out for source in sources if source.left_out}
    return Import(config, tuple(source.layout for source in sources), counts_of, left_out)


def _source(text: str, layout: str, key: str | None, host: PluginHost) -> CheckpointSource:
    """A file of the command line, read and recognised."""
    net, path, inside = parse_file(text)
    found = read_checkpoint(path, inside or key)
    source = renamed(recognise(path, found.state, layout, host), net)
    return replace(source, left_out=found.left_out)


def parse_file(text: str) -> tuple[str | None, Path, str | None]:
    """Net, path and key of ``[NET=]FILE[:KEY]``; what is there by its whole name is that file."""
    if os.path.lexists(text):
        return None, Path(text), None
    net, mark, rest = text.partition("=")
    if mark and net.isidentifier():
        return net, *parse_file(rest)[1:]
    places = [at for at, sign in enumerate(text) if sign == ":"]
    for at in reversed(places):
        if os.path.lexists(text[:at]):
            return None, Path(text[:at]), text[at + 1 :]
    return None, Path(text), None


def _resized(signal: TensorSpec, size: int) -> TensorSpec:
    fixed = len(signal.shape) - signal.flexible
    return replace(signal, shape=signal.shape[:fixed] + (size,) * signal.flexible)


def _card(
    out: Path,
    sources: Sequence[CheckpointSource],
    config: ModelConfig,
    request: ImportRequest,
    host: PluginHost,
) -> Card:
    lines = [
        f"- `{source.path.name}` (layout `{source.layout}`, sha256 "
        f"`{checkpoint_sha256(source.path)}`)"
        for source in sources
    ]
    origin = [request.provenance] if request.provenance else []
    return Card(
        title=out.resolve().name,
        summary=f"Weights that were trained elsewhere, imported as {config.method}.",
        licence=request.licence,
        paper=host.method(config.method).paper,
        provenance="\n".join([*origin, "Imported by `zoo import` from", "", *lines]),
    )
