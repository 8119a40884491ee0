"""What is asked of a plugin's entry point and of the module that it names."""

from __future__ import annotations

import os
from importlib import metadata

from zoo_core.errors import PluginError
from zoo_core.host import hookspecs


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


def refuse_unmarked(module: object) -> None:
    """Refuses a function that is named like a hook and not marked as one."""
    for name in (name for name in dir(hookspecs) if name.startswith("zoo_")):
        value = getattr(module, name, None)
        if callable(value) and not hasattr(value, "zoo_impl"):
            raise PluginError(f"{name} is not marked with @hookimpl")


def version_of(distribution: str) -> str:
    """Version of an installed distribution."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "0+unknown"
