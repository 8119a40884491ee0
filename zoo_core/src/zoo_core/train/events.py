"""The events of a run: every plugin hears of them, and none can break the run."""

from __future__ import annotations

from typing import Any

from zoo_core.plugins import PluginHost, host


def fire(event: str, *, plugins: PluginHost | None = None, **values: Any) -> list[str]:
    """Calls one event hook of each plugin by itself.

    Args:
        event: Name of the hook, such as ``zoo_step_done``.
        plugins: The host; None for the process's own.
        values: The hook's arguments.

    Returns:
        What went wrong, one sentence per plugin that raised.
    """
    problems = []
    for implementation in getattr((plugins or host()).hook, event).get_hookimpls():
        wanted = {name: values[name] for name in implementation.argnames}
        try:
            implementation.function(**wanted)
        except Exception as fault:  # a plugin's fault must not end a run
            problems.append(
                f"plugin {implementation.plugin_name} failed in {event}: "
                f"{type(fault).__name__}: {fault}"
            )
    return problems
