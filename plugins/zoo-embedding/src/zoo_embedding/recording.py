"""What a model directory records of a backbone."""

from __future__ import annotations

from pathlib import PurePath


def without_folders(backbone: str) -> str:
    """A backbone's name with that of its file or folder alone: only a training opens it."""
    kind, _, name = backbone.partition(":")
    model, at, file = name.partition("@")
    if kind == "judge":
        name = PurePath(name).name
    elif at:
        name = f"{model}@{PurePath(file).name}"
    return f"{kind}:{name}" if name else backbone
