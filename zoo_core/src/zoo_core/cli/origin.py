"""Where the weights of a catalogue model are, in the words of ``zoo list`` and ``zoo info``."""

from __future__ import annotations

from pathlib import Path

from zoo_core.catalogue.registry import Model
from zoo_core.cli.output import size_text
from zoo_core.errors import WeightsError
from zoo_core.hub.cache import FileRecord, RepoCache
from zoo_core.hub.reference import of_weights


def where(model: Model) -> str:
    """Where they are, in a word or two, for a column."""
    if not model.installed:
        return "not installed" if model.file is None else "no method"
    weights = model.data["weights"]
    if weights.get("source") == "embedded":
        return "embedded"
    path, seen = known_of(model)
    source = "Hub" if path is None else "cached"
    if weights.get("trust") != "first-use":
        return source
    return f"{source}, {seen.sha256[:8]}" if seen else "first use"


def size(model: Model) -> int | None:
    """Bytes of the weights: as the registry says, else as they came."""
    _, seen = (None, None) if model.bytes is not None else known_of(model)
    return model.bytes if seen is None else seen.bytes


def known_of(model: Model) -> tuple[Path | None, FileRecord | None]:
    """What the cache has of the weights, and what was seen of them first; nothing where damaged."""
    reference = of_weights(model.data["weights"])
    try:
        return (None, None) if reference is None else RepoCache(reference).known(reference)
    except (WeightsError, OSError):  # zoo verify says what is wrong
        return None, None


def source_text(model: Model) -> str:
    """All that is known of where they are, line by line."""
    weights = model.entry.weights
    lines = []
    if weights.path is not None:
        lines.append(f"embedded, {size_text(weights.bytes)}")
    if weights.repo is not None:
        revision = f"@{weights.revision[:8]}" if weights.revision else ""
        lines.append(f"Hub {weights.repo_type} {weights.repo}{revision}:{weights.file}")
    if weights.format != "safetensors":
        lines.append(f"format {weights.format}")
    path, seen = known_of(model)
    if path is not None:
        lines.append(f"cached {path}")
    if weights.sha256 is not None:
        lines.append(f"sha256 {weights.sha256}")
    elif seen is not None:
        lines.append(f"sha256 {seen.sha256}, seen first on {seen.date} and enforced")
    else:
        lines.append("no known hash: the one seen first is recorded and checked ever after")
    return "\n".join(lines)
