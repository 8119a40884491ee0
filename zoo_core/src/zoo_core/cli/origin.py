"""Where the weights of a catalogue model are, in the words of ``zoo list`` and ``zoo info``."""

from __future__ import annotations

from pathlib import Path

from zoo_core.catalogue.registry import HUB, Model
from zoo_core.cli.output import size_text
from zoo_core.contracts.model_source import FirstSeen
from zoo_core.host.plugins import host
from zoo_core.models.modeldir import model_source


def where(model: Model) -> str:
    """Where they are, in a word or two, for a column."""
    if not model.installed:
        needs = f"needs {model.lacks}" if model.lacks else "no method"
        return "not installed" if model.file is None else needs
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


def known_of(model: Model) -> tuple[Path | None, FirstSeen | None]:
    """Where weights that a source brought are kept, and what they were when they came first."""
    weights, plugins = model.data["weights"], host()
    if weights.get("repo") is None or HUB not in plugins.components("model-source"):
        return None, None
    return model_source(f'model "{model.id}"', host=plugins).known(weights)


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
