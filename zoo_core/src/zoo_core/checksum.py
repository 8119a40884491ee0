"""Whether a file is the very file that is meant. Importing this module imports no torch."""

from __future__ import annotations

import hashlib
from pathlib import Path

from zoo_core.errors import WeightsError

_AGAIN = "Restore the file, or export the model again."


def verify(path: Path, *, sha256: str | None = None, size: int | None = None) -> None:
    """Checks that a file is there and is the very file that is meant, before anyone opens it.

    Args:
        path: The file.
        sha256: Expected hash in hexadecimal; None: not checked.
        size: Expected number of bytes; None: not checked.

    Raises:
        WeightsError: If the file is missing or is another.
    """
    asked = f"weights {path}"
    if not path.is_file():
        raise WeightsError("the file is missing", asked=asked, hint=_AGAIN)
    found = path.stat().st_size
    if size is not None and found != size:
        raise WeightsError(f"it has {found} bytes, expected {size}", asked=asked, hint=_AGAIN)
    if sha256 is not None and (digest := file_sha256(path)) != sha256.lower():
        raise WeightsError(
            f"its sha256 is {digest[:16]}…, expected {sha256[:16].lower()}…",
            asked=asked,
            hint="It is damaged or was exchanged; do not use it. " + _AGAIN,
        )


def file_sha256(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
