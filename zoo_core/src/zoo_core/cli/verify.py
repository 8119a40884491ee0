"""``zoo verify``: are the weights that are here the ones that are meant?"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

import click

from zoo_core.errors import UsageError, WeightsError

if TYPE_CHECKING:
    from zoo_core.catalogue.registry import Registry
    from zoo_core.models.status import Finding


@click.command("verify")
@click.argument("name", required=False)
@click.option("--all", "all_", is_flag=True, help="All models, and everything in the cache.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
def verify(name: str | None, all_: bool, json_: bool) -> None:
    """Compare weights on this machine with their size and sha256. Fetches nothing.

    NAME is a name from zoo list, or ORG/REPO[@REVISION] of the Hub.
    """
    from zoo_core.catalogue.registry import Registry
    from zoo_core.cli.output import as_json, report_broken, table
    from zoo_core.host.plugins import host

    if (name is None) != all_:
        raise UsageError("give a NAME, or --all, not both", asked="zoo verify")
    plugins = host()
    registry = Registry.load(plugins)
    findings = _findings(name, registry)
    if json_:
        as_json([dataclasses.asdict(finding) | {"path": _path(finding)} for finding in findings])
    else:
        rows = [(_short(finding), finding.place, _verdict(finding)) for finding in findings]
        table(("FILE", "WHERE", "RESULT"), rows)
    report_broken(plugins, registry)
    wrong = [finding for finding in findings if finding.problem]
    for finding in wrong:
        click.echo(f"{finding.path}: {finding.problem}", err=True)
    if wrong:
        cached = any(finding.place == "cache" for finding in wrong)
        hint = "Files of the cache are fetched again when they are used next. " if cached else ""
        hint += "Reinstall the plugin." if any(f.place == "embedded" for f in wrong) else ""
        raise WeightsError(
            f"{len(wrong)} of {len(findings)} files are not what they must be",
            asked=", ".join(dict.fromkeys(finding.name for finding in wrong)),
            hint=hint.strip(),
        )


def _findings(name: str | None, registry: Registry) -> list[Finding]:
    from zoo_core.hub.reference import looks_like, parse
    from zoo_core.models.status import check_cache, check_model, check_reference

    if name is None:
        models = [model for model in registry.models.values() if model.installed]
        of_models = [finding for model in models for finding in check_model(model)]
        known = {finding.path for finding in of_models}
        return of_models + [finding for finding in check_cache() if finding.path not in known]
    if name in registry.models or not looks_like(name):
        return list(check_model(registry.get(name).require()))
    found = list(check_reference(parse(name)))
    if not found:
        raise UsageError(
            "nothing of it is in the cache",
            asked=f'model "{name}"',
            hint="zoo.load fetches and verifies it.",
        )
    return found


def _verdict(finding: Finding) -> str:
    if finding.place == "nowhere":
        return "not fetched yet"
    return "WRONG" if finding.problem else "as it must be"


def _short(finding: Finding) -> str:
    """Its name, commits cut to eight digits."""
    return re.sub(r"@([0-9a-f]{8})[0-9a-f]{32}", r"@\1", finding.name)


def _path(finding: Finding) -> str | None:
    return None if finding.path is None else str(finding.path)
