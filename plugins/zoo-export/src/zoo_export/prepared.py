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
_DIGEST = 32
"""Bytes of the sha256 of a file's content, which stands before it."""


class PreparedFiles:
    """Files that engines made of one model, for this processor and these versions.

    What is read is what was written, byte for byte: an engine that is ready is compared with the
    model no more, so that a damaged file would give wrong translations in silence.

    Args:
        model: The model.
    """

    def __init__(self, model: LoadedModel) -> None:
        self.model = model
        self.root = cache_root() / "engines"

    def read(self, name: str) -> bytes | None:
        """What a file holds; None where there is none, or it is not what was written."""
        if not self.root.is_dir():
            return None
        path = self._folder / name
        try:
            data = path.read_bytes()
        except OSError:  # none, or another process just made room
            return None
        digest, content = data[:_DIGEST], data[_DIGEST:]
        if hashlib.sha256(content).digest() == digest:
            return content
        self.remove(name)
        return None

    def write(self, name: str, content: bytes) -> None:
        """Keeps a file; where that is not possible, the next process prepares it again."""
        with suppress(OSError):
            with replacing(self._folder / name) as part:
                part.write_bytes(hashlib.sha256(content).digest() + content)
            sweep(self._folder)
            self._make_room()

    def remove(self, name: str) -> None:
        """Removes a file that is of no use."""
        with suppress(OSError):
            (self._folder / name).unlink(missing_ok=True)

    @cached_property
    def _folder(self) -> Path:
        model = self.model
        parts = (
            file_sha256(model.weights),
            file_sha256(model.golden) if model.golden.is_file() else "",  # engines agree with it
            repr(model.config),
            # The nets may be any plugin's, and another version of it may compute them otherwise.
            *sorted(f"{plugin.distribution} {plugin.version}" for plugin in model.host.plugins),
            *(f"{name} {version_of(name)}" for name in ("torch", "onnxscript")),
            _processor(),
        )
        folder = self.root / hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
        with suppress(OSError):
            os.utime(folder)  # it is in use
        return folder

    def _make_room(self) -> None:
        """Removes the models that were not used for longest, beyond `MOST` bytes."""
        found = [path for path in self.root.iterdir() if path.is_dir()]
        folders = sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)
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
