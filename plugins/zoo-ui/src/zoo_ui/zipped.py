"""Results as one ZIP file."""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterator
from typing import IO, Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from zoo_core.errors import DataError

LARGEST = 1 << 30
"""Most bytes of all results together."""
MOST = 1_000
"""Most results."""
LONGEST = 100
"""Most characters of a name; the last ones, with the suffix, are kept."""
_PIECE = 1 << 20


async def zipped(request: Request) -> IO[bytes]:
    """A temporary file with a ZIP of the files that a form sends.

    Raises:
        DataError: If they are too many, too large, or none.
    """
    length = request.headers.get("content-length", "")
    if not re.fullmatch(r"[0-9]{1,15}", length) or int(length) > LARGEST:
        raise DataError(f"they are larger than {LARGEST >> 30} GB together", asked="all results")
    async with request.form(max_files=MOST, max_fields=0) as form:
        files = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
        if not files:
            raise DataError("there are none", asked="all results")
        made = tempfile.TemporaryFile()  # noqa: SIM115 (`pieces` closes it)
        names = _names(file.filename or "" for file in files)
        with zipfile.ZipFile(made, "w") as archive:  # pictures are compressed already
            for file, name in zip(files, names, strict=True):
                with archive.open(name, "w", force_zip64=True) as entry:
                    while piece := await file.read(_PIECE):
                        entry.write(piece)
    made.seek(0)
    return made


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """The bytes of a file, which is closed at the end."""
    with file:
        while piece := file.read(_PIECE):
            yield piece


def _names(given: Any) -> Iterator[str]:
    """Names without folders, each once, wherever the archive is unpacked."""
    seen: set[str] = set()
    counts: dict[str, int] = {}
    for whole in given:
        name = re.sub(r"[\x00-\x1f:]", "", re.split(r"[/\\]", whole)[-1])[-LONGEST:]
        first = name = name if name.strip(". ") else "result"
        stem, dot, suffix = first.rpartition(".")
        while name.lower() in seen:
            count = counts[first.lower()] = counts.get(first.lower(), 1) + 1
            name = f"{stem or suffix}-{count}{dot}{suffix if stem else ''}"
        seen.add(name.lower())
        yield name
