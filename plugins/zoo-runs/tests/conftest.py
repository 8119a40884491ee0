"""Pictures to train on."""

from zoo_testing.fixtures import pictures

__all__ = ["pictures"]
