"""What is asked of a plugin's entry point and of the module that it names."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

from zoo_core import hookspecs
from zoo_core.errors import PluginError, unknown


def restriction() -> frozenset[str] | None:
    """The plugins that ``ZOO_PLUGINS`` names; None where it is not set."""
    wanted = os.environ.get("ZOO_PLUGINS")
    if wanted is None:
        return None
    return frozenset(name.strip() for name in wanted.split(",") if name.strip())


def precedence(entry: metadata.EntryPoint) -> tuple[str, bool, str]:
    """Sort key: of two plugins of one name, first the distribution that is called after it."""
    distribution = entry.dist.name if entry.dist else ""
    return (entry.name, distribution != f"zoo-{entry.name}", distribution)


def refuse_misspelt(module: object) -> None:
    """Refuses hooks that do not exist, and functions that look like hooks but are not marked."""
    known = [name for name in dir(hookspecs) if name.startswith("zoo_")]
    for name in dir(module):
        value = getattr(module, name)
        if hasattr(value, "zoo_impl"):
            if name not in known:
                raise unknown("hook", name, known)
        elif name in known and callable(value):
            raise PluginError(f"{name} is not marked with @hookimpl")


def registry_path(value: object) -> Path:
    """What ``zoo_models`` gave, as a path."""
    if not isinstance(value, str | Path):
        raise PluginError(f"zoo_models gave {value!r}, not a path")
    return Path(value)


def version_of(distribution: str) -> str:
    """Version of an installed distribution."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "0+unknown"
