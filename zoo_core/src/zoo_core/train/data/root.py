"""Where the data for examples and tests lies, if anywhere."""

from __future__ import annotations

import os
from pathlib import Path


def data_root() -> Path | None:
    """The folder named by ``ZOO_DATA``, else ``../shared/data`` beside a checkout, else None."""
    named = os.environ.get("ZOO_DATA")
    if named:
        folder = Path(named).expanduser()
        return folder if folder.is_dir() else None
    for parent in Path(__file__).resolve().parents:
        if (parent / "registry.yaml").is_file() or (parent / ".git").exists():
            folder = parent.parent / "shared" / "data"
            return folder if folder.is_dir() else None
    return None
