"""Where models come from that are not on this machine: the contract of kind ``model-source``.

The core itself opens no connection; zoo-hub brings a source.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class FirstSeen:
    """What a file was when a source brought it first.

    Attributes:
        sha256: Its hash.
        bytes: Its size.
        date: The day, as ``2026-01-31``.
    """

    sha256: str
    bytes: int
    date: str = ""


class ModelSource(ABC):
    """Brings models that are not on this machine: the contract of kind ``model-source``.

    What it brings it keeps, verifies whenever it is asked for, and needs no network for any more.
    It must not be asked while a stranger's model is built, and raises then
    (`zoo_core.untrusted.refuse_while_building`). Its module imports nothing heavy.
    """

    @abstractmethod
    def recognises(self, reference: str) -> bool:
        """Whether a text has the form of this source's references; no request is made."""

    @abstractmethod
    def directory(self, reference: str) -> Path:
        """The model directory that a reference names.

        Raises:
            HubError: If it is not there, or the source cannot be reached.
        """

    @abstractmethod
    def file(self, reference: str, *, asked: str) -> Path:
        """The one file that a reference names.

        Args:
            reference: With a file, such as ``org/repo:file``.
            asked: How the user named it, for errors.

        Raises:
            HubError: If it is not there, or the source cannot be reached.
        """

    @abstractmethod
    def weights(self, weights: Mapping[str, Any], *, asked: str) -> Path:
        """The weights file of a registry entry, with the hash and size that the entry says.

        Args:
            weights: Its ``weights``, as `zoo_core.catalogue.description.Weights` has them. In the
                zoo's own format, the rest of the model directory lies beside the file.
            asked: How the user named the model, for errors.

        Raises:
            HubError: If it is not there, is another file, or the source cannot be reached.
        """

    @abstractmethod
    def known(self, weights: Mapping[str, Any]) -> tuple[Path | None, FirstSeen | None]:
        """Where the weights of a registry entry are kept, and what they were when they came.

        Makes no request and opens no weights; neither is known where they were never here.
        """
