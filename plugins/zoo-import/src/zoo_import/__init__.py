"""Foreign checkpoints: recognised, mapped strictly onto our nets, and kept as safetensors."""

from zoo_import.contract import Importer, Part, Shapes
from zoo_import.convert import converted

__all__ = ["Importer", "Part", "Shapes", "converted"]
