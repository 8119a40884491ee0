"""``zoo plugins``: what is plugged in."""

from __future__ import annotations

from typing import Any

import click

from zoo_core.cli.output import as_json, table
from zoo_core.plugins import HOOKS, Plugin, PluginHost, host
from zoo_core.registry import Registry


@click.command("plugins")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
def plugins(json_: bool) -> None:
    """List plugins, and what is wrong with broken ones."""
    known = host()
    registry = Registry.load(known)
    rows = [_row(known, registry, plugin) for plugin in known.plugins]
    if json_:
        as_json(rows)
        return
    shown = [
        (row["name"], f"{row['distribution']} {row['version']}".strip(), _brings(row))
        for row in rows
    ]
    table(("PLUGIN", "DISTRIBUTION", "BRINGS"), shown)


def _row(known: PluginHost, registry: Registry, plugin: Plugin) -> dict[str, Any]:
    brings: dict[str, list[str]] = {}
    problem = plugin.problem
    if problem is None:
        for hook in HOOKS:
            names = known.brought(hook, plugin.distribution)
            if names:
                brings[hook.removeprefix("zoo_")] = names
        models = [m.id for m in registry.models.values() if m.distribution == plugin.distribution]
        if models:
            brings["models"] = models
        texts = [p.text for p in registry.problems if p.distribution == plugin.distribution]
        problem = "; ".join(texts) or None
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "brings": brings,
        "problem": problem,
    }


def _brings(row: dict[str, Any]) -> str:
    lines = [f"{kind}: {', '.join(names)}" for kind, names in row["brings"].items()]
    if row["problem"]:
        lines.append(f"PROBLEM: {row['problem']}")
    return "\n".join(lines)
