"""What is known of a saved classifier beside its weights. Importing this imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from zoo_core.errors import DataError
from zoo_core.untrusted import member, read_yaml_file

WEIGHTS = "judge.safetensors"
CARD = "judge.yaml"
OWN = "judge"
"""Name of the zoo's own architecture for pictures."""
SCALES = (0.86, 1.57)
"""Smallest and largest scale of ``wide`` changes: of drawings that have a margin."""
Task = Literal["domain", "content"]
"""Which domain is it? What does it show, or say?"""


class ClassifierCard(BaseModel):
    """What a ``judge.yaml`` says of the net; the rest is for whoever trained it.

    Attributes:
        format: Version of this form.
        classes: Names of the classes, in the order of the logits.
        size: Size of the signals that it reads: of pictures the side of a square in pixels, to
            which others are resized; of speech the number of mel bands.
        architecture: Name of a component of kind ``judge-architecture``, such as ``judge`` (the
            zoo's own net for pictures), ``timm:NAME`` or ``speech``.
        arguments: What the architecture is given besides, such as arguments of a net of timm.
        widths: Channels of the net's stages; the last is the number of its features.
        parameters: Number of the net's parameters.
        bytes: Size of ``judge.safetensors``.
        sha256: Hash of ``judge.safetensors``.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    format: Literal[1] = 1
    classes: tuple[str, ...]
    size: int
    architecture: str = OWN
    arguments: dict[str, Any] = {}
    widths: tuple[int, ...] = ()
    parameters: int = 0
    bytes: int = 0
    sha256: str = ""

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Reads the card of a judge directory.

        Raises:
            DataError: If the directory is no judge directory or its card is damaged.
            WeightsError: If the card is no regular file.
        """
        path = member(directory, CARD)
        if path is None:
            raise DataError(
                f"it has no {CARD}, so it is no judge directory",
                asked=f"judge {directory}",
                hint="Train one with zoo judge train --out DIR.",
            )
        try:
            return cls.model_validate(read_yaml_file(path, error=DataError))
        except ValidationError as error:
            problem = str(error).replace("\n", " ").strip()
            raise DataError(
                f"its card cannot be read: {problem}",
                asked=f"judge {directory}",
                hint="Train the judge again, or restore the file.",
            ) from error
