"""What engines prepared, in the user's cache: bounded, and of use to this very model only."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from zoo_core.files import replacing, sweep
from zoo_core.host.isolation import version_of
from zoo_core.translate.engines import LoadedModel
from zoo_core.untrusted import file_sha256
from zoo_hub.settings import cache_root

MOST = 4 << 30
"""Bytes that are kept of all models together; what was not used for longest goes first."""


class PreparedFiles:
    """Files that engines made of one model, for this processor and these versions.

    Args:
        model: The model.
    """

    def __init__(self, model: LoadedModel) -> None:
        self.model = model
        self.root = cache_root() / "engines"

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        return self.root.is_dir() and self.path(name).is_file()

    def path(self, name: str) -> Path:
        """Where a file is, or would be."""
        return self._folder / name

    def write(self, name: str, content: bytes) -> None:
        """Keeps a file; where that is not possible, the next process prepares it again."""
        with suppress(OSError):
            with replacing(self.path(name)) as part:
                part.write_bytes(content)
            sweep(self._folder)
            self._make_room()

    @cached_property
    def _folder(self) -> Path:
        model = self.model
        parts = (
            file_sha256(model.weights),
            file_sha256(model.golden) if model.golden.is_file() else "",  # engines agree with it
            repr(model.config),
            *(version_of(name) for name in ("zoo-core", "zoo-export", "torch")),
            _processor(),
        )
        folder = self.root / hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
        with suppress(OSError):
            os.utime(folder)  # it is in use
        return folder

    def _make_room(self) -> None:
        """Removes the models that were not used for longest, beyond `MOST` bytes."""
        folders = sorted(self.root.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        held = 0
        for folder in folders:
            held += sum(path.stat().st_size for path in folder.iterdir())
            if held > MOST and folder != self._folder:
                shutil.rmtree(folder, ignore_errors=True)


def _processor() -> str:
    """What tells processors apart, as far as compiled code goes."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(
            next((line for line in lines if line.startswith(key)), "")
            for key in ("model name", "flags")
        )
    return f"{platform.machine()} {platform.processor()}"
