"""What the environment says of the Hub and of the cache, read whenever it is needed.

huggingface_hub reads the same variables once, when it is imported. Importing this module imports
nothing heavy.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from zoo_core.errors import UsageError
from zoo_core.untrusted import Limit

PUBLIC = "https://huggingface.co"
DEFAULT_TIMEOUT = 6.0
"""Seconds that the Hub may be silent, unless ``ZOO_HUB_TIMEOUT`` says otherwise."""
DOWNLOAD = Limit("ZOO_MAX_DOWNLOAD", 2_000_000_000, "bytes to download")
"""Of one file."""


def cache_root() -> Path:
    """The zoo's own cache: ``ZOO_CACHE``, else ``zoo`` in the user's cache directory."""
    given = os.environ.get("ZOO_CACHE")
    if given:
        return Path(given).expanduser().absolute()
    home, windows = Path.home(), sys.platform == "win32"
    usual = home / "AppData" / "Local" if windows else home / ".cache"
    return Path(os.environ.get("LOCALAPPDATA" if windows else "XDG_CACHE_HOME") or usual) / "zoo"


def endpoint() -> str:
    """The Hub that is asked: ``HF_ENDPOINT``, else the public one; without a slash at its end.

    Raises:
        UsageError: If it is no address.
    """
    given = os.environ.get("HF_ENDPOINT", "").strip().rstrip("/")
    if given and not given.startswith(("http://", "https://")):
        shown = given.rpartition("@")[2]  # without name and password
        raise UsageError(
            "it is no address that begins with https:// or http://",
            asked=f'HF_ENDPOINT "{shown}"',
            hint=f"Write HF_ENDPOINT=https://{shown}, or unset it for {PUBLIC}.",
        )
    return given or PUBLIC


def offline() -> bool:
    """Whether ``HF_HUB_OFFLINE`` (or ``TRANSFORMERS_OFFLINE``) forbids every request."""
    given = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return given.strip().lower() in {"1", "on", "yes", "true"}


def timeout() -> float:
    """Seconds that the Hub may be silent before it is given up: ``ZOO_HUB_TIMEOUT``.

    They bound the time to an answer, retries and all, and each pause of a download.

    Raises:
        UsageError: If it is no positive number.
    """
    given = os.environ.get("ZOO_HUB_TIMEOUT", str(DEFAULT_TIMEOUT))
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise UsageError(
            "it is no positive number of seconds",
            asked=f'ZOO_HUB_TIMEOUT "{given}"',
            hint=f"Write such as ZOO_HUB_TIMEOUT={DEFAULT_TIMEOUT:g}.",
        )
    return seconds
