"""Translates pictures with exported models: without torch, and without the rest of the zoo."""

from zoo_runtime.model import ExportedModel, RunError

__all__ = ["ExportedModel", "RunError"]
