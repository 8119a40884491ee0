"""Foreign checkpoints: read by an importer, kept as safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zoo_core.errors import WeightsError

if TYPE_CHECKING:
    from zoo_core.registry import Model


def converted(path: Path, model: Model) -> Path:
    """The safetensors file of a model whose weights have a foreign format.

    Args:
        path: The foreign file, already verified.
        model: The model; ``model.entry.weights.format`` names the importer.

    Returns:
        A safetensors file in the zoo's cache (`zoo_core.hub.settings.cache_root`), under a name
        made of the sha256 of ``path``, so that it is converted once.

    Raises:
        WeightsError: If there is no importer of this format, or the file is not of it.
    """
    raise WeightsError(
        f'its weights have the foreign format "{model.entry.weights.format}"',
        asked=f'model "{model.id}"',
        hint="Convert them first.",
    )
