"""The names of ``import zoo``: the core's own, and those that plugins bring."""

from __future__ import annotations

from typing import Any

from zoo_core.errors import AbsentNameError
from zoo_core.host.builtin import PUBLIC
from zoo_core.host.isolation import resolve


def public_name(name: str) -> Any:
    """What a name of ``import zoo`` stands for, imported.

    Raises:
        AbsentNameError: If nothing installed brings it; the hint says which package does.
        PluginError: If its import fails.
    """
    for component in PUBLIC:  # without the host, which may just be loading a plugin that asks
        if component.name == name:
            return resolve(component.target)
    from zoo_core.host.absent import absent
    from zoo_core.host.plugins import host

    known = host().components("public")
    if name not in known:
        error = absent("public", name, known, asked="function")
        raise AbsentNameError(error.problem, asked=f"zoo.{name}", hint=error.hint)
    return host().load("public", name)


def public_names() -> list[str]:
    """All names of ``import zoo`` that installed packages bring."""
    from zoo_core.host.plugins import host

    return list(host().components("public"))
