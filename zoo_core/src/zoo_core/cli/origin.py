"""Where the weights of a catalogue model are, in the words of ``zoo list`` and ``zoo info``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zoo_core.catalogue.registry import Model
from zoo_core.cli.output import size_text
from zoo_core.errors import WeightsError

if TYPE_CHECKING:
    from zoo_core.models.status import Cached


def where(weights: Mapping[str, Any], model: Model) -> str:
    """Where they are, in a word or two, for a column."""
    if not model.installed:
        return "not installed" if model.file is None else "no method"
    if weights.get("source") == "embedded":
        return "embedded"
    known = known_of(model)
    source = "Hub" if known.path is None else "cached"
    if weights.get("trust") != "first-use":
        return source
    return f"{source}, {known.seen.sha256[:8]}" if known.seen else "first use"


def size(model: Model) -> int | None:
    """Bytes of the weights: as the registry says, else as they came."""
    seen = None if model.bytes is not None else known_of(model).seen
    return model.bytes if seen is None else seen.bytes


def known_of(model: Model) -> Cached:
    """What the cache knows of the weights; nothing where its record is damaged."""
    from zoo_core.hub.reference import of_weights
    from zoo_core.models.status import Cached, cached

    reference = of_weights(model.data["weights"])
    try:
        return Cached() if reference is None else cached(reference)
    except (WeightsError, OSError):  # zoo verify says what is wrong
        return Cached()


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
    known = known_of(model)
    if known.path is not None:
        lines.append(f"cached {known.path}")
    if weights.sha256 is not None:
        lines.append(f"sha256 {weights.sha256}")
    elif known.seen is not None:
        lines.append(f"sha256 {known.seen.sha256}, seen first on {known.seen.date} and enforced")
    else:
        lines.append("no known hash: the one seen first is recorded and checked ever after")
    return "\n".join(lines)
