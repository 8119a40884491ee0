"""Foreign checkpoints: recognised, mapped strictly onto our nets, and kept as safetensors."""

from zoo_core.importing.contract import Importer, Part, Shapes
from zoo_core.importing.convert import converted

__all__ = ["Importer", "Part", "Shapes", "converted"]
