"""``zoo plugins``: what is plugged in."""

from __future__ import annotations

from typing import Any

import click

from zoo_core.catalogue.registry import Registry
from zoo_core.cli.output import as_json, table
from zoo_core.host.isolation import Plugin
from zoo_core.host.plugins import PluginHost, host


@click.command("plugins")
@click.option("--kinds", is_flag=True, help="List the kinds of component instead.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
def plugins(kinds: bool, json_: bool) -> None:
    """List plugins, what they bring, and what is wrong with broken ones."""
    known = host()
    if kinds:
        _print_kinds(known, json_)
        return
    registry = Registry.load(known)
    rows = [_row(known, registry, plugin) for plugin in known.plugins]
    if json_:
        as_json(rows)
        return
    shown = [(r["name"], f"{r['distribution']} {r['version']}".strip(), _brings(r)) for r in rows]
    table(("PLUGIN", "DISTRIBUTION", "BRINGS"), shown)


def _print_kinds(known: PluginHost, json_: bool) -> None:
    rows = [
        {
            "kind": kind.name,
            "summary": kind.summary,
            "contract": kind.target,
            "declared_by": known.owner("kind", kind.name),
            "components": sorted(known.components(kind.name)),
        }
        for kind in known.kinds.values()
        if kind.name != "kind"
    ]
    if json_:
        as_json(rows)
        return
    shown = [[str(row[key]) for key in ("kind", "summary", "declared_by")] for row in rows]
    table(("KIND", "SUMMARY", "DECLARED BY"), shown)


def _row(known: PluginHost, registry: Registry, plugin: Plugin) -> dict[str, Any]:
    brings: dict[str, list[str]] = {}
    problem = plugin.problem
    if problem is None:
        unused = [item for item, _ in known.unused]
        for item in plugin.components:
            note = " (unused: no package here declares it)" if item in unused else ""
            brings.setdefault(item.kind + note, []).append(item.name)
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
